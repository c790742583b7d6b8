"""More rows, written by a model after rows that are there: what it is asked, what is made of its answer, what is kept.

A way asks in one step or two (a back-translation goes there and back); the last answer becomes a draft, or a reason
why there is none. Drafts are rows of the side of training that name their parents; nothing of them is trained on
before somebody accepts them.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from studio.datasets.additions import MADE_BY, PARENTS, SYNTHETIC, new_id
from studio.datasets.likeness import Likeness, components
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import Row, Turn
from studio.datasets.splitting.grouping import current, current_rows
from studio.datasets.store import Dataset
from studio.errors import BadInput
from studio.settings.writing import Way

# From which share of common five-letter pieces on a draft gives away a held-out row, or is one that is there already.
TOO_LIKE = 0.8
SHOWN = 80  # characters of a row by which people know it
LONGEST = 6000  # characters of a row that are shown to the writer
SAID = re.compile(
    r"\s*(?:\W{0,4}(?:q(?:uestion)?|frage|user)\W{0,4}[:.]\W{0,3})(?P<asked>.+?)"
    r"\n\s*(?:\W{0,4}(?:a(?:nswer)?|antwort|assistant)\W{0,4}[:.]\W{0,3})(?P<said>.+)",
    re.IGNORECASE | re.DOTALL,
)
QUOTES = ('"', "“", "”", "„", "«", "»", "'")

FORM = "Write it in this form and nothing else:\nQuestion: …\nAnswer: …"


class Unwritten(Exception):
    """No draft came of it; the reason in a few words."""


@dataclass(frozen=True)
class Task:
    """What is written after one row: the conversations a writer is led through, and what is made of its last answer.

    Args:
        steps: each makes the prompt out of the answer before ("" for the first).
        draft: makes the row; raises Unwritten.
    """

    parent: Row
    steps: tuple[Callable[[str], list[Turn]], ...]
    draft: Callable[[str], Row]


def task(way: Way, row: Row, *, made_by: str, guidance: str = "", language: str = "German") -> Task:
    """The task of writing after a row in some way.

    Raises:
        Unwritten: the way has nothing to do with such a row.
    """
    if way == "questions":
        return Task(row, (_one(_about(row) + _also(guidance)),), lambda said: _born(row, way, made_by, _pair(said)))
    place, asked = _question(row)
    steps: tuple[Callable[[str], list[Turn]], ...]
    if way == "paraphrase":
        steps = (_one(_reworded(asked) + _also(guidance)),)
    elif way == "back-translation":
        steps = (
            _one(f"Translate this text into {language}. Write the translation and nothing else.\n\n{asked}"),
            lambda there: _one(_back(asked, language, there) + _also(guidance))(""),
        )
    elif row.kind == "label":
        steps = (_one(_another_text(asked, row.label or "") + _also(guidance)),)
    else:
        steps = (_one(_another_pair(asked, _answer(row)) + _also(guidance)),)
        return Task(row, steps, lambda said: _born(row, way, made_by, _pair(said)))
    return Task(row, steps, lambda said: _reborn(row, place, way, made_by, said))


def ways(kind: str) -> tuple[Way, ...]:
    """The ways that make sense for rows of that kind."""
    if kind == "text":
        return ("questions",)
    return (
        ("paraphrase", "back-translation", "in-style")
        if kind in ("chat", "label")
        else ("paraphrase", "back-translation")
    )


# ---- What the writer is asked ----


def _one(text: str) -> Callable[[str], list[Turn]]:
    return lambda _: [{"role": "user", "content": text}]


def _also(guidance: str) -> str:
    return f"\n\nMind this: {guidance.strip()}" if guidance.strip() else ""


def _reworded(text: str) -> str:
    return (
        f"Say this in other words, with the same meaning and in the same language. Write only the new text.\n\n{text}"
    )


def _back(asked: str, language: str, there: str) -> str:
    return (
        f"Translate this {language} text into the language of “{asked[:60]}”. Write the translation and nothing else."
        f"\n\n{there}"
    )


def _another_text(text: str, label: str) -> str:
    return (
        f"Here is a text of the kind “{label}”:\n\n{text}\n\nWrite another text of that kind, about something else, in "
        "the same manner and language. Write only the text."
    )


def _another_pair(asked: str, said: str) -> str:
    return (
        f"Here is a question with its answer.\n\nQuestion: {asked}\nAnswer: {said}\n\nWrite another question of that "
        f"kind, about something else, with its answer in the same manner, length and language. {FORM}"
    )


def _about(row: Row) -> str:
    passage = (row.text or _answer(row) or "").strip()
    if not passage:
        raise Unwritten("it has no text to ask about")
    return (
        f"Here is a passage.\n\n{passage[:LONGEST]}\n\nWrite one question that somebody could ask about it, and its "
        f"answer, using only what the passage says. Name what you ask about; don't say “the passage”. {FORM}"
    )


def _question(row: Row) -> tuple[int, str]:
    """The one turn of the user, and its place."""
    found = [(at, str(turn["content"])) for at, turn in enumerate(row.messages or []) if turn["role"] == "user"]
    if len(found) != 1 or not found[0][1].strip():
        raise Unwritten("it has not exactly one question")
    if row.tools or any(turn.get("tool_calls") for turn in row.messages or []):
        raise Unwritten("it calls tools")
    return found[0][0], found[0][1][:LONGEST]


def _answer(row: Row) -> str:
    return "\n".join(str(turn["content"]) for turn in row.messages or [] if turn["role"] == "assistant")[:LONGEST]


# ---- What is made of its answer ----


def _reborn(row: Row, place: int, way: Way, made_by: str, said: str) -> Row:
    """The row with another question and everything else as it is."""
    text = _cleaned(said)
    turns = [*(row.messages or [])]
    if _plain(text) == _plain(str(turns[place]["content"])):
        raise Unwritten("it is what was there")
    turns[place] = {**turns[place], "content": text}
    return _finished(replace(row, messages=turns), row, way, made_by)


def _born(row: Row, way: Way, made_by: str, pair: tuple[str, str]) -> Row:
    """A new conversation of one question and one answer; the system prompt of the row stays."""
    system = [turn for turn in row.messages or [] if turn["role"] == "system"]
    turns = [*system, {"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]
    made = Row("", "chat", turns, tags=row.tags, source_file=row.source_file, source_line=row.source_line)
    return _finished(made, row, way, made_by)


def _finished(made: Row, parent: Row, way: Way, made_by: str) -> Row:
    tags = {**parent.tags, SYNTHETIC: way}
    made = replace(made, split="train", tags=tags, extra={PARENTS: [parent.row_id], MADE_BY: made_by})
    return replace(made, row_id=new_id(made))


def _pair(said: str) -> tuple[str, str]:
    found = SAID.match(said.strip())
    if not found:
        raise Unwritten("it is no question with an answer")
    return _cleaned(found["asked"]), _cleaned(found["said"])


def _cleaned(said: str) -> str:
    """The text without what writers put around it."""
    text = said.strip().strip("`*").strip()
    if len(text) > 1 and text[0] in QUOTES and text[-1] in QUOTES:
        text = text[1:-1].strip()
    if not _plain(text):
        raise Unwritten("it is empty")
    return text


def _mark(text: str) -> bytes:
    """Equal for texts with the same words."""
    return blake2b(_plain(text).encode(), digest_size=10).digest()


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


# ---- What is kept ----


class Screen:
    """Keeps out drafts that would give away held-out rows, and those that say what a row or another draft says already.

    Args:
        rows: the rows that are there, of every side, and those that wait; of each a few bytes are kept.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self.known: set[bytes] = set()  # what any row says
        self.held_out: set[bytes] = set()
        self.likeness = Likeness(TOO_LIKE)  # of held-out rows, numbered from 0, and of drafts behind them
        self.numbers = 0
        held: list[str] = []
        for row in rows:
            text = _text(row)
            self.known.add(_mark(text))
            if row.split != "train":
                self.held_out.add(_mark(text))
                held.append(text)
        self.likeness.add(enumerate(held))
        self.first_draft = self.numbers = len(held)

    def keep(self, drafts: Sequence[Row]) -> tuple[list[Row], Counter[str]]:
        """The drafts that may wait for review, and why how many others may not.

        A draft may be near the row it was written after: that is its purpose. It may not be near a held-out row, nor
        near a draft that is.
        """
        reasons: Counter[str] = Counter()
        fresh: dict[int, Row] = {}
        for draft in drafts:
            mark = _mark(_text(draft))
            if mark in self.known:
                reasons["like a held-out row" if mark in self.held_out else "there already"] += 1
                continue
            self.known.add(mark)
            fresh[self.numbers] = draft
            self.numbers += 1
        self.likeness.add((number, _text(draft)) for number, draft in fresh.items())
        for number in self._near_held_out() & set(fresh):
            del fresh[number]
            reasons["like a held-out row"] += 1
        return list(fresh.values()), reasons

    def _near_held_out(self) -> set[int]:
        """The numbers of drafts that a chain of near-duplicates links to a held-out row."""
        groups = components(self.likeness.pairs())
        return {number for group in groups if group[0] < self.first_draft for number in group}


def screened(dataset: Dataset) -> Iterator[Row]:
    """The rows that drafts are held against: each as the latest version has it and as its pending change makes it, so
    that what is held out in either stays apart."""
    changes = Reviews(dataset).pending()
    for row in dataset.rows():
        yield row
        if row.row_id in changes:
            yield changes[row.row_id].applied(row)


def _text(row: Row) -> str:
    """What must not be given away: the question, or the text."""
    asked = [str(turn["content"]) for turn in row.messages or [] if turn["role"] == "user"]
    return "\n".join(asked) or row.text or ""


def beginning(row: Row) -> str:
    """The first words of a row, to know it by."""
    return " ".join(_text(row).split())[:SHOWN]


def parents(dataset: Dataset, wanted: Sequence[str] | None, count: int, seed: int) -> list[Row]:
    """The rows that are written after, as their pending changes make them: those named, or so many drawn by the seed.

    Raises:
        BadInput: a named row is held out, or there is none to write after.
    """
    if wanted is not None:
        found = named(dataset, wanted)
        if held := [row.row_id for row in found.values() if row.split != "train"]:
            more = f" and {len(held) - 1} more are" if held[1:] else " is"
            raise BadInput(
                "Rows that are held out can't be written after.",
                f"{held[0]}{more} not on the side of training: their likenesses would tell the model the answers.",
                "Choose rows of the side of training.",
                field="rows",
            )
    else:
        rows = current_rows(dataset)
        train = [row.row_id for row in rows if row.split == "train" and SYNTHETIC not in row.tags]
        found = named(dataset, drawn(train, count, seed))
    if not found:
        raise BadInput("There is no row to write after.", "None is on the side of training.", "Import rows first.")
    return list(found.values())


def drawn(rows: Sequence[str], count: int, seed: int) -> list[str]:
    """At most so many of these rows, by chance, the same for the same seed."""
    return random.Random(seed).sample(rows, min(count, len(rows)))


def named(dataset: Dataset, wanted: Sequence[str]) -> dict[str, Row]:
    """Rows of the latest version by their ids, as their pending changes make them; excluded ones left out."""
    rows = dataset.find(None, list(wanted)).values()
    return {row.row_id: row for row in current(rows, Reviews(dataset).pending())}


def made_by(settings: Any) -> str:
    """Who wrote, as it stands in the rows: the writer's name, and where it is when it is not here."""
    return f"{settings.writer} at {settings.address}" if settings.address else str(settings.writer)
