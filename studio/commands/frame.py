"""What all commands share: the workspace, JSON output, progress on standard error, errors in words.

A command's module has

    add_arguments(parser)              its arguments
    run(args, context) -> dict         its work; the dict is its JSON
    show(result) -> str                the same for people
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from studio.commands import COMMANDS
from studio.errors import BadInput, StudioError, explain
from studio.jobs.follow import Terminal
from studio.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass
class Context:
    """Where a command works and where it tells its progress."""

    workspace: Workspace
    terminal: Terminal


class Parser(argparse.ArgumentParser):
    """argparse, with its complaints as a BadInput, so that --json holds for them too."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(
            "The command can't be read.",
            f"{message[:1].upper()}{message[1:]}.",
            f"See launch.py {self.prog.split()[-1]} --help.",
        )


class CommandFailed(StudioError):
    """A failure whose JSON has more to tell than its words, as the id of a run."""

    def __init__(self, error: StudioError, **fields: Any) -> None:
        super().__init__(error.what, error.why, error.next, field=error.field)
        self.fields = fields


def parser_for(name: str, command: ModuleType) -> Parser:
    """The parser of one command; the README's table is made from it."""
    parser = Parser(
        prog=f"launch.py {name}",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    parser.add_argument("--workspace", metavar="W", help="the folder that holds everything; default: workspace")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output and nothing else")
    return parser


def default_workspace() -> Path:
    return Path(os.environ.get("FLEXTUNE_WORKSPACE") or ROOT / "workspace")


def main(name: str, command: ModuleType, argv: list[str]) -> int:
    """One command from its arguments to its exit code."""
    assert name in COMMANDS
    as_json = "--json" in argv
    terminal = Terminal()
    try:
        args = parser_for(name, command).parse_args(argv)
        creates = getattr(command, "CREATES_WORKSPACE", True)
        root = Path(args.workspace) if args.workspace else default_workspace()
        workspace = Workspace.open(root) if creates else Workspace(root)
        result = command.run(args, Context(workspace, terminal))
    except (Exception, KeyboardInterrupt) as raw:
        return _fail(raw, as_json, terminal)
    return _print(
        json.dumps(result, ensure_ascii=False, allow_nan=False) if as_json else printable(command.show(result))
    )


def printable(text: str) -> str:
    """A text with � for what would command the terminal: rows are of anybody's making."""
    return CONTROLS.sub("�", text)


def _print(text: str) -> int:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # as with `| head`: the reader has seen enough
        sys.stdout = open(os.devnull, "w")
    return 0


def _fail(raw: BaseException, as_json: bool, terminal: Terminal) -> int:
    error = explain(raw)
    terminal.clear()
    if error is not raw and not isinstance(raw, OSError | KeyboardInterrupt):
        import traceback

        traceback.print_exception(raw, file=sys.stderr)  # a fault of ours: its trace is what a report needs
    fields = error.fields if isinstance(error, CommandFailed) else {}
    if as_json:
        print(json.dumps({"error": error.as_dict(), **fields}, ensure_ascii=False), flush=True)
    else:
        for part in (error.what, error.why, error.next):
            if part:
                print(printable(part), file=sys.stderr)
    return 130 if isinstance(raw, KeyboardInterrupt) else 1


def table(head: list[str], rows: list[list[str]]) -> str:
    """Plain columns for a terminal; the last one is not padded."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    ]
    return "\n".join(lines)
