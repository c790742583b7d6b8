"""The import as a job: its events, and that it never loads torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from studio import events, logs
from studio.commands import import_
from studio.datasets.store import Dataset
from studio.jobs import folder as job_folder

ROOT = Path(__file__).resolve().parents[2]


def run(folder):
    command = [sys.executable, "-X", "importtime", "-m", "backend.import_data", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ)


def job(workspace, source, **given):
    return job_folder.create(workspace, "import_data", {"source": str(source), "name": "set", **given})


def lines(folder):
    return logs.read(folder / events.EVENTS)[0]


def test_a_finished_import_tells_what_it_made(workspace, tmp_path):
    source = tmp_path / "a.jsonl"
    records = [{"prompt": f"q{n}", "completion": "" if n == 3 else "a"} for n in range(21)]
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    folder = job(workspace, source, skip_bad=True)
    done = run(folder)
    assert done.returncode == 0, done.stderr[-2000:]
    finished = lines(folder)[-1]
    assert finished["type"] == "finished"
    assert {key: finished[key] for key in ("name", "version", "format", "rows", "bad_rows", "counts")} == {
        "name": "set", "version": 1, "format": "prompt_completion", "rows": 20, "bad_rows": 1,
        "counts": {"train": 16, "validation": 2, "test": 2},
    }  # fmt: skip
    assert sum(1 for _ in Dataset.open(workspace, "set").rows()) == 20
    progress = logs.read(folder / events.METRICS)[0]
    assert progress[-1]["done"] == progress[-1]["total"] == source.stat().st_size
    # pyarrow looks for pandas by itself.
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "pyarrow" in loaded and not loaded & {"torch", "transformers", "gradio", "datasets"}


def test_a_file_imported_again_tells_what_is_new(workspace, tmp_path):
    source = tmp_path / "a.jsonl"
    kept = [{"prompt": f"q{n}", "completion": "a"} for n in range(5)]
    for records in (kept, [*kept[1:], {"prompt": "new", "completion": "a"}, {"prompt": "newer", "completion": "a"}]):
        source.write_text("".join(json.dumps(record) + "\n" for record in records))
        folder = job(workspace, source, split="train=1")
        assert run(folder).returncode == 0
    finished = lines(folder)[-1]
    assert finished["news"] == {"against": 1, "added": 2, "removed": 1, "changed": 0, "moved": 0, "unchanged": 4}
    said = import_.show(finished)
    assert "Against version 1, imported before: 2 added, 1 removed, 0 changed, 4 unchanged." in said
    assert "launch.py versions set --compare 1 2" in said


def test_a_failed_import_says_what_why_and_what_next_and_lists_the_rows(workspace, tmp_path):
    source = tmp_path / "a.jsonl"
    source.write_text('{"prompt": "q", "completion": "a"}\n{"prompt": "q"}\n')
    folder = job(workspace, source)
    assert run(folder).returncode == 1
    failed = lines(folder)[-1]
    assert failed["type"] == "failed"
    assert failed["what"] and failed["why"] and "--skip-bad" in failed["next"]
    assert failed["bad"] == [{"line": 2, "reason": "“completion” is missing"}]
    assert workspace.names("datasets") == []


def test_settings_that_can_not_be_used_end_it_in_words(workspace, tmp_path):
    folder = job(workspace, tmp_path / "none.csv", colour="red")
    run(folder)
    assert "colour" in lines(folder)[-1]["why"]


def test_asked_to_stop_it_leaves_nothing(workspace, tmp_path):
    source = tmp_path / "a.jsonl"
    source.write_text('{"prompt": "q", "completion": "a"}\n' * 100)
    folder = job(workspace, source)
    (folder / job_folder.STOP).touch()
    assert run(folder).returncode == 0
    assert [line["type"] for line in lines(folder)][-2:] == ["stopping", "stopped"]
    assert workspace.names("datasets") == []
