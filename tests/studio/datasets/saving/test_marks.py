"""Marked words go into every form that a version is saved in, and come back by an import at the same words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.datasets.importing.steps import import_file
from studio.datasets.rows import SCHEMA, Row, to_columns
from studio.datasets.saving import downloads
from studio.datasets.spans import MARKED, spans_of
from studio.datasets.store import Dataset
from studio.settings.importing import ImportSettings
from studio.workspace import Workspace
from tests.sets import make_set

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=30).filter(
    lambda text: text.strip() == text and text[:1] not in "[{"
)
ENDINGS = {"messages": "jsonl", "alpaca": "jsonl", "sharegpt": "jsonl", "csv": "csv", "parquet": "parquet"}


def turn(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


@st.composite
def rows(draw: Callable[..., Any], kind: str) -> dict[str, Any]:
    """A row of some turns, with a mark or two in one of its texts."""
    turns = [turn("system", draw(WORDS))] if draw(st.booleans()) else []
    turns.append(turn("user", draw(WORDS)))
    row: dict[str, Any] = {"kind": kind, "messages": turns}
    if kind in ("chat", "feedback"):
        turns.append(turn("assistant", draw(WORDS)))
    if kind == "chat" and draw(st.booleans()):
        turns += [turn("user", draw(WORDS)), turn("assistant", draw(WORDS))]
    if kind == "preference":
        row |= {"chosen": [turn("assistant", "A" + draw(WORDS))], "rejected": [turn("assistant", "B" + draw(WORDS))]}
    if kind == "feedback":
        row["label"] = draw(st.sampled_from(["true", "false"]))
    if kind == "label":
        row["label"] = draw(st.sampled_from(["yes", "no"]))
    if kind == "text":
        row = {"kind": kind, "text": draw(WORDS)}
    places = [("text", None, row["text"])] if kind == "text" else [
        (of, at, one["content"]) for of in ("messages", "chosen", "rejected") for at, one in enumerate(row.get(of, []))
    ]  # fmt: skip
    marks = []
    for _ in range(draw(st.integers(0, 2))):
        of, at, text = draw(st.sampled_from(places))
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        marks.append({"of": of, "at": at, "start": start, "end": end, "label": draw(WORDS), "text": text[start:end]})
    return row | ({MARKED: marks} if marks else {})


def saved(dataset: Dataset, form: str, path: Path) -> Path:
    if form == "parquet":
        path.write_bytes(dataset.path().read_bytes())
    else:
        stream = downloads.table(dataset) if form == "csv" else downloads.jsonl(dataset, None, form)
        path.write_bytes(b"".join(stream))
    return path


def marked(row: Row) -> list[tuple[str, Any]]:
    """Each mark with the very words it stands at now."""
    held = {"text": [row.text], "messages": row.messages, "chosen": row.chosen, "rejected": row.rejected}
    found = []
    for span in spans_of(row):
        where = held[span["of"]][span["at"] or 0]
        text = where if span["of"] == "text" else where["content"]
        found.append((text[span["start"] : span["end"]], span))
    return found


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        (kind, form)
        for kind in ("chat", "label", "feedback", "preference", "text")
        for form in ENDINGS
        if (kind, form) != ("text", "sharegpt")  # which has no place for raw text
    ],
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_they_come_back_from_every_form(kind: str, form: str, data: st.DataObject) -> None:
    made = data.draw(st.lists(rows(kind), min_size=3, max_size=5, unique_by=json.dumps))
    with TemporaryDirectory() as folder:
        workspace = Workspace.open(Path(folder) / "w")
        dataset = make_set(workspace, "one", made)
        path = saved(dataset, form, Path(folder) / f"back.{ENDINGS[form]}")
        wanted = "text" if kind == "text" else "auto"
        import_file(workspace, ImportSettings(source=str(path), name="two", read_as=wanted, keep_equal=True))
        back = list(Dataset.open(workspace, "two").rows())
        assert [marked(row) for row in back] == [marked(row) for row in dataset.rows()]
        assert all(words == span["text"] for row in back for words, span in marked(row))


CALL = {"type": "function", "function": {"name": "find", "arguments": {}}}


def test_a_form_that_counts_turns_otherwise_leaves_them_behind_and_says_so(workspace: Workspace) -> None:
    said = [turn("user", "Find both."), turn("assistant", "") | {"tool_calls": [CALL, CALL]}, turn("tool", "1"),
            turn("assistant", "Anna has them.")]  # fmt: skip
    mark = {"of": "messages", "at": 3, "start": 0, "end": 4, "label": "Person", "text": "Anna"}
    alone = [turn("user", "Anna?"), turn("assistant", "Here.")]
    dataset = make_set(workspace, "one", [
        {"messages": said, MARKED: [mark]}, {"messages": alone, MARKED: [mark | {"at": 0}]},
    ])  # fmt: skip
    first, second = downloads.records(dataset.rows(), "sharegpt")
    assert MARKED not in first and second[MARKED][0]["text"] == "Anna"
    (told,) = downloads.left(dataset, None, "sharegpt").words()
    assert told.startswith("The marked words of 1 row stay behind") and "several tools" in told
    assert not downloads.left(dataset, None, "messages").words()


@pytest.mark.parametrize("held", ["words", '[{"of": 3}]', "[{", '["a"]', '[{"a":' * 5000])
def test_a_column_of_that_name_with_something_else_stays_as_it_came(
    workspace: Workspace, tmp_path: Path, held: str
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"question": "q", "answer": "a", MARKED: held}) + "\n")
    import_file(workspace, ImportSettings(source=str(tmp_path / "a.jsonl"), name="one"))
    (row,) = Dataset.open(workspace, "one").rows()
    assert row.extra[MARKED] == held and not spans_of(row)


def test_marks_whose_words_stand_elsewhere_are_not_taken_up(workspace: Workspace, tmp_path: Path) -> None:
    mark = {"of": "messages", "at": 0, "start": 0, "end": 4, "label": "Person", "text": "Anna"}
    records = [{"question": f"{name} is here", "answer": "a", MARKED: [mark]} for name in ("Anna", "Otto")]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    import_file(workspace, ImportSettings(source=str(tmp_path / "a.jsonl"), name="one"))
    anna, otto = Dataset.open(workspace, "one").rows()
    assert spans_of(anna) == [mark] and MARKED not in otto.extra


@pytest.mark.parametrize(("start", "end", "text"), [(-7, 4, "Anna"), (2, 2, ""), (4, 0, "")])
def test_marks_on_no_words_are_not_taken_up(
    workspace: Workspace, tmp_path: Path, start: int, end: int, text: str
) -> None:
    mark = {"of": "messages", "at": 0, "start": start, "end": end, "label": "Person", "text": text}
    record = {"question": "Anna is", "answer": "a", MARKED: [mark]}
    (tmp_path / "a.jsonl").write_text(json.dumps(record))
    import_file(workspace, ImportSettings(source=str(tmp_path / "a.jsonl"), name="one"))
    assert all(MARKED not in row.extra for row in Dataset.open(workspace, "one").rows())


@pytest.mark.parametrize("change", [{"kind": "letter"}, {"kind": None}, {"messages": "[" * 100_000}, {"tags": "[1]"}])
def test_a_row_that_is_none_is_told_and_the_others_come(workspace: Workspace, tmp_path: Path, change: Any) -> None:
    good = [to_columns(Row(f"r{n}", "chat", [turn("user", f"q{n}"), turn("assistant", "a")])) for n in range(2)]
    pq.write_table(pa.Table.from_pylist([good[0], good[1] | change], SCHEMA), tmp_path / "a.parquet")
    import_file(workspace, ImportSettings(source=str(tmp_path / "a.parquet"), name="one", skip_bad=True))
    entry = Dataset.open(workspace, "one").version_info()
    assert entry["rows"] == 1 and entry["bad_rows"] == 1
