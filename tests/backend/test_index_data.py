"""The index as a job of its own: started by an import, killed and made again, asked for by the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from studio import logs
from studio.datasets.browsing.index import Index
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.jobs import folder as job_folder
from studio.jobs import follow, local
from studio.settings.importing import ImportSettings
from studio.workspace import Workspace

ROWS = 20_100


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A set just large enough, imported by its job, which starts the one for the index."""
    folder = tmp_path_factory.mktemp("large")
    source = folder / "a.csv"
    source.write_text("text,label\n" + "".join(f"Text number {n} of this,{'ab'[n % 2]}\n" for n in range(ROWS)))
    workspace = Workspace.open(folder / "workspace")
    settings = ImportSettings(source=str(source), name="large").model_dump(mode="json")
    job = job_folder.create(workspace, "import_data", settings, "large")
    follow.start_and_follow(workspace, job)
    return workspace


def index_jobs(workspace):
    return [path for path in sorted(workspace.jobs.iterdir()) if "index" in str(job_folder.read_settings(path)["job"])]


def index_job(workspace, version):
    """The one that indexes a version, which a freeze starts as the last thing it does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for job in index_jobs(workspace):
            if job_folder.read_settings(job)["version"] == version:
                return job
        time.sleep(0.05)
    raise AssertionError(f"no job indexes version {version}")


def wait(workspace, job):
    return follow.result(job, follow.follow(workspace, job))


def test_an_import_of_many_rows_starts_it(imported):
    (job,) = index_jobs(imported)
    result = wait(imported, job)
    assert (result["name"], result["version"], result["rows"]) == ("large", 1, ROWS) and result["bytes"] > 100_000
    dataset = Dataset.open(imported, "large")
    index = Index(dataset, 1)
    assert index.state(imported).state == "ready" and index.start(imported).state == "ready"
    page = dataset.page(1, 0, 5, search="NUMBER 1999", label="b", sort="-characters")
    assert (page.total, [row.source_line for row in page.rows][:2]) == (6, [19993, 19995])


def test_killed_and_made_again(imported):
    dataset = Dataset.open(imported, "large")
    index = Index(dataset, 1)
    for job in index_jobs(imported):
        wait(imported, job)
    for part in index.folder.glob("w*"):
        part.unlink()
    assert index.state(imported).state == "missing" and index.state(imported).columns
    state = index.start(imported)
    assert state.state == "building" and index.start(imported).job == state.job
    pid = next(line["pid"] for line in logs.read(imported.jobs / state.job / "events.jsonl")[0] if "pid" in line)
    os.kill(pid, signal.SIGKILL)
    for child in local._children:
        child.wait(30)
    if index.state(imported).state != "ready":  # else it was quicker than the signal
        assert index.state(imported).state == "missing"
        wait(imported, imported.jobs / index.start(imported).job)
    assert index.state(imported).state == "ready"


def test_the_command_makes_it_and_says_how_large_it_is(imported):
    dataset = Dataset.open(imported, "large")
    for job in index_jobs(imported):
        if job_folder.status(job) in ("running", "queued"):
            wait(imported, job)
    for part in Index(dataset, 1).folder.glob("w*"):
        part.unlink()
    command = [sys.executable, "launch.py", "index", "large", "--json", "--workspace", str(imported.root)]
    done = subprocess.run(command, cwd=local.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["rows"], told["version"]) == (ROWS, 1) and Index(dataset, 1).fulltext() is not None


def test_a_new_version_has_its_index_in_place_of_the_old_one(imported):
    dataset = Dataset.open(imported, "large")
    for job in index_jobs(imported):
        if job_folder.status(job) in ("running", "queued"):
            wait(imported, job)
    first = next(dataset.rows(1))
    Reviews(dataset).exclude(first.row_id)
    follow.start_and_follow(imported, job_folder.create(imported, "freeze", {"dataset": "large"}, "large"))
    frozen = Dataset.open(imported, "large")
    wait(imported, index_job(imported, 2))
    assert Index(frozen, 2).state(imported).state == "ready" and not Index(frozen, 1).folder.exists()
    assert frozen.page(2, 0, 5, search="Text number 0 of").total == 0
    assert frozen.page(1, 0, 5, search="Text number 0 of").total == 1
