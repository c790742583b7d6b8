"""Train: dataset, model and goal first, then the form drawn from the settings, with preflight beside Start."""

from __future__ import annotations

import hashlib

import gradio as gr

from studio.settings.train import TrainSettings
from studio.workspace import Workspace
from ui.form import draw, draw_field, fields

# These are chosen from what there is, with pickers of their own; everything else is drawn as declared.
PICKED = ("dataset", "model")

PAGE = """
<ft-train data-mark="{mark}">
  <div class="tr-head"><h1>Train</h1><p class="soft">Choose what to learn from and which model to start with. Everything
  else is chosen for your data and this machine, and can be changed.</p></div>
  <div class="tr-columns">
    <div class="tr-main">
      <section class="card tr-choice" aria-labelledby="tr-h-dataset"><h2 id="tr-h-dataset"><i>1</i>{dataset}</h2>
        <p class="soft small">{dataset_help}</p><div data-slot="dataset"></div></section>
      <section class="card tr-choice" aria-labelledby="tr-h-model"><h2 id="tr-h-model"><i>2</i>{model}</h2>
        <p class="soft small">{model_help}</p><div data-slot="model"></div><div data-slot="adding"></div></section>
      <section class="card tr-choice" aria-labelledby="tr-h-goal"><h2 id="tr-h-goal"><i>3</i>{goal_title}</h2>
        <div class="form-fields" data-always>{goal}</div></section>
      <section class="card tr-settings" aria-labelledby="tr-h-settings">
        <div class="spread"><h2 id="tr-h-settings">Settings</h2>
          <input type="search" class="ft-input tr-search" placeholder="Search {count} settings"
            aria-label="Search the settings"></div>
        <div data-slot="presets"></div>
        <p class="soft small tr-found" role="status"></p>
        {form}
        <button type="button" class="ft-button tr-all" aria-expanded="false">Show all settings</button>
      </section>
    </div>
    <aside class="tr-side" aria-label="Before you start"><div class="card" data-slot="preflight"></div></aside>
  </div>
</ft-train>
"""


def build(workspace: Workspace) -> None:
    """The page without its figures; assets/page/train.js fills them in and keeps what was typed."""
    gr.HTML(page(workspace), apply_default_css=False)


def page(workspace: Workspace) -> str:
    shown = fields(TrainSettings)
    titles = {field.path: field for field in shown}
    goal = [field for field in shown if field.path.startswith("objective.")]
    rest = [field for field in shown if field not in goal and field.path not in PICKED]
    return PAGE.format(
        mark=hashlib.sha256(str(workspace.root).encode()).hexdigest()[:12],
        dataset=titles["dataset"].title,
        dataset_help=titles["dataset"].help,
        model=titles["model"].title,
        model_help=titles["model"].help,
        goal_title=titles["objective.name"].title,
        goal="".join(draw_field(field, "train") for field in goal),
        count=len(rest),
        form=draw(rest, "train"),
    )
