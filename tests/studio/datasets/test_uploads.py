"""Uploads are kept until their import is done, and never leave their folder."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.datasets.uploads import KEPT_SECONDS, LONGEST_NAME, Uploads, safe_name
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
    assert uploads.path(upload).name == "a.csv" and uploads.path(upload).read_text() == "x"
    assert workspace.names("jobs") == []
    uploads.discard(upload)
    with pytest.raises(NotFound, match="gone"):
        uploads.path(upload)


@pytest.mark.parametrize("upload", ["", "..", "../..", "0" * 15, "0" * 16, "/etc", "Z" * 16])
def test_other_ids_lead_nowhere(uploads, upload):
    with pytest.raises(NotFound):
        uploads.path(upload)


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


@given(st.text(max_size=300))
def test_any_name_becomes_one_that_can_be_written(name):
    made = safe_name(name)
    assert made and len(made.encode()) <= LONGEST_NAME and made not in (".", "..")
    assert not set(made) & set('/\\\0<>:"|?*\n')


def test_the_ending_stays():
    assert safe_name("x" * 5000 + ".jsonl").endswith("x.jsonl")
    assert safe_name("C:\\Users\\me\\Meine Daten (2).csv") == "Meine Daten (2).csv"
    assert safe_name("../../etc/passwd") == "passwd"
