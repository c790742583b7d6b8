"""What an import would make of a file, shown on its first rows; nothing is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from studio.datasets.drafts import Drafter
from studio.datasets.formats import Guess, choose
from studio.datasets.intake import BadRecord, Ids, draft_of
from studio.datasets.readers import columns_of, open_reader, sample
from studio.datasets.rows import Row
from studio.datasets.turns import BadRow


@dataclass
class Preview:
    """The first rows as they would be learned, and the bad ones among them; sides are drawn at import only."""

    guess: Guess
    columns: list[str]
    unit: str
    notes: list[str]
    rows: list[Row] = field(default_factory=list)
    bad: list[BadRecord] = field(default_factory=list)


def preview(
    path: Path, mapping: list[str] | None = None, limit: int = 20, encoding: str = "auto", wanted: str = "auto"
) -> Preview:
    """The first `limit` records of a file. Raises as the import does for a file that can't be read or recognised."""
    reader = open_reader(path, encoding)
    records = sample(reader)
    columns = columns_of(records)
    shown = Preview(choose(columns, records, mapping or [], wanted), columns, reader.unit, reader.notes)
    drafter, ids = Drafter(shown.guess.mapping), Ids()
    for record in islice(reader.records(), limit):
        try:
            draft, digest = draft_of(record, drafter)
            row_id, _ = ids.give(digest, draft.key, record.line)
        except BadRow as error:
            shown.bad.append(BadRecord(record.line, str(error)))
            continue
        shown.rows.append(
            Row(
                row_id=row_id,
                kind=draft.kind,
                messages=draft.messages,
                tools=draft.tools,
                chosen=draft.chosen,
                rejected=draft.rejected,
                label=draft.label,
                text=draft.text,
                tags=draft.tags,
                source_file=path.name,
                source_line=record.line,
                extra=draft.extra,
            )
        )
    return shown
