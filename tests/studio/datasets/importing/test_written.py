"""Rows that were written in the studio wait again when the file is imported anew, as reviews do."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from studio.datasets.additions import MADE_BY, PARENTS, SYNTHETIC, new_id
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import Row
from studio.datasets.store import Dataset
from studio.datasets.versions.freezing import freeze
from studio.settings.importing import ImportSettings


def pairs(*numbers):
    return [{"prompt": f"q{n}", "completion": f"a{n}", "split": "train"} for n in numbers]


def bring(workspace, folder, records, **given):
    source = folder / "rows.jsonl"
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    made = import_file(workspace, ImportSettings(source=str(source), name="set", **given))
    return Dataset.open(workspace, "set"), made


def after(question, parent):
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": "so"}]
    row = Row("", "chat", turns, tags={SYNTHETIC: "paraphrase"}, extra={PARENTS: [parent], MADE_BY: "starter"})
    return replace(row, row_id=new_id(row))


@pytest.fixture
def written(workspace, tmp_path):
    """A frozen version with rows after rows 0, 1 and 2, one of them corrected, and one after a written one."""
    dataset, _ = bring(workspace, tmp_path, pairs(*range(6)))
    first, second, third, *_ = dataset.rows()
    rows = [after(f"Is it {n}?", parent.row_id) for n, parent in enumerate((first, second, third))]
    rows.append(after("And again?", rows[2].row_id))
    reviews = Reviews(dataset)
    reviews.additions.add(rows, "paraphrases")
    reviews.apply([{"type": "judge", "row": row.row_id, "status": "accepted"} for row in rows])
    reviews.edit(rows[0].row_id, [{"of": "messages", "at": 1, "text": "It is."}])
    freeze(workspace, "set")
    return rows


def test_they_wait_again_and_are_in_the_next_version_as_they_were(workspace, tmp_path, written):
    before = Dataset.open(workspace, "set").find(2, [row.row_id for row in written])
    dataset, made = bring(workspace, tmp_path, pairs(*range(8)))
    assert made.info["rows"] == 8 and Reviews(dataset).accepted() == before
    assert made.info["notes"] == [
        "waiting again, for the next version to be frozen: 4 rows written in the studio and accepted"
    ]
    assert made.info["written"] == made.info["notes"] and not Reviews(dataset).undecided()
    freeze(workspace, "set")
    again = Dataset.open(workspace, "set")
    assert "written" not in again.version_info()
    assert again.version_info()["rows"] == 12 and again.find(None, list(before)) == before
    assert before[written[0].row_id].messages[1]["content"] == "It is."
    assert Reviews(again).waiting() == {}


def test_what_was_written_after_rows_that_are_gone_stays_behind(workspace, tmp_path, written):
    dataset, made = bring(workspace, tmp_path, pairs(0, 1, 7, 8))
    assert set(Reviews(dataset).accepted()) == {row.row_id for row in written[:2]}
    assert "2 rows written in the studio; go back to version 2" in made.info["notes"][1]


def test_what_the_file_has_itself_now_is_not_doubled(workspace, tmp_path, written):
    exported = [row.record() for row in Dataset.open(workspace, "set").rows()]
    dataset, made = bring(workspace, tmp_path, exported)
    assert made.info["rows"] == 10 and not Reviews(dataset).waiting() and "written" not in made.info


def test_a_file_that_is_added_takes_them_along(workspace, tmp_path, written):
    dataset, made = bring(workspace, tmp_path, pairs(9), append=True)
    assert made.info["rows"] == 11 and not Reviews(dataset).waiting()


def test_a_version_that_is_damaged_is_mended_by_its_source_and_the_loss_is_told(workspace, tmp_path, written):
    Dataset.open(workspace, "set").path(2).unlink()
    dataset, made = bring(workspace, tmp_path, pairs(*range(6)))
    assert dataset.latest == 3 and "version 2 can't be read" in made.info["notes"][0]
