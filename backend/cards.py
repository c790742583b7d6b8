"""The card (README.md) of an exported model: what it is, from what, how it was trained, how to load it."""

from __future__ import annotations

from studio.models.folder import Model
from studio.settings.train import TrainSettings

METHODS = {
    "lora": "LoRA",
    "dora": "DoRA",
    "qlora": "QLoRA (trained on the base in {bits} bits; here it is whole, so answers may differ a little)",
    "full": "full fine-tuning",
}

ADAPTER = """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = "{base}"  # the base model: its id on the hub or its folder
folder = "."  # the folder of this card
tokenizer = AutoTokenizer.from_pretrained(folder)
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder)
"""

MERGED = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "."  # the folder of this card
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder)
"""

ASK = """\
chat = [{"role": "user", "content": "Hello"}]
inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
answer = model.generate(**inputs, max_new_tokens=64, do_sample=False)
print(tokenizer.decode(answer[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))
"""


GO_ON = """\
inputs = tokenizer("Once upon a time", return_tensors="pt")
text = model.generate(**inputs, max_new_tokens=64, do_sample=False)
print(tokenizer.decode(text[0], skip_special_tokens=True))
"""


def card(run: str, settings: TrainSettings, base: Model, reference: str, form: str, *, chats: bool) -> str:
    """The text of the card.

    Args:
        reference: where the base is found: an id on the hub or a name.
        form: adapter or merged.
        chats: whether there is a chat template.
    """
    head = ["---", f"base_model: {reference}", f"library_name: {'peft' if form == 'adapter' else 'transformers'}"]
    head += [f"license: {base.licence}"] if base.licence else []
    head += ["pipeline_tag: text-generation", "---"]
    what = "An adapter for" if form == "adapter" else "A complete model, tuned from"
    method = METHODS[settings.method.name].format(**settings.method.model_dump())
    snippet = (ADAPTER.replace("{base}", reference) if form == "adapter" else MERGED) + "\n" + (ASK if chats else GO_ON)
    return "\n".join(
        [
            *head,
            "",
            f"# {settings.name or run}",
            "",
            f"{what} {reference}.",
            "",
            f"- Base: {base.name}, weights {base.weights_hash()}",
            f"- Method: {method}",
            f"- Data: {settings.dataset}" + (f", version {settings.version}" if settings.version else ""),
            f"- Run: {run}; all its settings are in settings.json",
            f"- Licence of the base: {base.licence or 'see the base model'}",
            "",
            "Made with FlexTune Studio. The exported folder was loaded afresh and gave the same answers as the model",
            "that was trained.",
            "",
            "```python",
            snippet.rstrip(),
            "```",
            "",
        ]
    )
