"""Uploads are kept until their import is done, and never leave their folder."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.datasets.importing.uploads import KEPT_SECONDS, LONGEST_NAME, Uploads, safe_name
from studio.errors import NotFound
from studio.jobs import folder as job_folder
from studio.logs import Log


@pytest.fixture
def uploads(workspace):
    return Uploads(workspace)


def put(uploads, name="a.csv"):
    upload, path = uploads.new(name)
    path.write_text("x")
    return upload


def test_a_file_is_found_by_its_id_and_is_no_job(uploads, workspace):
    upload = put(uploads)
    assert uploads.paths(upload)[0].name == "a.csv" and uploads.paths(upload)[0].read_text() == "x"
    assert workspace.names("jobs") == []
    uploads.discard(upload)
    with pytest.raises(NotFound, match="gone"):
        uploads.paths(upload)


@pytest.mark.parametrize("upload", ["", "..", "../..", "0" * 15, "0" * 16, "/etc", "Z" * 16])
def test_other_ids_lead_nowhere(uploads, upload):
    with pytest.raises(NotFound):
        uploads.paths(upload)


def test_sweeping_keeps_what_is_wanted(uploads, workspace):
    fresh, old, done, reading = (put(uploads) for _ in range(4))
    for upload, ending in ((done, "finished"), (reading, None)):
        job = job_folder.create(workspace, "import_data", {"source": "x", "name": "n"})
        uploads.used_by(upload, job)
        if ending:
            with Log(job / "events.jsonl") as log:
                log.append(ending)
    for upload in (old, reading):
        past = time.time() - KEPT_SECONDS - 60
        os.utime(uploads.folder / upload, (past, past))
    uploads.sweep()
    assert {place.name for place in uploads.folder.iterdir()} == {fresh, reading}


def test_what_is_unpacked_is_gone_afterwards_or_after_a_day(uploads):
    with uploads.scratch() as scratch:
        (scratch / "a.csv").write_text("x")
        uploads.sweep()
        assert scratch.is_dir()
    assert not list(uploads.folder.iterdir())
    killed = uploads.scratch()
    left = killed.__enter__()
    past = time.time() - KEPT_SECONDS - 60
    os.utime(left.parent, (past, past))
    uploads.sweep()
    assert not list(uploads.folder.iterdir()) and killed


@given(st.text(max_size=300))
def test_any_name_becomes_one_that_can_be_written(name):
    made = safe_name(name)
    assert made and len(made.encode()) <= LONGEST_NAME and made not in (".", "..")
    assert not set(made) & set('/\\\0<>:"|?*\n')


def test_the_ending_stays():
    assert safe_name("x" * 5000 + ".jsonl").endswith("x.jsonl")
    assert safe_name("C:\\Users\\me\\Meine Daten (2).csv") == "Meine Daten (2).csv"
    assert safe_name("../../etc/passwd") == "passwd"


def test_several_files_lie_side_by_side_under_their_names(workspace):
    uploads = Uploads(workspace)
    upload, path = uploads.new("a.csv")
    path.write_text("x")
    for name in ("a.csv", "../b.csv"):
        again, path = uploads.new(name, upload)
        path.write_text("y")
        assert again == upload
    assert [path.name for path in uploads.paths(upload)] == ["a (2).csv", "a.csv", "b.csv"]
    assert uploads.origin(upload) == ""
    uploads.note_origin(upload, "from somewhere")
    assert uploads.origin(upload) == "from somewhere" and len(uploads.paths(upload)) == 3
