"""The workspace: opening, the trash, ids, strange folders."""

import json
import os

import pytest

from studio.errors import BadInput, Missing, NewerFormat, NotFound, Refused
from studio.workspace import FOLDERS, Workspace


def test_it_is_made_once_and_found_again(tmp_path):
    workspace = Workspace.open(tmp_path / "w")
    assert sorted(p.name for p in workspace.root.iterdir() if p.is_dir()) == sorted(FOLDERS)
    (workspace.runs / "r1").mkdir()
    assert Workspace.open(tmp_path / "w").names("runs") == ["r1"]


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.docx").write_text("x")
    with pytest.raises(Refused):
        Workspace.open(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.docx"]
    with pytest.raises(BadInput):
        Workspace.open(tmp_path / "thesis.docx")


def test_a_newer_workspace_is_refused(tmp_path):
    Workspace.open(tmp_path)
    (tmp_path / "workspace.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(NewerFormat):
        Workspace.open(tmp_path)


def test_deleted_items_come_back_the_latest_first(tmp_path):
    workspace = Workspace.open(tmp_path)
    for text in ("old", "new"):
        (workspace.runs / "r1").mkdir()
        (workspace.runs / "r1" / "note").write_text(text)
        workspace.delete("runs", "r1")
    assert workspace.names("runs") == [] and len(workspace.trashed()) == 2
    (workspace.trash / "strange").mkdir()  # something half-made hides nothing
    assert (workspace.restore("runs", "r1") / "note").read_text() == "new"
    with pytest.raises(Refused):
        workspace.restore("runs", "r1")
    assert workspace.empty_trash() == 2
    with pytest.raises(NotFound):
        workspace.restore("runs", "r2")


def test_what_is_not_there_is_named(tmp_path):
    workspace = Workspace.open(tmp_path)
    with pytest.raises(NotFound) as caught:
        workspace.folder("runs", "nothing")
    assert "nothing" in caught.value.what
    assert caught.value.as_dict()["missing"] == {"kind": "runs", "noun": "run", "name": "nothing", "deleted": None}
    for name in ("../models", "", "x" * 5000):
        with pytest.raises(Missing) as caught:
            workspace.folder("runs", name)
        assert len(caught.value.what) < 120


def test_what_was_deleted_is_told_from_what_never_was(tmp_path):
    workspace = Workspace.open(tmp_path)
    (workspace.evaluations / "e1").mkdir()
    workspace.delete("evaluations", "e1")
    with pytest.raises(Missing) as caught:
        workspace.folder("evaluations", "e1")
    assert caught.value.what == "The evaluation “e1” was deleted."
    assert caught.value.missing["deleted"] == workspace.trashed()[0].deleted


def test_ids_are_unique_and_allowed_names(tmp_path):
    workspace = Workspace.open(tmp_path)
    ids = set()
    for _ in range(50):
        ids.add(name := workspace.new_id("runs", "my-data"))
        (workspace.runs / name).mkdir()
    assert len(ids) == 50
