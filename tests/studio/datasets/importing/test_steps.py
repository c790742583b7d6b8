"""The import: exact, repeatable, refused in words, and never half done."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.datasets.importing import steps
from studio.datasets.importing.intake import BadRows
from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset, list_datasets
from studio.datasets.versions.publishing import Stopped, hold
from studio.errors import Broken, Busy, NoRoom, StudioError
from studio.settings.importing import ImportSettings
from studio.workspace import Workspace

ROOT = Path(__file__).resolve().parents[4]


def write(path: Path, records: list[dict]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def pairs(count: int, **more) -> list[dict]:
    return [{"prompt": f"question {n}", "completion": f"answer {n}", **more} for n in range(count)]


def bring(workspace: Workspace, source: Path, name: str = "set", **given) -> Dataset:
    import_file(workspace, ImportSettings(source=str(source), name=name, **given))
    return Dataset.open(workspace, name)


def left_over(workspace: Workspace) -> list[str]:
    """What lies beside the datasets, but for the locks."""
    return [path.name for path in workspace.datasets.iterdir() if not path.name.endswith(".lock")]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_dataset_is_made_whole(workspace, tmp_path):
    source = write(tmp_path / "mails.jsonl", pairs(100, id=7, domain="law"))
    source.chmod(0o444)
    seen = []
    made = import_file(workspace, ImportSettings(source=str(source), name="mails"), lambda *step: seen.append(step))
    assert made.as_dict() == {
        "name": "mails", "version": 1, "format": "prompt_completion", "kind": "chat", "rows": 100, "bad_rows": 0,
        "counts": {"train": 80, "validation": 10, "test": 10},
        "reasons": ["“prompt” asks and “completion” answers"], "notes": [],
    }  # fmt: skip
    dataset = Dataset.open(workspace, "mails")
    rows = list(dataset.rows())
    assert [row.source_line for row in rows] == list(range(1, 101))
    assert rows[3].messages == [
        {"role": "user", "content": "question 3"}, {"role": "assistant", "content": "answer 3"},
    ]  # fmt: skip
    assert (rows[3].tags, rows[3].extra, rows[3].source_file) == ({"domain": "law"}, {"id": 7}, "mails.jsonl")
    assert (dataset.folder / "source" / "0001" / "mails.jsonl").read_bytes() == source.read_bytes()
    assert seen[-1][0] == seen[-1][1] == source.stat().st_size
    assert left_over(workspace) == ["mails"]


CHAT = '[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]'


def sheet(*rows, merge="") -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    if merge:
        book.active.merge_cells(merge)
    book.save(out)
    return out.getvalue()


def parquet(records) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), out)
    return out.getvalue()


WIDE = [f"c{n}" for n in range(5000)]
BAD = {
    "empty": ("a.csv", b"", "empty"),
    "header only": ("a.csv", b"prompt,completion\n", "no rows"),
    "empty array": ("a.json", b"[]", "no rows"),
    "truncated json": ("a.json", b'[{"prompt": "a", "completion": "b"}, {"prompt": "c', "row 2"),
    "truncated jsonl": ("a.jsonl", b'{"prompt": "a", "completion": "b"}\n{"prompt": "c"', "line 2"),
    "truncated parquet": ("a.parquet", parquet(pairs(50))[:-20], "cut off"),
    "truncated xlsx": ("a.xlsx", sheet(["prompt", "completion"], ["a", "b"])[:-60], "cut off"),
    "windows letters": ("a.csv", "prompt,completion\nä,ö\n".encode("cp1252"), "--encoding cp1252"),
    "utf-16 without mark": ("a.csv", "prompt,completion\na,b\n".encode("utf-16-le"), "utf-16-le"),
    "nul byte": ("a.jsonl", b'{"prompt": "a", "completion": "b"}\n' * 500 + b'{"prompt": "\0"}\n', "Line 501"),
    "spreadsheet named csv": ("a.csv", sheet(["x", "y"], ["a", "b"], ["c", "d"]), "“x”, “y”"),
    "merged cells": ("a.xlsx", sheet(["prompt", "completion"], ["a", "b"], [None, "c"], merge="A2:A3"), "A2:A3"),
    "mixed shapes": ("a.json", b'[{"prompt": "a", "completion": "b"}, 7, ["x"], {"y": 1}]', "row 2: it is a number"),
    "column half missing": (
        "a.jsonl", b'{"prompt": "a", "completion": "b"}\n{"prompt": "c"}\n' * 150, "150 lines (2, 4, 6, 8, 10, …)",
    ),
    "all bad": ("a.jsonl", b'{"messages": [{"role": "user", "content": "only"}]}\n' * 3, "None of the 3 rows"),
    "no such meaning": ("a.csv", b"left,right\n" + b"some words,other words\n" * 5, "--map user=left"),
    "wide and meaningless": ("a.csv", ",".join(WIDE).encode() + b"\n" + b"x," * 4999 + b"x\n", "“c19” and 4,980 more"),
    "ragged": ("a.csv", b"prompt,completion\na,b\nc\n", "line 3: it has 1 cell"),
    "open quote": ("a.csv", b'prompt,completion\na,b\n"c,d\n', "never closed"),
    "doubled name": ("a.csv", b"prompt,prompt\na,b\n", "2 times"),
    "deep nesting": ("a.jsonl", b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}\n", "nested too deeply"),
    "picture": (
        "a.jsonl",
        b'{"messages": [{"role": "user", "content": [{"type": "image"}]}, {"role": "assistant", "content": "x"}]}\n',
        "a picture",
    ),
    "column oriented": ("a.json", b'{"prompt": {"0": "a"}, "completion": {"0": "b"}}', "orient"),
    "mapping to nothing": ("a.csv", b"prompt,completion\na,b\n", "no column “body”"),
    "packed": ("a.csv.gz", b"\x1f\x8b\x08" + bytes(40), "Unpack"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_explained_and_leaves_nothing(workspace, tmp_path, case):
    name, content, words = BAD[case]
    source = tmp_path / name
    source.write_bytes(content)
    bring(workspace, write(tmp_path / "good.jsonl", pairs(5)), "good")
    before = tree(workspace.datasets / "good")
    mapping = ["user={body}"] if case == "mapping to nothing" else []
    for target in ("fresh", "good"):
        with pytest.raises(StudioError) as caught:
            bring(workspace, source, target, mapping=mapping)
        error = caught.value
        assert type(error) is not StudioError
        assert error.what and error.why and error.next
        assert words in str(error)
        assert left_over(workspace) == ["good"]
    assert tree(workspace.datasets / "good") == before


def test_bad_rows_are_listed_and_left_out_only_by_consent(workspace, tmp_path):
    records = pairs(3000)
    for number in range(0, 2400, 2):
        records[number]["completion"] = ""
    source = write(tmp_path / "a.jsonl", records)
    with pytest.raises(BadRows) as caught:
        bring(workspace, source)
    error = caught.value
    assert "1,200 of the 3,000 rows" in error.what and "--skip-bad" in error.next
    assert error.count == 1200 and len(error.bad) == 1000
    assert error.as_dict()["bad"][1] == {"line": 3, "reason": "“completion” is empty"}
    info = bring(workspace, source, skip_bad=True).version_info()
    assert (info["rows"], info["bad_rows"], len(info["bad"])) == (1800, 1200, 1000)
    assert info["bad"][0] == {"line": 1, "reason": "“completion” is empty"}


ROWS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=ROWS, seed=st.integers(0, 2**63 - 1), data=st.data())
def test_ids_are_unique_whatever_the_order_and_equal_rows_share_a_side(tmp_path, texts, seed, data):
    workspace = Workspace.open(Path(tempfile.mkdtemp(dir=tmp_path)))  # of every example its own: none goes on with one
    shuffled = data.draw(st.permutations(texts))
    found = []
    for name, given_texts in (("one", texts), ("other", shuffled)):
        source = write(tmp_path / "a.jsonl", [{"prompt": "q", "completion": text} for text in given_texts])
        rows = list(bring(workspace, source, name, seed=seed).rows())
        assert len({row.row_id for row in rows}) == len(texts)
        found.append({(row.row_id, row.messages[-1]["content"], row.split) for row in rows})
        sides = {(row.messages[-1]["content"], row.split) for row in rows}
        assert len(sides) == len(set(texts))
        if len(set(texts)) >= 3:
            assert {side for _, side in sides} == {"train", "validation", "test"}
    assert found[0] == found[1]


def test_equal_rows_are_counted_in_their_ids(workspace, tmp_path):
    source = write(tmp_path / "a.jsonl", [{"prompt": "q", "completion": "a", "n": n} for n in range(3)] + pairs(1))
    ids = [row.row_id for row in bring(workspace, source).rows()]
    assert ids[1:3] == [f"{ids[0]}-2", f"{ids[0]}-3"]


def test_importing_again_makes_a_version_with_the_same_ids_and_never_touches_the_old(workspace, tmp_path):
    source = write(tmp_path / "a.jsonl", pairs(50))
    dataset = bring(workspace, source)
    first = {(row.row_id, row.split) for row in dataset.rows(1)}
    before = tree(dataset.folder)
    write(source, [*pairs(50), {"prompt": "new", "completion": "row"}])
    again = bring(workspace, source, mapping=["user=Q: {prompt}", "system=Be kind."])
    assert again.versions() == [1, 2]
    assert {row.row_id for row in again.rows(2)} > {row_id for row_id, _ in first}
    after = tree(again.folder)
    assert {name: after[name] for name in before if name != "dataset.json"} == {
        name: data for name, data in before.items() if name != "dataset.json"
    }
    assert again.info["versions"][0] == dataset.info["versions"][0]


def test_with_a_key_an_id_survives_a_change_of_its_row(workspace, tmp_path):
    records = [{"id": f"T-{n}", "prompt": f"q{n}", "completion": "a"} for n in range(5)]
    ids = [row.row_id for row in bring(workspace, write(tmp_path / "a.jsonl", records), mapping=["key=id"]).rows()]
    records[2]["completion"] = "better"
    changed = bring(workspace, write(tmp_path / "a.jsonl", records[::-1]), mapping=["key=id"])
    assert [row.row_id for row in changed.rows()] == ids[::-1]


def test_a_key_twice_or_missing_is_a_bad_row(workspace, tmp_path):
    records = [{"id": "1"}, {"id": "2"}, {"id": 1}, {"id": None}]
    source = write(tmp_path / "a.jsonl", [record | pair for record, pair in zip(records, pairs(4), strict=True)])
    with pytest.raises(BadRows) as caught:
        bring(workspace, source, mapping=["key=id"])
    assert [item.line for item in caught.value.bad] == [3, 4]
    assert "stands at 1 already" in caught.value.bad[0].reason


def test_a_split_column_is_honoured_unless_shares_are_given(workspace, tmp_path):
    sides = ["train", "Training", "dev", "val", "held-out", "test"]
    source = write(tmp_path / "a.jsonl", [pair | {"split": side} for pair, side in zip(pairs(6), sides, strict=True)])
    rows = list(bring(workspace, source).rows())
    assert [row.split for row in rows] == ["train", "train", "validation", "validation", "test", "test"]
    assert rows[0].extra == {}
    drawn = bring(workspace, source, split="train=0.5,test=0.5")
    assert drawn.counts() == {"train": 3, "validation": 0, "test": 3}
    assert next(drawn.rows()).extra == {"split": "train"}


def test_a_split_column_that_was_named_must_name_sides(workspace, tmp_path):
    source = write(tmp_path / "a.jsonl", [*pairs(2, part="train"), *pairs(1, part="elsewhere")])
    with pytest.raises(BadRows, match="“elsewhere”"):
        bring(workspace, source, mapping=["split=part"])


def test_many_batches_are_as_one(workspace, tmp_path, monkeypatch):
    source = write(tmp_path / "a.jsonl", pairs(100))
    whole = list(bring(workspace, source).rows())
    monkeypatch.setattr("studio.datasets.versions.writer.BATCH_ROWS", 7)
    assert list(bring(workspace, source).rows()) == whole


def test_five_thousand_columns(workspace, tmp_path):
    path = tmp_path / "wide.csv"
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["prompt", "completion", *(f"c{n}" for n in range(4998))])
        table.writerows([f"q{n}", f"a{n}", *["value"] * 4998] for n in range(300))
    rows = list(bring(workspace, path).rows())
    assert len(rows) == 300 and len(rows[0].extra) == 4998


def test_an_encoding_that_is_named_is_used(workspace, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("prompt;completion\nGrüße;schön\n".encode("cp1252"))
    (row,) = bring(workspace, path, encoding="cp1252").rows()
    assert row.messages[1]["content"] == "schön"


def test_two_imports_at_once_on_one_name(workspace, tmp_path):
    source = write(tmp_path / "a.jsonl", pairs(3))
    with hold(workspace, "set") as scratch:
        with pytest.raises(Busy, match="under way"):
            bring(workspace, source)
        bring(workspace, source, "other")
        assert scratch.is_dir()
    bring(workspace, source)


def test_stopping_leaves_nothing(workspace, tmp_path):
    source = write(tmp_path / "a.jsonl", pairs(2000))
    calls = iter(range(100))
    with pytest.raises(Stopped):
        import_file(workspace, ImportSettings(source=str(source), name="set"), None, lambda: next(calls) >= 4)
    assert left_over(workspace) == []


def test_too_little_space_is_said_before_anything_is_written(workspace, tmp_path, monkeypatch):
    source = write(tmp_path / "a.jsonl", pairs(3))
    monkeypatch.setattr(steps.shutil, "disk_usage", lambda path: steps.shutil._ntuple_diskusage(1, 1, 0))
    with pytest.raises(NoRoom):
        bring(workspace, source)
    assert left_over(workspace) == []


def test_a_damaged_dataset_is_not_written_over(workspace, tmp_path):
    source = write(tmp_path / "a.jsonl", pairs(3))
    folder = bring(workspace, source).folder
    (folder / "dataset.json").write_text('{"format": 1, "ver')
    before = tree(folder)
    with pytest.raises(Broken):
        bring(workspace, source)
    assert tree(folder) == before
    assert list_datasets(workspace)[0]["error"]["next"]


def test_what_a_killed_import_left_unpublished_is_cleared_away(workspace, tmp_path):
    source = write(tmp_path / "a.jsonl", pairs(30))
    folder = bring(workspace, source).folder
    (folder / "versions" / "0002.parquet").write_bytes(b"torn")
    (folder / "source" / "0002").mkdir()
    (folder / "source" / "0002" / "other.csv").write_text("half")
    (workspace.datasets / ".gone.importing").mkdir()
    assert bring(workspace, source).versions() == [1, 2]
    assert len(list(Dataset.open(workspace, "set").rows(2))) == 30
    assert left_over(workspace) == ["set"]


CHILD = """
import sys, resource
from pathlib import Path
from studio.datasets.importing.steps import import_file
from studio.errors import explain
from studio.settings.importing import ImportSettings
from studio.workspace import Workspace
workspace, source, limit = sys.argv[1:]
if int(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    settings = ImportSettings(source=source, name="set")
    import_file(Workspace(Path(workspace)), settings, lambda *step: print(step, flush=True))
except Exception as error:
    print("ended:", type(error).__name__, explain(error), flush=True)
"""  # fmt: skip


def child(workspace: Workspace, source: Path, limit: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(workspace.root), str(source), str(limit)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and file size limits are POSIX")
@pytest.mark.parametrize("existing", [False, True])
def test_a_kill_at_any_moment_leaves_no_half_dataset(workspace, tmp_path, existing):
    source = write(tmp_path / "a.jsonl", pairs(4000))
    before = tree(bring(workspace, source).folder) if existing else {}
    chance = random.Random(5)
    for _ in range(4):
        process = child(workspace, source)
        for _ in range(chance.randint(1, 18)):
            assert process.stdout and process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        names = workspace.names("datasets")
        assert names in ([], ["set"])
        if names:  # the kill may come too late: then the version is whole
            dataset = Dataset.open(workspace, "set")
            assert all(len(list(dataset.rows(version))) == 4000 for version in dataset.versions())
        for name, data in before.items():
            assert name == "dataset.json" or (workspace.datasets / "set" / name).read_bytes() == data
    dataset = bring(workspace, source)
    assert len(list(dataset.rows())) == 4000
    assert left_over(workspace) == ["set"]
    stems = {path.stem for path in (dataset.folder / "versions").iterdir()}
    assert stems == {f"{version:04}" for version in dataset.versions()}


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and file size limits are POSIX")
@pytest.mark.parametrize("limit", [1_000, 120_000])
def test_a_write_that_fails_leaves_nothing(workspace, tmp_path, limit):
    """The copy of the source fails at the first limit, the scratch file at the second."""
    noise = random.Random(1)
    source = write(
        tmp_path / "a.jsonl", [{"prompt": noise.randbytes(40).hex(), "completion": "x"} for _ in range(1000)]
    )
    assert 110_000 < source.stat().st_size < 120_000
    bring(workspace, write(tmp_path / "b.jsonl", pairs(5)), "good")
    process = child(workspace, source, limit)
    out, _ = process.communicate()
    assert "ended: OSError" in out
    assert left_over(workspace) == ["good"]
    assert [item["rows"] for item in list_datasets(workspace)] == [5]
