"""Settings of everything that makes a model answer: chat, evaluation, prediction, the engine; and of the export."""

from __future__ import annotations

from typing import Any, Literal

from studio.settings.base import Settings, setting

Device = Literal["auto", "cpu", "cuda", "mps"]
# Off where answers are measured: a score is of what a model says, not of where somebody stopped listening.
END_REPEATS: dict[str, Any] = {
    "title": "End repeats",
    "help": "Ends an answer that says the same over and over, and says that it did.",
    "group": "Answers",
    "level": "advanced",
}


class Generation(Settings):
    """How an answer is made, token by token."""

    temperature: float = setting(
        0.0,
        title="Temperature",
        help="0 always takes the likeliest token, so the answer never varies; higher values vary more.",
        group="Answers",
        ge=0.0,
        le=5.0,
    )
    max_new_tokens: int | None = setting(
        None,
        title="Longest answer",
        help="An answer is cut off after this many tokens.",
        group="Answers",
        unit="tokens",
        auto="256 in a chat; in an evaluation, the longest expected answer and a quarter more, at most 512; "
        "512 for a file",
        ge=1,
        le=32_768,
    )
    top_p: float = setting(
        1.0,
        title="Top p",
        help="Only the likeliest tokens that together have this probability are drawn from; 1 keeps all.",
        group="Answers",
        level="advanced",
        gt=0.0,
        le=1.0,
    )
    top_k: int = setting(
        0,
        title="Top k",
        help="Only this many of the likeliest tokens are drawn from; 0 keeps all.",
        group="Answers",
        level="advanced",
        unit="tokens",
        ge=0,
    )
    seed: int = setting(
        0,
        title="Answer seed",
        help="The same seed, prompt and weights give the same answer; another seed another one (not at temperature 0).",
        group="Answers",
        level="advanced",
        ge=0,
        lt=2**63,
    )
    stop_repeats: bool = setting(False, **END_REPEATS)


class Machine(Settings):
    """Where the answers are computed."""

    device: Device = setting(
        "auto",
        title="Device",
        help="The processor that computes the answers; a GPU is taken where there is one.",
        group="Machine",
        level="advanced",
    )
    threads: int | None = setting(
        None,
        title="Threads",
        help="How many processor cores to use when answers are computed on the CPU.",
        group="Machine",
        level="advanced",
        unit="threads",
        auto="all physical cores",
        ge=1,
        le=1024,
    )


class EvaluateSettings(Generation, Machine):
    """Base and tuned answer rows of a split; the difference is stated with its uncertainty."""

    run: str = setting(title="Run", help="The run whose tuned model is compared with its base.")
    split: Literal["test", "validation", "train"] = setting(
        "test",
        title="Split",
        help="Which rows are asked; only rows that were not trained on say what the model learned.",
        group="Rows",
    )
    limit: int | None = setting(
        None,
        title="At most rows",
        help="Asks only the first so many rows of the split, for a quick look.",
        group="Rows",
        unit="rows",
        auto="all rows",
        ge=1,
    )


class PredictSettings(Generation, Machine):
    """The tuned model answers each row of a file."""

    run: str = setting(title="Run", help="The run whose tuned model answers.")
    file: str = setting(title="File", help="The file with one row for each answer wanted; its columns are kept.")
    output: str = setting(
        title="Output",
        help="Where the answers go; the name's ending (.jsonl, .csv or .xlsx) chooses the form.",
        group="Output",
    )
    escape_formulas: bool = setting(
        False,
        title="Escape formulas",
        help="Puts an apostrophe before CSV cells that a spreadsheet would take for a formula; changes those cells.",
        group="Output",
        level="advanced",
    )


class ChatSettings(Generation, Machine):
    """One question to base and tuned, side by side."""

    run: str = setting(title="Run", help="The run whose tuned model answers beside its base.")
    prompt: str = setting(title="Prompt", help="What to ask.", min_length=1)
    system: str | None = setting(
        None,
        title="System prompt",
        help="Instructions that stand before the conversation.",
        auto="the one the model's template brings along, if any",
    )
    stop_repeats: bool = setting(True, **END_REPEATS)


class EngineSettings(Machine):
    """A process that keeps base and tuned models loaded and answers over a loopback port."""

    run: str = setting(title="Run", help="The run whose base and tuned model are served.")
    idle_minutes: float = setting(
        15.0,
        title="Unload after",
        help="The engine ends when nobody asked anything for this long, and frees its memory.",
        group="Machine",
        level="advanced",
        unit="minutes",
        gt=0.0,
    )


class ExportSettings(Settings):
    """A tuned model as a folder that other programs load."""

    run: str = setting(title="Run", help="The run whose tuned model is exported.")
    to: Literal["adapter", "merged"] = setting(
        "merged",
        title="Form",
        help="“merged” is a complete model; “adapter” only what was learned, a small folder used with its base.",
    )
