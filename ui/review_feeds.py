"""What the review queue reads and asks for. Who reviews is said by each request: `by`, and `blind` when they work so.

GET  /studio/datasets-review/NAME               guidelines, counts, reviewers, what can order and suggest; since= a
                                                review's number, the rows that changed since
GET  /studio/datasets-review/NAME/rows          the next rows of an order: show= order= run= source= stamp= from= limit=
GET  /studio/datasets-review/NAME/rows/ROW      one row
GET  /studio/datasets-review/NAME/rows/ROW/question?run=   what it asks the model of a run
GET  /studio/datasets-review/NAME/alike         rows like one row (row=), or that hold some words (find=)
GET  /studio/datasets-review/NAME/judgements.jsonl   everything reviewers said, to take away
GET  /studio/datasets-review/NAME/last          the reviewer's last judgement that stands, to be taken back
GET  /studio/datasets-review/NAME/agreement     how far reviewers agree
POST /studio/datasets-review/NAME/judge         {by, blind, items}: judgements and undos, each with what became of it
POST /studio/datasets-review/NAME/guidelines    {guidelines, seen}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Depends, Query
from starlette.responses import Response, StreamingResponse

from studio.errors import StudioError
from studio.workspace import Workspace
from ui import row_pictures
from ui.telling import words

if TYPE_CHECKING:
    from studio.datasets.reviewing.judgements import Eye
    from studio.datasets.reviewing.queue import Ask, Card, Queue
    from studio.datasets.rows import Row

Words = dict[str, Any]
MOST = 100
BESIDE = 280  # characters of a neighbour
TOLD = ("number", "by", "time", "status", "label", "choice", "ratings", "tags", "spans", "note", "blind", "key")


@dataclass
class Asked:
    """What a request says of its reviewer and their order."""

    by: str = ""
    blind: bool = False
    show: str = "pending"
    order: str = "file"
    run: str = ""
    source: str = ""
    stamp: int = 0

    def ask(self) -> Ask:
        from studio.datasets.reviewing.orders import ORDERS, Order
        from studio.datasets.reviewing.queue import PENDING, SHOWS, Ask

        order: Order = next((each for each in ORDERS if each == self.order), "file")
        show = self.show if self.show in SHOWS else PENDING
        return Ask(_eye(self.by, self.blind), show, order, self.run, self.source, self.stamp)


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace."""
    api = APIRouter(prefix="/studio/datasets-review")

    @api.get("/{name}")
    def about(name: str, asked: Annotated[Asked, Depends()], since: int = -1) -> Words:
        from studio.datasets.reviewing import orders, suggestions

        queue = _queue(workspace, name)
        found = queue.guidelines()
        return {
            "name": queue.dataset.name,
            "version": queue.dataset.latest,
            "kind": queue.dataset.version_info().get("kind", ""),
            "guidelines": found.model_dump(mode="json"),
            "counts": queue.counts(_eye(asked.by, asked.blind)),
            "reviewers": queue.reviewers(),
            "runs": orders.runs_with_losses(workspace, queue.dataset.name),
            "sources": suggestions.sources(workspace, queue.dataset, found),
            "last": queue.reviews.last(),
            "changed": queue.changed_since(since, _eye(asked.by, asked.blind)) if since >= 0 else [],
        }

    @api.get("/{name}/rows")
    def rows(
        name: str,
        asked: Annotated[Asked, Depends()],
        start: Annotated[int, Query(alias="from")] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 20,
    ) -> Words:
        queue = _queue(workspace, name)
        stretch = queue.stretch(asked.ask(), start, limit)
        counts = queue.counts(_eye(asked.by, asked.blind))
        return {
            "cards": [_card(card) for card in stretch.cards],
            "next": stretch.next,
            "end": stretch.end,
            "counts": counts,
        }

    @api.get("/{name}/rows/{row_id}")
    def one_row(name: str, row_id: str, asked: Annotated[Asked, Depends()]) -> Words:
        return _card(_queue(workspace, name).card(asked.ask(), row_id))

    @api.get("/{name}/rows/{row_id}/question")
    def question(name: str, row_id: str, run: str, asked: Annotated[Asked, Depends()]) -> Words:
        from studio import runs
        from studio.heldout import asked_of

        row = _queue(workspace, name).card(asked.ask(), row_id).row
        found = asked_of(workspace, runs.open_run(workspace, run), row)
        return {"messages": found and found.messages, "tools": found and found.tools}

    @api.get("/{name}/alike")
    def alike(name: str, asked: Annotated[Asked, Depends()], row: str = "", find: str = "") -> Words:
        from studio.datasets.browsing.similar import similar

        queue = _queue(workspace, name)
        if row:
            first = queue.card(asked.ask(), row)
            found = {each.row_id: each.share for each in similar(queue.dataset, first.row, MOST // 2)}
            shares = {row: 1.0} | found
        else:
            shares = {each.row_id: 0.0 for each in queue.dataset.page(None, 0, MOST // 2, find or None).rows}
        cards = queue.cards(asked.ask(), [(0, row_id) for row_id in shares])
        return {"cards": [_card(card) | {"share": shares[card.row.row_id]} for card in cards]}

    @api.get("/{name}/judgements.jsonl")
    def judgements(name: str) -> Response:
        from studio.datasets.reviewing import files
        from studio.datasets.rows import compact

        queue = _queue(workspace, name)
        stream = (f"{compact(line)}\n" for line in files.lines(queue))
        headers = {"Content-Disposition": f'attachment; filename="{queue.dataset.name}-judgements.jsonl"'}
        return StreamingResponse(stream, 200, headers, "application/jsonl")

    @api.get("/{name}/last")
    def last(name: str, asked: Annotated[Asked, Depends()]) -> Words:
        deed = _queue(workspace, name).last_of(_eye(asked.by, asked.blind).by) or {}
        return {name: deed.get(name) for name in ("key", "row")}

    @api.get("/{name}/agreement")
    def agreement(name: str) -> Words:
        from studio.datasets.reviewing.agreement import report

        queue = _queue(workspace, name)
        found = report(queue.independent())
        return found | {"conflicts": len(queue.conflicts()), "guidelines": queue.guidelines().model_dump(mode="json")}

    @api.post("/{name}/judge")
    def judge(name: str, body: Words = Body()) -> Words:  # noqa: B008
        queue = _queue(workspace, name)
        eye = _eye(str(body.get("by") or ""), bool(body.get("blind")))
        done = [_judged(queue, eye, item) for item in list(body.get("items") or [])[:MOST]]
        return {"items": done, "counts": queue.counts(eye)}

    @api.post("/{name}/guidelines")
    def save(name: str, body: Words = Body()) -> Words:  # noqa: B008
        from studio.datasets.reviewing.guidelines import save

        made = save(_queue(workspace, name).dataset, dict(body.get("guidelines") or {}), int(body.get("seen") or 0))
        return made.model_dump(mode="json")

    return api


def _queue(workspace: Workspace, name: str) -> Queue:
    from studio.datasets.reviewing.queue import Queue

    return Queue(workspace, name)


def _eye(by: str, blind: bool) -> Eye:
    from studio.datasets.reviewing.judgements import Eye

    return Eye.of(by, blind)


def _judged(queue: Queue, eye: Eye, item: Words) -> Words:
    """What became of one item; an error of one is no error of the others."""
    from studio.datasets.reviewing import judging
    from studio.datasets.reviewing.queue import Ask

    key = str(item.get("key", ""))
    try:
        if item.get("undo"):
            judging.take_back(queue, eye, str(item["undo"]), str(item.get("row", "")))
            return {"key": key}
        outcome = judging.judge(queue, eye, judging.read({name: item[name] for name in item if name != "made"}))
    except StudioError as error:
        return {"key": key, "error": words(error)}
    changed = queue.cards(Ask(eye, "all"), [(0, row_id) for row_id in outcome.conflicts])
    return {"key": key, "number": outcome.number, "conflicts": [_card(card) for card in changed]}


# ---- As the page draws it ----


def _card(card: Card) -> Words:
    from studio.datasets.spans import MARKED, spans_of

    spans = spans_of(card.row)
    return {
        "id": card.row.row_id,
        "place": card.place,
        "status": card.status,
        "seen": card.seen,
        "row": row_pictures.picture(card.row, card.change if card.change.number else None),
        "marked": spans,
        "extra": {
            name: row_pictures.cut(str(value), 400)
            for name, value in card.row.extra.items()
            if not (spans and name == MARKED)
        },
        "judgement": card.judgement and _told(card.judgement, card.row),
        "history": [_told(deed, card.row) for deed in card.history],
        "reasons": card.reasons,
        "suggestion": card.suggestion,
        "suggested_label": card.suggested_label,
        "before": card.before and _glimpse(card.before),
        "after": card.after and _glimpse(card.after),
        "parents": [_glimpse(parent) for parent in card.parents],
    }


def _told(deed: Mapping[str, Any], row: Row) -> Words:
    """A judgement without what the page does not show; `says` is the answer or label it would have."""
    told = {name: deed[name] for name in TOLD if name in deed}
    content = deed.get("content") or {}
    if content:
        turns = content.get("chosen") or content.get("messages") or [{}]
        says = content.get("label") or content.get("text") or turns[-1].get("content") or ""
        told["says"] = row_pictures.cut(str(says), 2000)
    return told


def _glimpse(row: Row) -> Words:
    """A row beside the one that is judged, in a few words."""
    turns = row.messages or []
    said = " · ".join(str(turn.get("content") or "") for turn in turns if turn["role"] != "system") or row.text or ""
    return {"id": row.row_id, "text": row_pictures.cut(said, BESIDE), "label": row.label, "line": row.source_line}
