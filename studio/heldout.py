"""Rows as questions for a run's model, the held-out ones first of all: the conversation, and the answer expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio import runs
from studio.batches.kept_tokenizers import kept_tokenizer
from studio.batches.tokenizer import ModelTokenizer
from studio.datasets.importing.prompts import Question, question
from studio.datasets.rows import Row
from studio.datasets.store import Dataset
from studio.errors import StudioError
from studio.workspace import Workspace

# Rows that were not trained on, the ones the training never looked at first.
HELD_OUT = ("test", "validation")


def prompts_of(workspace: Workspace, run: Path, find: str = "", start: int = 0, limit: int = 20) -> dict[str, Any]:
    """Rows `start` to `start + limit` of those that match, each with `messages`, `tools` and `expected`.

    Returns:
        `prompts`; `total` of the rows that match; `split`: the side they are of, "" when the dataset keeps none apart;
        `next`: where the page after this one starts; `rows` in all of that side.
    """
    settings = runs.settings_of(run)
    dataset = Dataset.open(workspace, settings.dataset)
    version = settings.version or dataset.latest
    counts = dataset.counts(version)
    split = next((side for side in HELD_OUT if counts[side]), "")
    about = {"dataset": dataset.name, "version": version, "split": split, "rows": counts.get(split, 0), "start": start}
    if not split:
        return about | {"prompts": [], "total": 0}
    found = dataset.page(version, start, limit, find or None, split)
    tokenizer = kept_tokenizer(workspace.models / settings.model, settings.template)
    prompts = [
        _shown(start + number, asked) for number, row in enumerate(found.rows) if (asked := _asked(row, tokenizer))
    ]
    return about | {"prompts": prompts, "total": found.total}


def asked_of(workspace: Workspace, run: Path, row: Row) -> Question | None:
    """What a run's model is asked by a row; None when it asks nothing, or when its template refuses it."""
    settings = runs.settings_of(run)
    return _asked(row, kept_tokenizer(workspace.models / settings.model, settings.template))


def _asked(row: Row, tokenizer: ModelTokenizer) -> Question | None:
    """None for rows that ask nothing, or that the template refuses: they were not trained on either."""
    try:
        return question(row, tokenizer)
    except StudioError:
        return None


def _shown(number: int, asked: Question) -> dict[str, Any]:
    return {
        "number": number,
        "row": asked.row_id,
        "messages": asked.messages,
        "tools": asked.tools,
        "expected": asked.expected,
    }
