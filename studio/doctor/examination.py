"""The doctor's round: every check taken over the rows, streamed, with progress by what is being looked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from studio.batches.tokenizer import ModelTokenizer
from studio.datasets.importing.uploads import Uploads
from studio.datasets.likeness import SAMPLE, common_among
from studio.datasets.reviewing.changes import Change
from studio.datasets.reviewing.judgements import ACCEPTED, last_judgement
from studio.datasets.reviewing.log import Deeds
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.doctor import languages, personal
from studio.doctor.amount import Amount
from studio.doctor.answers import Answers
from studio.doctor.benchmarks import Benchmarks, Probes
from studio.doctor.copies import Copies
from studio.doctor.findings import Check, Example, Finding, Found, Piece, in_words, whole
from studio.doctor.kinds import ordered
from studio.doctor.labels import Labels
from studio.doctor.letters import Letters
from studio.doctor.marks import Marks
from studio.doctor.reading import Reading
from studio.doctor.tokens import Tokens
from studio.doctor.turns import Turns
from studio.errors import StudioError
from studio.settings.doctor import DoctorSettings
from studio.workspace import Workspace

OFTEN = 64  # rows between two looks at the stop file
Progress = Callable[[int, int, str], None]


class Stopped(Exception):
    """Somebody asked to stop."""


@dataclass
class Examination:
    """What was found in the rows of a version.

    Attributes:
        findings: the gravest first.
        rows: rows that were looked at.
        table: kind, row id and the id it belongs with, a line for each row of each finding.
        country: whose phone numbers were looked for.
        notes: what was not looked for, and why.
        counts: of each row of the version how many tokens it has, -1 where that was not counted; None for none.
    """

    findings: list[Finding]
    rows: int
    table: pa.Table
    country: str
    notes: list[str] = field(default_factory=list)
    counts: npt.NDArray[np.int32] | None = None


TABLE = pa.schema([("kind", pa.string()), ("row_id", pa.string()), ("other_id", pa.string())])


class Round:
    """One examination of the latest version of a dataset, with what people did to its rows since.

    Args:
        tokenizer: in whose tokens rows are measured; None leaves that out.
        progress: told (rows done, rows, what is being done).
        should_stop: asked now and then.
    """

    def __init__(
        self,
        dataset: Dataset,
        settings: DoctorSettings,
        tokenizer: ModelTokenizer | None,
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> None:
        self.dataset = dataset
        self.version = dataset.latest
        self.total = int(dataset.version_info(self.version)["rows"])
        self.settings = settings
        self.tokenizer = tokenizer
        self.progress = progress
        self.should_stop = should_stop
        self.reviews = Reviews(dataset)
        self.changes = self.reviews.pending()
        self.notes: list[str] = []
        self.rows = 0
        self.counts: npt.NDArray[np.int32] | None = None

    def examine(self) -> Examination:
        """Looks at every row.

        Raises:
            Stopped: somebody asked to.
            StudioError: the rows or a benchmark file can't be read.
        """
        self.sample = list(self.dataset.sample(self.version, SAMPLE))
        self.country = self._country()
        found = self._looked()
        if self._wanted("tokens"):
            found += self._tokens()
        return self._told({each.kind: each for each in found})

    def _looked(self) -> list[Found]:
        """What every check found; what they remembered of each row is given up with them."""
        checks = list(self._checks())
        for reading in self.readings("Looking at each row"):
            self.rows += 1
            for check in checks:
                check.look(reading)
        return [each for check in checks for each in check.found()]

    def readings(self, what: str) -> Iterator[Reading]:
        """The rows as they shall be, those that are left out passed over."""
        for number, row in enumerate(self.dataset.rows(self.version)):
            if number % OFTEN == 0:
                if self.should_stop():
                    raise Stopped
                self.progress(number, self.total, what)
            change = self.changes.get(row.row_id)
            if change is None:
                yield Reading(number, row)
            elif not change.excluded:
                yield Reading(number, change.applied(row))
        self.progress(self.total, self.total, what)

    def _wanted(self, family: str) -> bool:
        return family not in self.settings.leave_out

    def _checks(self) -> Iterator[Check]:
        settings = self.settings
        made: dict[str, Callable[[], Check]] = {
            "answers": Answers,
            "turns": Turns,
            "marks": partial(Marks, self.tokenizer),
            "letters": Letters,
            "labels": Labels,
            "amount": partial(Amount, settings.goal),
            "personal": partial(personal.Personal, self.country),
            "languages": languages.Languages,
            "benchmarks": self._benchmarks,
            "probes": Probes,
            "copies": self._copies,
        }
        for family, make in made.items():
            if self._wanted(family) and (family != "benchmarks" or settings.benchmark):
                yield make()

    def _benchmarks(self) -> Benchmarks:
        with Uploads(Workspace(self.dataset.folder.parents[1])).scratch() as scratch:
            return Benchmarks(self.settings.benchmark, scratch)

    def _copies(self) -> Copies:
        common = common_among(self.sample)
        again = partial(self.readings, "Comparing rows that look alike")
        return Copies(self.settings.similarity, common, accepted(self.reviews), again)

    def _country(self) -> str:
        """The one named, else the one that most rows of a sample suggest by their language."""
        if self.settings.country != "auto" or not self._wanted("personal"):
            return self.settings.country if self.settings.country != "auto" else "US"
        spoken = Counter(languages.language(Reading(0, row).answer)[0] for row in self.sample[:: max(1, SAMPLE // 200)])
        del spoken[""]
        return personal.COUNTRIES.get(spoken.most_common(1)[0][0], "US") if spoken else "US"

    def _tokens(self) -> Iterable[Found]:
        if self.tokenizer is None:
            self.notes.append("No model is here yet, so rows were not measured in tokens.")
            return []
        tokens = Tokens(self.tokenizer, self.settings.cutoff, self.total)
        try:
            for _ in tokens.look_at(self.readings("Counting tokens")):
                continue
        except StudioError as error:
            self.notes.append(f"Rows were not measured in tokens: {error.what} {error.why} {error.next}")
            return []
        self.counts = None if self.changes else tokens.counts  # of the version as it is, not as it shall be
        return tokens.found()

    # ---- What is told ----

    def _told(self, found: dict[str, Found]) -> Examination:
        ids = pq.read_table(self.dataset.path(self.version), columns=["row_id"])["row_id"].combine_chunks()
        kinds = ordered(list(found))
        table = pa.concat_tables([_lines(found[kind], ids) for kind in kinds] or [TABLE.empty_table()])
        rows = self._read(
            {number for each in found.values() for example in each.examples for number in _of(example)}, ids
        )
        findings = [
            Finding(
                kind,
                in_words(found[kind], self.rows),
                len(found[kind]),
                {name: value for name, value in found[kind].facts.items() if name != "words"},
                [_shown(example, rows) for example in found[kind].examples if example.number in rows],
            )
            for kind in kinds
        ]
        return Examination(findings, self.rows, table, self.country, self.notes, self.counts)

    def _read(self, numbers: set[int], ids: Sequence[pa.StringScalar]) -> dict[int, Reading]:
        """The rows in these places."""
        wanted = {str(ids[number]): number for number in numbers}
        read = self.dataset.find(self.version, list(wanted)) if wanted else {}
        changed = {row_id: self.changes.get(row_id, Change()).applied(row) for row_id, row in read.items()}
        return {wanted[row_id]: Reading(wanted[row_id], row) for row_id, row in changed.items()}


def accepted(reviews: Reviews) -> set[str]:
    """The rows whose last judgement says that they are good."""

    def good(deeds: Deeds) -> bool | None:
        return (last_judgement(deeds) or {}).get("status") == ACCEPTED or None

    return set(reviews.log().fold(("accepted",), good))


def _of(example: Example) -> set[int]:
    return {example.number, example.other} - {-1}


def _lines(found: Found, ids: pa.StringArray) -> pa.Table:
    """The rows of one finding with their ids."""
    if not len(found):
        return TABLE.empty_table()
    others = pa.array(found.others, pa.int32())
    others = pa.compute.if_else(pa.compute.less(others, 0), pa.scalar(None, pa.int32()), others)
    columns = [pa.repeat(found.kind, len(found)), ids.take(pa.array(found.numbers, pa.int32())), ids.take(others)]
    return pa.table(columns, schema=TABLE)


def _shown(example: Example, rows: dict[int, Reading]) -> dict[str, object]:
    """An example for the page; where no culprit was marked, the row in short, with the one it belongs with."""
    reading = rows[example.number]
    other = rows.get(example.other)
    return {
        "row": reading.row.row_id,
        "split": reading.row.split,
        "pieces": list(map(_piece, example.pieces or whole(reading))),
        "other": other.row.row_id if other else None,
        "other_split": other.row.split if other else None,
        "beside": list(map(_piece, whole(other))) if other else [],
    }


def _piece(piece: Piece) -> dict[str, object]:
    return {"who": piece.who, "text": piece.text, "marks": [list(mark) for mark in piece.marks]}
