"""studio/diagnosis.py: what `launch.py check` tells."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from studio import diagnosis
from studio.diagnosis import NEEDS, Package, diagnose, in_words, look_at_methods, look_at_packages
from studio.models import Model
from studio.workspace import Workspace
from tests.studio.test_machine import GPU, made
from tests.tiny import tiny_model


def snapshot(folder: Path) -> dict[str, tuple[float, int]]:
    return {str(path): (path.stat().st_mtime, path.stat().st_size) for path in folder.rglob("*")}


def test_nothing_is_changed_and_nothing_made(tmp_path: Path) -> None:
    place = tmp_path / "new"
    result = diagnose(place).as_dict()
    assert result["workspace"] == {"path": str(place), "exists": False}
    assert not place.exists()
    assert "will be made when first needed" in in_words(result)


def test_a_workspace_is_counted_and_its_broken_models_named(workspace: Workspace) -> None:
    tiny_model(workspace.models / "good")
    (tiny_model(workspace.models / "bad") / "tokenizer.json").unlink()
    (workspace.models / ".adding").mkdir()
    (workspace.models / ".adding" / "x.part").write_bytes(bytes(5000))
    before = snapshot(workspace.root)
    result = diagnose(workspace.root).as_dict()
    assert snapshot(workspace.root) == before
    assert (result["workspace"]["models"], result["workspace"]["unfinished_downloads"]) == (2, 5000)
    assert [problem["what"] for problem in result["problems"]] == ["The model bad: bad has no tokenizer."]
    text = in_words(json.loads(json.dumps(result)))
    assert "2 models, 5 kB of unfinished downloads" in text
    assert "1 problem" in text
    assert Model.open(workspace, "good").name == "good"


def test_a_workspace_of_a_newer_studio_is_told(workspace: Workspace) -> None:
    (workspace.root / "workspace.json").write_text('{"format": 99}')
    assert "newer studio" in diagnose(workspace.root).as_dict()["problems"][0]["what"]


def test_packages_are_compared_with_what_was_tested(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\ndependencies = ["numpy>=1,<99", "psutil>=7,<8", "pydantic>=99", "no-such-thing>=1"]\n'
    )
    (tmp_path / "constraints.txt").write_text(f"# tested\nnumpy=={version('numpy')}\npsutil==7.0.1\n")
    found = {package.name: package.state for package in look_at_packages(tmp_path)}
    assert found == {"numpy": "tested", "psutil": "untested", "pydantic": "unfit", "no-such-thing": "missing"}
    problems = diagnose(tmp_path / "w", tmp_path).as_dict()["problems"]
    assert problems[0]["what"].startswith("2 packages missing or of a version that does not fit")
    assert "no-such-thing is missing" in problems[0]["why"]


def test_every_method_is_told_of_and_needs_declared_packages() -> None:
    needed = look_at_packages(diagnosis.ROOT)
    assert {name for names in NEEDS.values() for name in names} <= {package.name for package in needed}
    for here in (made(), made(gpus=(GPU,)), made(apple_silicon=True)):
        methods = look_at_methods(here, needed)
        assert [method.method for method in methods] == ["lora", "dora", "qlora", "full"]
        assert all(method.works and method.remark for method in methods)
    slow = next(method for method in look_at_methods(made(), needed) if method.method == "qlora")
    assert "saves memory, not time" in slow.remark


def test_a_method_without_its_package_does_not_work() -> None:
    needed = tuple(
        Package(name, None if name == "bitsandbytes" else "1", "1", "missing" if name == "bitsandbytes" else "tested")
        for name in NEEDS["qlora"]
    )
    found = {method.method: method for method in look_at_methods(made(), needed)}
    assert found["lora"].works and not found["qlora"].works
    assert "bitsandbytes" in found["qlora"].remark


def test_a_small_machine_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poor = made(memory=4_000_000_000, disk_free=1_000_000_000, gpus=(GPU,), torch="2.13.0+cpu")
    monkeypatch.setattr(diagnosis, "machine", lambda place: poor)
    result = diagnose(tmp_path).as_dict()
    told = [problem["what"] for problem in result["problems"]]
    assert told == [
        "The GPU (NVIDIA Test) will not be used.",
        "There is little memory.",
        "There is little room on the disk.",
    ]
    assert "training runs on the CPU" in in_words(result)


def test_a_driver_that_is_too_old_for_torch_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "machine", lambda place: made(gpus=(GPU,), torch_cuda="13.0", driver_cuda=12))
    result = diagnose(tmp_path).as_dict()
    (problem,) = result["problems"]
    assert "NVIDIA Test" in problem["what"] and "driver for CUDA 13" in problem["why"]
    assert "Update NVIDIA's driver" in problem["next"] and "training runs on the CPU" in in_words(result)
