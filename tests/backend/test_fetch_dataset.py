"""Datasets of the hub, from a hub on loopback: configurations, splits, revisions, and what is refused."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio import events, logs, preferences
from studio.datasets.importing.uploads import Uploads
from studio.datasets.store import Dataset
from studio.jobs import folder as job_folder
from tests.backend import fake_hub
from tests.backend.fake_hub import COMMIT, FakeHub, Repo

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub.serving() as server:
        yield server


def parquet(start: int, count: int) -> bytes:
    out = io.BytesIO()
    rows = [{"prompt": f"question {n}", "completion": f"answer {n}"} for n in range(start, start + count)]
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def work(workspace: Any, hub: FakeHub, kind: str = "import_data", **given: Any) -> tuple[dict[str, Any], Path]:
    """Runs the job; its last event, and its folder."""
    settings = {"source": "hub:org/data", "name": "set", **given}
    folder = job_folder.create(workspace, kind, settings)
    environment = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_TOKEN": "hf_secret"}
    subprocess.run(
        [sys.executable, "-m", f"backend.{kind}", str(folder)], cwd=ROOT, env=os.environ | environment, check=False,
        capture_output=True,
    )  # fmt: skip
    return logs.read(folder / events.EVENTS)[0][-1], folder


def own(hub: FakeHub) -> None:
    """A repository with Parquet files of its own, in two configurations, as its card says."""
    files = {
        "en/train-00000-of-00002.parquet": parquet(0, 20), "en/train-00001-of-00002.parquet": parquet(20, 20),
        "en/test-00000-of-00001.parquet": parquet(40, 10), "de/train-00000-of-00001.parquet": parquet(100, 5),
        "README.md": b"# data", "load.py": b"print('never run')",
    }  # fmt: skip
    splits = [{"split": "train", "path": "en/train-*"}, {"split": "test", "path": "en/test-*"}]
    configs = [
        {"config_name": "en", "data_files": splits},
        {"config_name": "de", "data_files": "de/*.parquet"},
    ]  # fmt: skip
    hub.repos["datasets/org/data"] = Repo(files, card={"configs": configs, "license": "cc-by-4.0"})


def test_a_configuration_is_fetched_and_its_splits_become_the_sides(workspace, hub):
    own(hub)
    end, folder = work(workspace, hub, config="en", revision="v1")
    assert (end["type"], end["rows"], end["counts"]) == ("finished", 50, {"train": 40, "validation": 0, "test": 10}), (
        end
    )
    dataset = Dataset.open(workspace, "set")
    rows = {row.messages[0]["content"]: row for row in dataset.rows()}
    assert (rows["question 45"].split, rows["question 21"].source_file) == ("test", "train-0002.parquet")
    source = dataset.version_info()["source"]
    assert source["origin"] == (f"Hugging Face hub: org/data, configuration en, revision {COMMIT}, licence cc-by-4.0")
    assert not any(path.is_dir() for path in folder.iterdir())
    asked = [path for path, _, _ in hub.requests]
    assert "/api/datasets/org/data/revision/v1" in asked and not any("load.py" in path for path in asked)
    assert {token for _, _, token in hub.requests} == {"Bearer hf_secret"}
    assert "hf_secret" not in "".join(path.read_text() for path in folder.iterdir() if path.is_file())


def test_one_split_is_drawn_like_a_file(workspace, hub):
    own(hub)
    end, _ = work(workspace, hub, config="en", hub_split="train")
    assert end["counts"] == {"train": 32, "validation": 4, "test": 4}


def test_the_page_fetches_into_an_upload(workspace, hub):
    own(hub)
    end, _ = work(workspace, hub, "fetch_dataset", config="de")
    uploads = Uploads(workspace)
    assert [path.name for path in uploads.paths(end["upload"])] == ["train-0001.parquet"]
    assert "org/data, configuration de" in uploads.origin(end["upload"])


def test_what_the_hub_converted_is_taken_where_there_is_no_parquet(workspace, hub):
    converted = Repo({"plain/train/0000.parquet": parquet(0, 10), "plain/partial-test/0000.parquet": parquet(50, 3)})
    hub.repos["datasets/org/data"] = Repo({"data.csv": b"a,b\n"}, branches={"refs/convert/parquet": converted})
    end, _ = work(workspace, hub)
    assert end["counts"] == {"train": 10, "validation": 0, "test": 3}


def test_of_a_revision_only_its_own_files_are_taken_and_the_converted_ones_by_their_branch(workspace, hub):
    converted = Repo({"plain/train/0000.parquet": parquet(0, 10)})
    hub.repos["datasets/org/data"] = Repo({"data.csv": b"a,b\n"}, branches={"refs/convert/parquet": converted})
    end, _ = work(workspace, hub, revision="v1")
    assert end["what"] == "org/data can't be imported from the hub at that revision."
    assert "of its newest state only" in end["why"] and "refs/convert/parquet" in end["next"]
    end, _ = work(workspace, hub, revision="refs/convert/parquet")
    assert (end["type"], end["rows"]) == ("finished", 10)


REFUSED = {
    "no such dataset": ({}, {}, "There is no dataset org/data"),
    "no such revision": ({"a.parquet": parquet(0, 3)}, {"revision": "v9"}, "no revision “v9”"),
    "no such split": ({"train.parquet": parquet(0, 3)}, {"hub_split": "dev"}, "has: train"),
    "no such configuration": ({"train.parquet": parquet(0, 3)}, {"config": "fr"}, "There are: default"),
    "a program": ({"make.py": b"import os"}, {}, "runs no code"),
    "csv only": ({"data/a.csv": b"a,b\n"}, {}, "Download its files (data/a.csv"),
}


@pytest.mark.parametrize("split", ["../../../../../evil", "/evil", "a\\b", "a/b"])
@pytest.mark.parametrize("kind", ["import_data", "fetch_dataset"])
def test_a_split_that_leads_elsewhere_is_refused(workspace, hub, split, kind):
    configs = [{"config_name": "default", "data_files": [{"split": split, "path": "d/*"}]}]
    hub.repos["datasets/org/data"] = Repo({"d/a.parquet": parquet(0, 3)}, card={"configs": configs})
    end, _ = work(workspace, hub, kind)
    assert end["type"] == "failed" and split in end["why"], end
    assert not list(workspace.root.parent.rglob("*evil*")) and not list(workspace.root.rglob("*.parquet*"))


def test_no_file_is_written_outside_its_folder(tmp_path, hub, monkeypatch):
    from backend.hub import HubFile, Listing, fetch
    from studio.errors import Refused

    folder = tmp_path / "inner"
    folder.mkdir()
    listing = Listing("org/data", COMMIT, (HubFile("a.parquet", 3, "", "../evil"),), "", (), "dataset")
    with pytest.raises(Refused):
        fetch(listing, folder, lambda *_: None, lambda: None)
    assert list(tmp_path.iterdir()) == [folder] and not hub.requests


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_fetched_is_said_in_words(workspace, hub, case):
    files, given, words = REFUSED[case]
    if files:
        hub.repos["datasets/org/data"] = Repo(files)
    end, _ = work(workspace, hub, **given)
    assert end["type"] == "failed" and words in f"{end['what']} {end['why']} {end['next']}"
    assert end["what"] and end["why"] and end["next"]
    assert workspace.names("datasets") == []


def test_a_damaged_file_is_refused(workspace, hub):
    own(hub)
    hub.spoil.add("de/train-00000-of-00001.parquet")
    end, _ = work(workspace, hub, config="de")
    assert end["type"] == "failed" and "arrived damaged" in end["what"]


def test_offline_asks_nothing(workspace, hub):
    own(hub)
    preferences.write(workspace, preferences.Preferences(offline=True))
    end, _ = work(workspace, hub, config="de")
    assert end["type"] == "failed" and "stay offline" in end["why"] and hub.requests == []
