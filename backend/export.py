"""A run's tuned model as a folder that other programs load.

    python -m backend.export FOLDER          FOLDER is exports/ID of a workspace

The folder `adapter` or `merged` in it is the model. It is called done only when, loaded afresh with plain
Transformers (and PEFT), it gives the engine's own tokens for held-out prompts; parity.json has the comparison.
"""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.cards import card
from backend.engine.conversation import Prompt
from backend.job import Job, run_job
from backend.room import ask_for_memory
from backend.tuned import TUNED, Tuned, open_tuned
from studio import migrate
from studio.batches.tokenizer import ModelTokenizer, load_tokenizer
from studio.datasets.importing.prompts import question
from studio.datasets.store import Dataset
from studio.errors import JobFailed, NoRoom, Refused, StudioError
from studio.files import disk_use, whole_folder, write_json, write_text
from studio.libraries import heavy_imports
from studio.models.folder import Model, read_model
from studio.settings.answering import ExportSettings, Generation, Machine
from studio.settings.base import check

if TYPE_CHECKING:
    from backend.engine.engine import Engine

PARITY = "parity.json"
PROMPTS = 5
LONGEST_PROMPT = 1024
ANSWER_TOKENS = 32
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt", "tokenizer.model", "chat_template.jinja",
)  # fmt: skip
SPARE_BYTES = 64 << 20


def main(job: Job) -> dict[str, Any]:
    settings = check(ExportSettings, {key: value for key, value in job.settings.items() if key != "job"})
    tuned = open_tuned(job.workspace, settings.run)
    base = read_model(tuned.base)
    tokenizer = load_tokenizer(tuned.base, tuned.settings.template)
    target = job.folder / settings.to
    _check(tuned, base, settings, target)
    prompts = list(islice(held_out(job, tuned, tokenizer), PROMPTS))
    job.event("loading", item="the tuned model")
    engine = tuned.engine(Machine(device="cpu"), whole=True)
    expected = [answer.tokens for answer in _greedy(job, engine, prompts)]
    engine.unload()
    job.stop_if_asked()
    job.progress(1, 3, "steps", "Writing")
    shutil.rmtree(target, ignore_errors=True)  # of an earlier life of this job
    with whole_folder(target) as partial:
        if settings.to == "adapter":
            write_adapter(partial, tuned, base)
        else:
            write_merged(partial, tuned, base, tokenizer)
        write_companions(partial, tuned, base, tokenizer, settings.to)
    gc.collect()  # the merged model's parts know each other: without this it would stay beside the one it is read into
    job.progress(2, 3, "steps", "Comparing")
    job.stop_if_asked()
    compare(job, target, tuned, settings.to, prompts, [engine.encode(prompt) for prompt in prompts], expected)
    job.progress(3, 3, "steps", "Compared")
    return {"path": str(target), "format": settings.to, "bytes": disk_use(target)}


def _check(tuned: Tuned, base: Model, settings: ExportSettings, target: Path) -> None:
    if settings.to == "adapter" and tuned.full:
        raise Refused(
            f"{tuned.run.name} has no adapter.",
            "All weights were trained, so there is nothing to put on the base.",
            "Export the whole model with --to merged.",
            field="to",
        )
    needed = SPARE_BYTES + (base.size if settings.to == "merged" else disk_use(tuned.weights))
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise NoRoom(
            "The disk has not enough space for this export.",
            f"It needs about {needed / 1e9:.1f} GB; {free / 1e9:.1f} GB are free.",
            "Free some space (empty the trash, delete old runs) and try again.",
        )
    ask_for_memory(
        base,
        _copies(tuned),
        "There is not enough memory for this export.",
        "Close other programs, and models that are loaded in Compare, and try again; or export on a machine with more.",
    )


def _copies(tuned: Tuned) -> int:
    """How many whole models are held at once at most: by the engine, as what is merged and compared is one alone."""
    with heavy_imports():
        from backend.engine.weights import sharing

    return 2 if sharing(tuned.weights).how == "apart" else 1


# What is compared


def held_out(job: Job, tuned: Tuned, tokenizer: ModelTokenizer) -> Iterator[Prompt]:
    """Prompts of rows the run did not train on where there are any; of raw text its beginnings."""
    dataset = Dataset.open(job.workspace, tuned.settings.dataset)
    for split in ("test", "validation", "train"):
        for row in dataset.rows(tuned.settings.version, split):
            if row.kind == "text":
                ids = tokenizer.encode(row.text or "")[:ANSWER_TOKENS]
                yield Prompt(text=tokenizer.decode(ids))
                continue
            try:
                asked = question(row, tokenizer)
            except StudioError:  # the template refuses it: it was not trained on either
                continue
            if asked is not None:
                yield Prompt(asked.messages, asked.tools)


def _greedy(job: Job, engine: Engine, prompts: list[Prompt]) -> list[Any]:
    options = Generation(max_new_tokens=ANSWER_TOKENS)
    return engine.answer(prompts, TUNED, options, should_stop=job.should_stop, cut=True)


# What is written


def write_adapter(folder: Path, tuned: Tuned, base: Model) -> None:
    """The adapter as PEFT loads it; its base is named by where it can be found, not by a path of this machine."""
    for path in tuned.weights.iterdir():
        if path.suffix == ".safetensors":
            shutil.copyfile(path, folder / path.name)
    config = json.loads((tuned.weights / "adapter_config.json").read_text(encoding="utf-8"))
    write_json(folder / "adapter_config.json", config | {"base_model_name_or_path": base_reference(base)})


def base_reference(base: Model) -> str:
    """The hub's id of a model that came from there, else its name in the workspace."""
    return str(base.source.get("id")) if base.source.get("kind") == "hub" else base.name


def write_merged(folder: Path, tuned: Tuned, base: Model, tokenizer: ModelTokenizer) -> None:
    """The whole model in its base's own number format; merged in float32, into a fresh copy of the base.

    A run on a 4-bit base is merged into the base as it was before: merging into the four bits would round away part
    of what was learned.
    """
    with heavy_imports():
        import torch

        from backend.engine.weights import load_model, with_adapter

    if tuned.full:
        model = load_model(tuned.weights, "cpu")
    else:
        model = load_model(tuned.base, "cpu")
        if touches_tied(model, tuned.weights):
            untie(model)
        model = with_adapter(model, TUNED, tuned.weights).merge_and_unload()
    model.to(getattr(torch, base.dtype, torch.float32))
    model.generation_config = generation_settings(tuned.base, tokenizer)
    model.save_pretrained(folder)


def touches_tied(model: Any, adapter: Path) -> bool:
    """Whether the adapter changes one of two layers that share their weights: merging would change both."""
    if not model.config.get_text_config().tie_word_embeddings:
        return False
    from safetensors import safe_open

    names = {_name_of(model, layer) for layer in (model.get_input_embeddings(), model.get_output_embeddings())}
    for path in adapter.glob("*.safetensors"):
        with safe_open(path, "numpy") as file:
            if any(f".{name}." in f".{key}." for key in file.keys() for name in names if name):  # noqa: SIM118
                return True
    return False


def _name_of(model: Any, layer: Any) -> str:
    return next((name.rsplit(".", 1)[-1] for name, module in model.named_modules() if module is layer), "")


def untie(model: Any) -> None:
    """Gives the output layer weights of its own."""
    import torch

    head = model.get_output_embeddings()
    head.weight = torch.nn.Parameter(head.weight.detach().clone())
    model.config.get_text_config().tie_word_embeddings = False
    model.config.tie_word_embeddings = False


def generation_settings(base: Path, tokenizer: ModelTokenizer) -> Any:
    """The base's own settings, with every token that ends an answer, so that other programs stop where we do."""
    from transformers import GenerationConfig

    try:
        config = GenerationConfig.from_pretrained(base, local_files_only=True)
    except OSError:
        config = GenerationConfig()
    if tokenizer.stop_ids:
        config.eos_token_id = list(tokenizer.stop_ids)
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_id
    return config


def write_companions(folder: Path, tuned: Tuned, base: Model, tokenizer: ModelTokenizer, form: str) -> None:
    """Tokenizer, the chat template trained with, licence, settings and card."""
    for name in TOKENIZER_FILES:
        if (base.path / name).is_file():
            shutil.copyfile(base.path / name, folder / name)
    chats = "default" in tokenizer.templates
    if chats:
        write_text(folder / "chat_template.jinja", tokenizer.templates["default"])
    for path in base.path.iterdir():
        if path.is_file() and path.name.upper().startswith(("LICENSE", "LICENCE", "NOTICE")):
            shutil.copyfile(path, folder / path.name)
    trained = tuned.settings.model_dump(mode="json")
    about = {"name": base.name, "weights": base.weights_hash(), "source": base.source}
    migrate.save(folder / "settings.json", "settings", {"run": tuned.run.name, "base": about, "trained": trained})
    write_text(
        folder / "README.md", card(tuned.run.name, tuned.settings, base, base_reference(base), form, chats=chats)
    )


# What is checked


def compare(
    job: Job,
    target: Path,
    tuned: Tuned,
    form: str,
    prompts: list[Prompt],
    ids: list[list[int]],
    expected: list[list[int]],
) -> None:
    """Replays the prompts through the exported folder and writes parity.json.

    Raises:
        JobFailed: the exported model answers differently; its folder is renamed so that nobody takes it for done.
    """
    from backend.parity import Exported

    exported = Exported(target, tuned.base if form == "adapter" else None)
    rows = [
        exported.replay(prompt, wanted_ids, wanted)
        for prompt, wanted_ids, wanted in zip(prompts, ids, expected, strict=True)
    ]
    same = bool(rows) and all(row.result != "different" for row in rows)
    report = {"equal": same, "tolerance": exported.tolerance, "rows": [asdict(row) for row in rows]}
    migrate.save(job.folder / PARITY, "parity", report)
    if same:
        return
    target.rename(target.with_name(f"{target.name}-differs"))
    differing = [str(number + 1) for number, row in enumerate(rows) if row.result == "different"]
    raise JobFailed(
        "The exported model does not answer as the tuned model did.",
        f"It differs on {len(differing)} of {len(rows)} prompts (number {', '.join(differing)})."
        if rows
        else "There were no prompts to compare with.",
        f"See {PARITY} beside it; export the other form, or report this with that file.",
    )


if __name__ == "__main__":
    run_job(main)
