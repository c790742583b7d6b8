"""backend/add_model.py as it runs, from the hub: cut off, refused, stopped, killed, and gone on with."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest

from backend.add_model import ADDING
from studio.jobs import folder as job_folder
from studio.models import Model, list_models
from studio.workspace import Workspace
from tests.backend.adding import Worker, add, at, until
from tests.backend.adding import big as big
from tests.backend.adding import hub as hub
from tests.backend.fake_hub import COMMIT, FakeHub, Repo, files_of


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
