"""Home: the two ways to begin, the sample at work, this machine, recent runs, and whether to fine-tune at all."""

from __future__ import annotations

import gradio as gr

from studio.workspace import Workspace

GUIDE = (
    (
        "Try a better prompt first",
        "Say exactly what you want and show the model three good examples in the prompt. If that is good enough, you "
        "need no training. Train when the prompt has become long, when the form of the answer must hold every time, "
        "or when a small model on your own machine should do what only a large one does.",
    ),
    (
        "How many examples",
        "For one task such as sorting messages or writing in a house style: 500 to 5,000. A few hundred show whether "
        "it works; under fifty the model mostly learns them by heart. Good ones matter more than many: each wrong "
        "answer among them is learned too.",
    ),
    (
        "What to expect",
        "Training teaches a task, a form and a tone well. It teaches new facts badly: for those, put the documents "
        "into the prompt. The model may get worse at things you did not train, which is why the studio keeps some "
        "examples aside and compares base and tuned on them.",
    ),
    (
        "What it costs",
        "Time on this machine and some disk, nothing else: no account, and nothing leaves the machine unless you ask "
        "for a download. A small model takes minutes to hours without a GPU. Most of the work is in the examples.",
    ),
)

PAGE = """
<ft-home>
  <section class="hm-hero"><h1>Teach a language model your task, and see the proof</h1>
    <p class="soft">Bring examples of what is asked and what the answer should be. The studio trains a small model on
    this machine and shows, on examples it has never seen, whether it got better.</p></section>
  <div data-slot="ways" class="hm-ways"></div>
  <div data-slot="error"></div>
  <div data-slot="sample"></div>
  <div class="hm-state">
    <section class="card" aria-labelledby="hm-runs"><div class="spread"><h2 id="hm-runs">Recent runs</h2>
      <a class="small" href="?tab=runs" data-go="tab=runs&run=">All runs</a></div><div data-slot="runs"></div></section>
    <section class="card" aria-labelledby="hm-machine"><h2 id="hm-machine">This machine</h2>
      <div data-slot="machine"><p class="soft small">Looking …</p></div></section>
  </div>
  <details class="card hm-guide"><summary><h2>Should I fine-tune?</h2><span class="soft small">Four things to know
    before you begin</span></summary><div class="hm-answers">{guide}</div></details>
</ft-home>
"""


def build(workspace: Workspace) -> None:
    """What never changes stands here; assets/page/home.js shows what lives."""
    guide = "".join(f"<section><h3>{title}</h3><p>{text}</p></section>" for title, text in GUIDE)
    gr.HTML(PAGE.format(guide=guide), apply_default_css=False)
