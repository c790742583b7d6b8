from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from studio import exports, migrate
from studio.errors import NotFound, Refused
from studio.jobs import folder as job_folder
from studio.logs import Log
from studio.workspace import Workspace
from tests.tiny import tiny_tokenizer

CARD = """\
# desk

```python
base = "tiny"  # the base model: its id on the hub or its folder
folder = "."  # the folder of this card
model = load(base, folder)
```
"""


def export(workspace: Workspace, to: str = "adapter", equal: bool = True) -> Path:
    folder = job_folder.create(workspace, "export", {"run": "gone", "to": to})
    model = tiny_tokenizer(folder / (to if equal else f"{to}-differs"))
    (model / "README.md").write_text(CARD, encoding="utf-8")
    (model / "weights.safetensors").write_bytes(bytes(range(256)) * 9000)
    from tokenizers import Tokenizer

    said = Tokenizer.from_file(str(model / "tokenizer.json")).encode("Paris").ids
    row = {"result": "equal" if equal else "different", "prompt": "?", "expected": said, "got": said[:1], "gap": None}
    migrate.save(folder / "parity.json", "parity", {"equal": equal, "tolerance": 1e-3, "rows": [row]})
    with Log(folder / "events.jsonl") as log:
        log.append("starting", pid=0)
        log.append("finished") if equal else log.append("failed", what="It differs.", why="", next="")
    return folder


def test_the_list_says_which_answered_alike(workspace: Workspace) -> None:
    good, bad = export(workspace), export(workspace, "merged", equal=False)
    found = {item["id"]: item for item in exports.list_exports(workspace)}
    assert (found[good.name]["same"], found[good.name]["agreed"], found[good.name]["replayed"]) == (True, 1, 1)
    assert (found[bad.name]["same"], found[bad.name]["agreed"], found[bad.name]["status"]) == (False, 0, "failed")
    assert found[bad.name]["model"].endswith("merged-differs")
    assert found[good.name]["bytes"] > 256 * 9000
    (good / "settings.json").unlink()
    assert exports.summary(workspace, good)["status"] == "broken"


def test_replayed_prompts_are_shown_as_text(workspace: Workspace) -> None:
    (row,) = exports.replayed(export(workspace))["rows"]
    assert row["expected"] == "Paris"
    assert row["expected"].startswith(row["got"])


def test_the_code_names_the_folders_of_this_machine(workspace: Workspace) -> None:
    folder = export(workspace)
    assert 'base = "tiny"' in exports.snippet(workspace, folder)
    (workspace.models / "tiny").mkdir()
    code = exports.snippet(workspace, folder)
    assert f"base = {str(workspace.models / 'tiny')!r}\n" in code
    assert f"folder = {str(folder / 'adapter')!r}\n" in code
    (folder / "adapter" / "README.md").unlink()
    assert exports.snippet(workspace, folder) == ""


def test_the_zip_holds_the_folder_as_it_is(workspace: Workspace) -> None:
    folder = export(workspace) / "adapter"
    blocks = list(exports.zipped(folder, "desk-adapter"))
    assert max(map(len, blocks)) < 2 * exports.BLOCK
    assert sum(map(len, blocks)) == exports.zipped_length(folder, "desk-adapter")
    with zipfile.ZipFile(io.BytesIO(b"".join(blocks))) as pack:
        assert pack.testzip() is None
        assert sorted(pack.namelist()) == sorted(f"desk-adapter/{path.name}" for path in folder.iterdir())
        assert pack.read("desk-adapter/weights.safetensors") == (folder / "weights.safetensors").read_bytes()


@pytest.mark.full
def test_the_length_of_a_zip_is_known_beyond_two_gigabytes_too(tmp_path: Path) -> None:
    """Sparse files: nothing of them is on the disk."""
    for name, length in {"a": 10, "b": exports.LARGE - 1, "c": exports.LARGE + 5, "d": 0}.items():
        with open(tmp_path / name, "wb") as file:
            file.truncate(length)
    assert sum(map(len, exports.zipped(tmp_path, "größe"))) == exports.zipped_length(tmp_path, "größe")


def test_what_can_not_be_exported_is_refused(workspace: Workspace) -> None:
    run = job_folder.create(workspace, "train", {"dataset": "desk", "model": "tiny"})
    with pytest.raises(Refused, match="no trained weights"):
        exports.start(workspace, {"run": run.name, "to": "merged"})
    (run / "adapter").mkdir()
    with pytest.raises(Refused, match="has no adapter"):
        exports.start(workspace, {"run": run.name, "to": "adapter"})
    with pytest.raises(NotFound):
        exports.start(workspace, {"run": "gone", "to": "adapter"})
    waiting = job_folder.create(workspace, "export", {"run": run.name, "to": "merged"})
    with pytest.raises(NotFound, match="nothing to download"):
        exports.to_take(waiting)
