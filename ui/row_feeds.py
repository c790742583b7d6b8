"""The rows of a dataset, for the Data page.

GET  /studio/datasets/NAME/rows?start=&find=&…      a page of rows, to be shown; how it stands with the index
GET  /studio/datasets/NAME/rows/ROW                 one row, its neighbours among those that match
GET  /studio/datasets/NAME/rows/ROW/tokens          the row in the tokens of a model, each with what becomes of it
GET  /studio/datasets/NAME/choices                  what rows can be filtered and sorted by
POST /studio/datasets/NAME/index                    starts making the version quick to sort and search

Rows are chosen by `find`, `side` (train, validation, test, changed, excluded), `label`, `tags` (domain=law&tone=dry),
`file` and `sorted`, all of which may be combined.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends

from studio.errors import StudioError
from studio.workspace import Workspace
from ui import row_pictures
from ui.dataset_access import listing, models, opened, reviews, tokenizer
from ui.telling import words

if TYPE_CHECKING:
    from studio.datasets.browsing.listing import Listing, Wanted

PAGE = 20
LONGEST_TEXT = 200_000  # characters of a text shown in tokens
MOST_CHOICES = 200  # values of a label or tag that are offered
LONGEST_WAIT = 1.0
Words = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """Which rows, in which order, as the address has it."""

    find: str = ""
    side: str = ""
    label: str = ""
    tags: str = ""
    file: str = ""
    sorted: str = ""

    def wanted(self, rows: Listing) -> Wanted:
        return rows.wanted(self.find, self.side, self.label, dict(parse_qsl(self.tags)), self.file, self.sorted)


Chosen = Annotated[Asked, Depends(Asked)]


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace."""
    api = APIRouter(prefix="/studio/datasets")

    @api.get("/{name}/rows")
    def rows(name: str, asked: Chosen, version: int | None = None, start: int = 0, wait: float = 0.0) -> Words:
        from studio.datasets.browsing.listing import PATIENCE

        found = listing(opened(workspace, name), version)
        start = max(0, start)
        page = found.page(asked.wanted(found), start, PAGE, min(LONGEST_WAIT, max(PATIENCE, wait)))
        changes = found.pending.changes
        return {
            "rows": [row_pictures.picture(row, changes.get(row.row_id), short=True) for row in page.rows],
            "total": page.total,
            "exact": page.exact,
            "start": start,
            "page": PAGE,
            "index": found.index.state(workspace)._asdict(),
        }

    @api.get("/{name}/rows/{row_id}")
    def one_row(name: str, row_id: str, asked: Chosen, version: int | None = None) -> Words:
        from studio.datasets.browsing.listing import PATIENCE

        dataset = opened(workspace, name)
        row = dataset.row(version, row_id)
        log = reviews(dataset)
        seen = log.number_of(row_id)  # before the change is read, so that none comes between unseen
        found = listing(dataset, version)
        change = found.pending.changes.get(row_id)
        place = found.place(asked.wanted(found), row_id, PATIENCE)
        return {
            "row": row_pictures.picture(row, change),
            "last": {"number": change.number, "by": log.made_by(change.number)} if change else None,
            "seen": seen,
            "raw": row_pictures.raw(row),
            "place": {
                "number": place.number,
                "total": place.total,
                "exact": place.exact,
                "previous": place.previous,
                "next": place.next,
            },
            "version": version or dataset.latest,
            "latest": dataset.latest,
            "models": models(workspace),
            "labels": _labels(found) if row.kind == "label" and found.quick(workspace) else [],
        }

    @api.get("/{name}/rows/{row_id}/tokens")
    def tokens(
        name: str,
        row_id: str,
        model: str,
        version: int | None = None,
        cutoff: int = 1024,
        learn: Literal["all", "last"] = "all",
        template: str = "",
    ) -> Words:
        from studio.batches.tokenizer import built_in_templates
        from studio.batches.view import token_view

        dataset = opened(workspace, name)
        row = dataset.row(version, row_id)
        change = listing(dataset, version).pending.changes.get(row_id)
        row = change.applied(row) if change else row
        part = len(row.text or "") > LONGEST_TEXT
        try:
            seen = replace(row, text=(row.text or "")[:LONGEST_TEXT]) if part else row
            pieces = token_view(tokenizer(workspace, model, template), seen, loss_on=learn, cutoff=max(1, cutoff))
        except StudioError as error:
            advice = {"template": "Choose one of the studio’s own templates beside the model."}
            return {"error": words(error, advice), "templates": built_in_templates() if error.field else []}
        return {
            "pieces": pieces,
            "part": part,
            "templates": built_in_templates() if template else [],
        }

    @api.get("/{name}/choices")
    def choices(name: str, version: int | None = None) -> Words:
        from studio.datasets.browsing.lengths import counted

        found = listing(opened(workspace, name), version)
        if not found.quick(workspace):
            return {"label": [], "tags": {}, "file": [], "tokens": [], "ready": False}
        columns = found.now()
        groups = columns.groups(MOST_CHOICES)
        label = groups.pop("label", [])
        return {
            "label": label,
            "tags": groups,
            "file": columns.frequent("file")[:MOST_CHOICES],
            "tokens": counted(found.dataset, found.version),
            "ready": True,
        }

    @api.post("/{name}/index")
    def index(name: str, version: int | None = None) -> Words:
        found = opened(workspace, name).listing(version)
        return found.index.start(workspace)._asdict()

    return api


def _labels(found: Listing) -> list[str]:
    """The labels that rows have, the most frequent first; none where there are too many to choose from."""
    labels = found.now().frequent("label")
    return [label for label, _ in labels] if len(labels) <= MOST_CHOICES else []
