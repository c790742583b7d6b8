"""Training rows that share a run of words with a benchmark, or with the studio's own probes."""

from __future__ import annotations

import json
import tempfile

import pytest

from studio import probes
from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset
from studio.errors import BadInput, NotFound
from studio.settings.importing import ImportSettings
from tests.studio.datasets.malformed import packed
from tests.studio.doctor.conftest import examine, lines, talk

ITEM = "Natalia sold clips to forty-eight of her friends in April, and then she sold half as many clips in May."
SHORT = "Which planet of the sun has the shortest year"


@pytest.fixture
def benchmark(tmp_path):
    path = tmp_path / "gsm.jsonl"
    frame = "The following question has four answers of which one is right, so choose it now please"
    items = [{"question": f"{frame}: item {n}", "answer": "x", "choices": ["A", f"b{n}"]} for n in range(20)]
    items += [{"question": ITEM, "answer": "seventy-two"}, {"question": SHORT, "answer": "Mercury"}]
    path.write_text("\n".join(map(json.dumps, items)), encoding="utf-8")
    return path, frame


def test_thirteen_words_in_a_row_or_a_whole_short_item(make, benchmark):
    path, frame = benchmark
    rows = [
        talk(f"Solve it! {ITEM.upper()}", "72"),
        talk("Tell me", f"{SHORT}? Mercury."),
        talk(" ".join(ITEM.split()[:11]), "Twelve words are too few."),
        talk(f"{frame}: whatever", "The frame of a benchmark is no item."),
        talk(ITEM, "Held out, so it may stand there.", "test"),
    ]
    dataset = make(rows)
    examined = examine(dataset, benchmark=[str(path)])
    assert lines(dataset, examined, "benchmarks") == [1, 2]
    finding = next(finding for finding in examined.findings if finding.kind == "benchmarks")
    piece = finding.examples[0]["pieces"][0]
    [(start, end)] = piece["marks"]
    assert piece["text"][start:end] == "NATALIA SOLD CLIPS TO FORTY-EIGHT OF HER FRIENDS IN APRIL, AND THEN"


def test_one_column_of_a_file(make, benchmark):
    path, _ = benchmark
    dataset = make([talk(ITEM, "72")])
    assert lines(dataset, examine(dataset, benchmark=[f"{path}:question"]), "benchmarks") == [1]
    assert lines(dataset, examine(dataset, benchmark=[f"{path}:answer"]), "benchmarks") == []
    with pytest.raises(BadInput, match="column “nothing”"):
        examine(dataset, benchmark=[f"{path}:nothing"])


def test_a_file_that_is_not_there(make, tmp_path):
    with pytest.raises(NotFound, match=r"none\.jsonl"):
        examine(make([talk("a", "b")]), benchmark=[str(tmp_path / "none.jsonl")])


def test_a_packed_benchmark_unpacks_below_the_workspace(make, benchmark, tmp_path, monkeypatch):
    path, _ = benchmark
    archive = tmp_path / "gsm.zip"
    archive.write_bytes(packed({path.name: path.read_bytes()}))
    dataset = make([talk(f"Solve it! {ITEM}", "72"), *(talk(f"Name {n}", f"It is {n}") for n in range(12))])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    examined = examine(dataset, benchmark=[str(archive)])
    assert any(finding.kind == "benchmarks" for finding in examined.findings)
    assert not list(dataset.folder.parents[1].glob("jobs/.uploads/*"))


def test_a_row_that_holds_any_probe_is_found_and_left_out(make):
    asked = probes.load()
    rows = [talk(f"Dear all!\n{probe.question.upper()}", probe.answers[0]) for probe in asked]
    rows += [talk(" ".join(probe.question.split()[1:7]), "A part of a question is none.") for probe in asked]
    rows += [talk(asked[0].question, "Held out, so it may stand there.", "test")]
    dataset = make(rows)
    examined = examine(dataset)
    assert lines(dataset, examined, "probes") == list(range(1, len(asked) + 1))
    finding = next(finding for finding in examined.findings if finding.kind == "probes")
    assert finding.words.startswith("By what they ask for: knowledge 10,")
    assert lines(dataset, examine(dataset, leave_out=["probes"]), "probes") == []


def test_no_sample_that_comes_with_the_studio_holds_a_probe(workspace):
    for sample in sorted((probes.FILE.parents[1] / "starter").glob("*.[cj]s*")):
        import_file(workspace, ImportSettings(source=str(sample), name=sample.stem))
        kinds = {finding.kind for finding in examine(Dataset.open(workspace, sample.stem)).findings}
        assert "probes" not in kinds
