"""Findings turned into reviews: rows left out, texts mended, rows sent to the review queue; one batch a fix."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from studio.batches.tokenizer import ModelTokenizer
from studio.datasets.reviewing.changes import Change
from studio.datasets.reviewing.reviews import Conflict, Reviews
from studio.datasets.rows import Row
from studio.datasets.splitting.grouping import Watch
from studio.datasets.store import Dataset
from studio.doctor import marks
from studio.doctor.answers import without_echo
from studio.doctor.kinds import KINDS, PERSONAL
from studio.doctor.letters import repaired
from studio.doctor.masking import Masker
from studio.doctor.reading import Reading, rewritten
from studio.doctor.reports import Report, key_of
from studio.errors import BadInput, Refused
from studio.settings.doctor import Mask

FEW = 200  # rows that are looked up one by one; more are quicker found by reading all
OFTEN = 2000  # rows between two words on how far it is
Content = dict[str, Any]
Pair = tuple[str, str | None]
Mender = Callable[[Row], Content | None]  # None: only a person can mend it


def fix(
    dataset: Dataset,
    report: Report,
    kind: str,
    mask: Mask = "labels",
    tokenizer: ModelTokenizer | None = None,
    by: str = "",
    watch: Watch = lambda *_: None,
) -> dict[str, Any]:
    """Fixes one finding as one batch of reviews, which one undo takes back.

    Args:
        mask: what stands for personal data.
        tokenizer: of the model whose marks were looked for.
        watch: called now and then with rows done, rows in all, and what is being done; may raise to stop, and then
            nothing was changed.

    Returns:
        `kind`, `number` of the batch, `rows` changed or sent to the review queue, how many of these were `sent`,
        `passed_over`: rows somebody changed since they were looked at.

    Raises:
        NotFound: nothing of this kind was found.
        BadInput: this kind has no fix.
        Refused: there is a newer version, or nothing is left to fix.
    """
    finding, about = report.finding(kind), KINDS[kind]
    if not about.deed:
        raise BadInput(f"“{about.title}” has no fix.", "What to do about it is yours to decide.", "Look at its rows.")
    if dataset.latest != report.version:
        raise Refused(
            "The report is of an older version.",
            report.stale(dataset, Reviews(dataset)),
            "Let the doctor look again first.",
        )
    reviews = Reviews(dataset)
    pairs = report.row_ids(kind)
    seen = reviews.numbers_of(row for pair in pairs for row in pair if row)
    rows = Untouched(report, reviews).of(pairs, alone=about.deed == "review")
    deeds = list(_deeds(dataset, report, finding, reviews, rows, mask, tokenizer, watch))
    watch(len(deeds), len(deeds), "writing the changes down")
    number, deeds = _applied(reviews, deeds, pairs, seen, by, f"doctor: {kind}")
    sent = sum(deed["type"] == "judge" for deed in deeds)
    report.note_fix(kind, number, len(deeds), deed=about.deed, sent=sent)
    passed_over = finding["count"] - len(deeds)
    return {"kind": kind, "number": number, "rows": len(deeds), "sent": sent, "passed_over": passed_over}


def _applied(
    reviews: Reviews, deeds: list[Content], pairs: list[Pair], seen: dict[str, int], by: str, why: str
) -> tuple[int, list[Content]]:
    """Writes the deeds of the rows that nobody changed while they were made; returns the batch's number and them."""
    while deeds:
        meant = {deed["row"] for deed in deeds}
        needed = {row for pair in pairs if pair[0] in meant for row in pair if row}
        try:
            return reviews.apply(deeds, by=by, why=why, seen={row: seen[row] for row in needed}), deeds
        except Conflict:
            now = reviews.numbers_of(seen)
            changed = {pair[0] for pair in pairs if any(row and now[row] != seen[row] for row in pair)}
            deeds = [deed for deed in deeds if deed["row"] not in changed]
    raise Refused(
        "There is nothing left to fix.",
        "These rows were changed or left out since they were looked at.",
        "Let the doctor look again.",
    )


class Untouched:
    """Which rows of a report are still as they were looked at, but for what its own fixes did."""

    def __init__(self, report: Report, reviews: Reviews) -> None:
        self.report = report
        self.own = report.own()
        self.by_row = reviews.log().by_row
        self.taken_back = reviews.rows_taken_back_since(report.reviews)
        self.pending = reviews.pending()

    def of(self, pairs: list[Pair], alone: bool = False) -> list[str]:
        """The ids of a finding's rows that a fix may change.

        Args:
            alone: also those whose other row another fix left out: a person is to look at what stays, while a copy
                must not go where nothing would stay.
        """

        def stays(other: str | None) -> bool:
            return other is None or (self._same(other) and (alone or self._there(other)))

        return [row for row, other in pairs if self._same(row) and self._there(row) and stays(other)]

    def _there(self, row: str) -> bool:
        change = self.pending.get(row)
        return change is None or not change.excluded

    def _same(self, row: str) -> bool:
        if row in self.taken_back:
            return False
        numbers = {int(deed["number"]) for deed in self.by_row.get(row, ())}
        return all(number <= self.report.reviews or number in self.own for number in numbers)


def _deeds(
    dataset: Dataset,
    report: Report,
    finding: dict[str, Any],
    reviews: Reviews,
    rows: list[str],
    mask: Mask,
    tokenizer: ModelTokenizer | None,
    watch: Watch,
) -> Iterator[Content]:
    kind = finding["kind"]
    about = KINDS[kind]
    if about.deed == "exclude":
        yield from ({"type": "exclude", "row": row} for row in rows)
    elif about.deed == "review":
        yield from (_sent(row, about.title) for row in rows)
    else:
        mend = mender(dataset, report, finding, mask, tokenizer)
        found = current(dataset, reviews, rows, watch)
        yield from (deed for row in found if (deed := _mended(row, mend, about.title)))


def _sent(row: str, reason: str) -> Content:
    return {"type": "judge", "row": row, "status": "pending", "reason": reason}


def _mended(row: Row, mend: Mender, reason: str) -> Content | None:
    """The edit of one row; left out where nothing would stay of a text, sent to a person where nothing else can."""
    content = mend(row)
    if content is None:
        return _sent(row.row_id, reason)
    if all(getattr(row, name) == value for name, value in content.items()):
        return None
    if _emptied(row, content):
        return {"type": "exclude", "row": row.row_id}
    return {"type": "edit", "row": row.row_id, "content": content}


def _emptied(row: Row, content: Content) -> bool:
    for name, value in content.items():
        before = getattr(row, name)
        pairs = (
            zip(before, value, strict=True) if isinstance(value, list) else [({"content": before}, {"content": value})]
        )
        if any(old.get("content", "").strip() and not new.get("content", "").strip() for old, new in pairs):
            return True
    return False


def mender(
    dataset: Dataset, report: Report, finding: dict[str, Any], mask: Mask, tokenizer: ModelTokenizer | None
) -> Mender:
    """What mends a row of a finding: gives its contents as they should be."""
    kind = finding["kind"]
    if kind in PERSONAL:
        masker = Masker({kind}, mask, report.country, key_of(dataset) if mask == "stand-ins" else b"")
        return lambda row: rewritten(row, lambda text, _: masker.masked(text))
    if kind == "encoding":
        return lambda row: rewritten(row, lambda text, _: repaired(text))
    if kind == "special_tokens":
        pattern = marks.pattern(tokenizer)
        return lambda row: unmarked(row, pattern)
    if kind in ("label_variants", "misspelt_labels"):
        usual = finding["facts"]["usual"]
        return lambda row: rewritten(row, lambda text, who: usual.get(text, text) if who == "Label" else text)
    return unechoed


def unmarked(row: Row, pattern: re.Pattern[str]) -> Content | None:
    """The row without marks of templates; None where several speak in one of its texts."""
    texts = {text: marks.removed(text, pattern) for _, text in Reading(0, row).texts}
    if None in texts.values():
        return None
    return rewritten(row, lambda text, _: texts[text] or "")


def unechoed(row: Row) -> Content:
    """The row with the question cut off that its answer repeats."""
    question = Reading(0, row).question
    content = rewritten(row, lambda text, _: text)
    for name in ("chosen",) if row.kind == "preference" else ("messages",):
        turns = [dict(turn) for turn in content.get(name) or []]
        if turns and turns[-1]["role"] == "assistant":
            turns[-1]["content"] = without_echo(question, turns[-1]["content"])
            content[name] = turns
    return content


def current(dataset: Dataset, reviews: Reviews, rows: Collection[str], watch: Watch) -> Iterator[Row]:
    """Rows by their ids as they shall be, in the version's order."""
    pending = reviews.pending()
    found = dataset.find(None, list(rows)).values() if len(rows) <= FEW else _sought(dataset, set(rows), watch)
    for row in found:
        yield pending.get(row.row_id, Change()).applied(row)


def _sought(dataset: Dataset, wanted: set[str], watch: Watch) -> Iterator[Row]:
    """These rows, found by reading all."""
    total = int(dataset.version_info()["rows"])
    for number, row in enumerate(dataset.rows(None)):
        if number % OFTEN == 0:
            watch(number, total, "reading rows")
        if row.row_id in wanted:
            yield row
