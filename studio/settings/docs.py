"""The README's tables, made from the declarations: `python -m studio.settings.docs` writes them in place."""

from __future__ import annotations

import re
from pathlib import Path

from studio import benchmarks
from studio.commands import COMMANDS
from studio.settings.flags import Flag, describe_default, flags
from studio.settings.train import TrainSettings

README = Path(__file__).resolve().parents[2] / "README.md"


def commands() -> str:
    """Every command and what it does."""
    rows = [f"| `{name}` | {text[:1].upper()}{text[1:]} |" for name, text in COMMANDS.items()]
    return "\n".join(["| Command | What it does |", "| --- | --- |", *rows])


def settings() -> str:
    """Every setting of a run: flag, what it does, default."""
    rows = [_row(flag) for flag in flags(TrainSettings)]
    return "\n".join(["| Setting | Flag | What it does | Default |", "| --- | --- | --- | --- |", *rows])


def _row(flag: Flag) -> str:
    default = describe_default(flag.field).removeprefix("Default: ").removesuffix(".")
    return f"| {flag.field.title} | `--{flag.name}` | {flag.about} | {default or '–'} |"


def measured() -> str:
    """What the benchmarks found whose results are kept."""
    return "\n\n".join(benchmarks.markdown(result) for result in benchmarks.kept())


TABLES = {"commands": commands, "settings": settings, "benchmarks": measured}


def filled(text: str) -> str:
    """`text` with every table between its marks made anew."""
    for name, make in TABLES.items():
        mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = mark.sub(lambda found, make=make: f"{found[1]}{make()}\n{found[2]}", text)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
