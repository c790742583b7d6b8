"""What is drawn at an import keeps labels in balance and documents whole."""

from __future__ import annotations

import json
from collections import Counter

from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset
from studio.settings.importing import ImportSettings


def counts(workspace, tmp_path, rows, name="set"):
    source = tmp_path / f"{name}.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_file(workspace, ImportSettings(source=str(source), name=name))
    return Counter((row.split, row.label) for row in Dataset.open(workspace, name).rows())


def test_every_label_is_held_out_in_its_share(workspace, tmp_path):
    """Sixty rows of five labels: by chance alone some label would have no row in the score."""
    rows = [{"text": f"message number {n}", "label": "abcde"[n % 5]} for n in range(60)]
    found = counts(workspace, tmp_path, rows)
    assert {(side, sum(found[side, label] for label in "abcde")) for side in ("train", "validation", "test")} == {
        ("train", 48), ("validation", 6), ("test", 6),
    }  # fmt: skip
    assert all(found["test", label] in (1, 2) for label in "abcde")
    assert counts(workspace, tmp_path, list(reversed(rows)), "again") == found


def test_documents_that_are_there_stay_whole_where_they_are(workspace, tmp_path):
    """A passage more in each, and one document more: each goes on as one, and the new one fills up the shares."""
    folder = tmp_path / "docs"
    folder.mkdir()

    def sides(documents, passages):
        for n in range(documents):
            text = "\n\n".join(f"# Part {k}\n\nPassage {k} of document {n}." for k in range(passages))
            (folder / f"{n}.md").write_text(text)
        import_file(workspace, ImportSettings(source=str(folder), name="docs", chunk=50, overlap=0))
        found = {}
        for row in Dataset.open(workspace, "docs").rows():
            found.setdefault(row.source_file, set()).add(row.split)
        assert all(len(each) == 1 for each in found.values())
        return found

    before = sides(10, 3)
    after = sides(14, 5)
    assert {name: after[name] for name in before} == before and len(after) == 14


def test_of_few_documents_it_is_said_that_they_are_parted(workspace, tmp_path):
    for n in range(3):
        text = "\n\n".join(f"# Part {k}\n\nPassage {k} of document {n}." for k in range(6))
        (tmp_path / f"{n}.md").write_text(text)
    files = [str(tmp_path / f"{n}.md") for n in range(3)]
    for few in (1, 2, 3):
        made = import_file(workspace, ImportSettings(source=files[:few], name=f"docs{few}", chunk=50, overlap=0))
        told = [note for note in made.info["notes"] if "parts of the same document" in note]
        assert len(told) == (few < 3), made.info["notes"]


def test_documents_that_were_parted_are_whole_again_among_many(workspace, tmp_path):
    for n in range(12):
        text = "\n\n".join(f"# Part {k}\n\nPassage {k} of document {n}." for k in range(10))
        (tmp_path / f"{n:02}.md").write_text(text)
    files = [str(path) for path in sorted(tmp_path.glob("*.md"))]
    for sources in (files[:2], files):
        import_file(workspace, ImportSettings(source=sources, name="docs", chunk=50, overlap=0))
    docs = Dataset.open(workspace, "docs")
    held_out = {row.row_id for side in ("validation", "test") for row in docs.rows(1, split=side)}
    assert held_out and all(row.split != "train" for row in docs.rows(2) if row.row_id in held_out)
    assert Counter(len({row.split for row in docs.rows(2) if row.source_file == name}) for name in
                   {row.source_file for row in docs.rows(2)}) == {1: 12}  # fmt: skip
    assert docs.counts(2) == {"train": 90, "validation": 10, "test": 20}


def test_many_labels_are_drawn_as_they_come(workspace, tmp_path):
    rows = [{"text": f"message number {n}", "label": f"label {n // 2}"} for n in range(400)]
    found = counts(workspace, tmp_path, rows)
    assert sum(count for (side, _), count in found.items() if side == "test") == 40
