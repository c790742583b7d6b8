"""backend/add_model.py as it runs, from a folder: a process of its own, killed, or beside another."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.add_model import ADDING, ask_for_room
from studio.errors import NoRoom
from studio.models import Model, list_models
from studio.workspace import Workspace
from tests.backend.adding import Worker, add, at
from tests.backend.adding import big as big
from tests.backend.adding import hub as hub
from tests.backend.fake_hub import FakeHub, Repo
from tests.tiny import tiny_model


def test_a_folder_is_copied_without_pickles_and_code(workspace: Workspace, tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "Mein Modell")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    (folder / "training_args.bin").write_bytes(b"\x80\x04.")
    (folder / "modeling_tiny.py").write_text("raise SystemExit")
    (folder / "README.md").write_text("---\nlicense: mit\nlanguage: [en, de]\n---\n")
    worker = Worker(workspace, str(folder))
    end = worker.end()
    assert (end["type"], end["name"], end["already"]) == ("finished", "Mein-Modell", False)
    model = Model.open(workspace, "Mein-Modell")
    assert end["parameters"] == model.parameters
    assert end["weights"] == model.weights_hash()
    assert (model.licence, model.languages, model.source["id"]) == ("mit", ("en", "de"), str(folder))
    kept = {file.name for file in model.path.iterdir()}
    assert kept == {
        "README.md", "config.json", "generation_config.json", "model.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    }  # fmt: skip
    assert "pytorch_model.bin" in worker.messages()
    assert (model.path / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_the_same_again_is_said_to_be_there_and_another_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    one, two = tiny_model(tmp_path / "one"), tiny_model(tmp_path / "two", seed=2)
    first = add(workspace, one, "mine")
    again = add(workspace, one, "mine")
    assert (again["type"], again["already"], again["weights"]) == ("finished", True, first["weights"])
    other = add(workspace, two, "mine")
    assert other["type"] == "failed"
    assert "another model called “mine”" in other["what"]
    assert "--name" in other["next"]
    assert Model.open(workspace, "mine").weights_hash() == first["weights"]


def test_a_folder_that_is_no_model_is_refused_and_leaves_nothing(workspace: Workspace, tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "bad")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    end = add(workspace, folder)
    assert end["type"] == "failed"
    assert "pickle" in end["why"]
    assert list_models(workspace) == []
    assert [path for path in (workspace.models / ADDING).iterdir() if path.is_dir()] == []


def test_a_base_model_is_taken_and_its_lack_of_a_template_told(workspace: Workspace, tmp_path: Path) -> None:
    worker = Worker(workspace, str(tiny_model(tmp_path / "base", template=None)))
    assert worker.end()["type"] == "finished"
    assert "no chat template" in worker.messages()


def test_two_at_once_do_not_meet(workspace: Workspace, hub: FakeHub, big: dict[str, bytes]) -> None:
    hub.repos["org/big"] = Repo(big)
    hub.hold["model.safetensors"] = 0
    first = Worker(workspace, "org/big", **at(hub))
    assert hub.held.wait(60)
    second = add(workspace, "org/big", **at(hub))
    assert (second["type"], second["what"]) == ("failed", "“big” is being added already.")
    hub.go.set()
    assert first.end()["type"] == "finished"


def test_a_full_disk_is_foreseen(tmp_path: Path) -> None:
    with pytest.raises(NoRoom, match="GB are free"):
        ask_for_room(tmp_path, 10**18, "it")


def test_what_a_killed_copy_left_is_cleared_by_the_next(workspace: Workspace, tmp_path: Path) -> None:
    left = workspace.models / ADDING / "tiny"
    left.mkdir(parents=True)
    (left / "model-00002-of-00002.safetensors").write_bytes(b"half")
    assert workspace.names("models") == []
    assert add(workspace, tiny_model(tmp_path / "tiny"))["type"] == "finished"
    assert not left.exists()
    assert not (workspace.models / "tiny" / "model-00002-of-00002.safetensors").exists()


def test_weights_are_the_same_by_hash_wherever_they_lie(workspace: Workspace, tmp_path: Path) -> None:
    one = tiny_model(tmp_path / "one")
    first, second = add(workspace, one, "first"), add(workspace, one, "second")
    assert first["weights"] == second["weights"]
