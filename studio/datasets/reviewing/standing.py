"""What a judgement says of a row with all that it left as it was.

Whoever accepts a row accepts the label, the better answer and the marks that stand on it, pressed or not. A judgement
holds what was pressed; the rest is read here from the row as it was then: its version, and the reviews of it that its
maker saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from studio.datasets.reviewing.changes import CONTENTS, change_of
from studio.datasets.reviewing.judgements import (
    ACCEPTED,
    DRAFT,
    Eye,
    differ,
    in_conflict,
    independent,
    last_judgement,
)
from studio.datasets.reviewing.log import Deed
from studio.datasets.rows import Row
from studio.datasets.spans import spans_of
from studio.datasets.store import Dataset

TOGETHER = 2000  # rows that are read at once
ByRow = Mapping[str, Sequence[Deed]]  # row id → its standing reviews, or some of them


class Standing:
    """What stood on the rows of a dataset; `added` are those that no version has yet."""

    def __init__(self, dataset: Dataset, added: Mapping[str, Row]) -> None:
        self.dataset = dataset
        self.added = added

    def conflicts(self, rows: ByRow) -> dict[str, list[Deed]]:
        """Of these rows those on which reviewers are not at one: row id → the judgements that differ."""
        apart = {row_id: found for row_id, deeds in rows.items() if (found := in_conflict(deeds))}
        told = self.told(apart, rows)
        return {row_id: apart[row_id] for row_id, found in told if any(differ(found[0], each) for each in found[1:])}

    def independent(self, rows: ByRow) -> dict[str, dict[str, Deed]]:
        """Row id → reviewer → the judgement they made by themselves, with what stood for it where two made one."""
        found = {row_id: made for row_id, deeds in rows.items() if (made := independent(deeds))}
        shared = {row_id: list(made.values()) for row_id, made in found.items() if len(made) > 1}
        for row_id, told in self.told(shared, rows):
            short = [{name: value for name, value in deed.items() if name != "content"} for deed in told]
            found[row_id] = dict(zip(found[row_id], short, strict=True))
        return found

    def told(self, judged: ByRow, rows: ByRow) -> Iterator[tuple[str, list[Deed]]]:
        """Judgements by row, the accepted ones with `label`, `choice`, `spans` and the whole `content` that they leave
        the row with; as they are where the row can't be found any more."""
        ids = list(judged)
        for start in range(0, len(ids), TOGETHER):
            part = {row_id: judged[row_id] for row_id in ids[start : start + TOGETHER]}
            found = self._rows(part)
            for row_id, deeds in part.items():
                yield row_id, [self._whole(deed, found.get((self._version(deed), row_id)), rows) for deed in deeds]

    def _rows(self, judged: ByRow) -> dict[tuple[int, str], Row]:
        """(version, row id) → the row, for every accepted judgement."""
        wanted: dict[int, dict[str, None]] = {}
        for row_id, deeds in judged.items():
            for deed in deeds:
                if deed["status"] == ACCEPTED:
                    wanted.setdefault(self._version(deed), {})[row_id] = None
        found: dict[tuple[int, str], Row] = {}
        for version, ids in wanted.items():
            there = self.dataset.find(version, list(ids))
            added = [row_id for row_id in ids if row_id not in there]  # they waited then, and may be in a version now
            there |= self.dataset.find(None, [row_id for row_id in added if row_id not in self.added])
            there |= {row_id: self.added[row_id] for row_id in added if row_id in self.added}
            found |= {(version, row_id): row for row_id, row in there.items()}
        return found

    def _version(self, deed: Deed) -> int:
        version = deed.get("version")
        return version if version in self.dataset.versions() else self.dataset.latest

    def _whole(self, deed: Deed, row: Row | None, rows: ByRow) -> Deed:
        if deed["status"] != ACCEPTED or row is None:
            return deed
        known = int(self.dataset.version_info(self._version(deed)).get("reviews", 0))
        eye = Eye(deed.get("by", ""), bool(deed.get("blind")))
        seen = [each for each in eye.seen(rows[row.row_id]) if each["number"] <= int(deed.get("seen", 0))]
        left = change_of(seen, known).with_deed(deed).applied(row)
        made = dict(deed)
        if label := deed.get("label") or left.label or left.tags.get("label"):
            made["label"] = label
        if row.kind == "preference":
            made.setdefault("choice", "rejected" if swapped(seen) else "chosen")
        made.setdefault("spans", spans_of(left))
        return made | {"content": {name: value for name in CONTENTS if (value := getattr(left, name)) is not None}}


def swapped(deeds: Sequence[Deed]) -> bool:
    """Whether a row's two answers have changed places, as its last judgement chose the other one."""
    last = last_judgement(deeds) or {}
    return last.get("status") in (ACCEPTED, DRAFT) and last.get("choice") == "rejected"
