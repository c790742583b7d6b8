from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from studio import disk
from studio.disk import DiskUse
from studio.workspace import FOLDERS, Workspace


def whole(use: DiskUse) -> dict[str, Any]:
    """The count, once it is done."""
    deadline = time.monotonic() + 10
    while (found := use.look())["counting"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def by_kind(found: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {one["kind"]: (one["bytes"], one["items"]) for one in found["kinds"]}


def test_every_kind_is_counted(workspace: Workspace) -> None:
    (workspace.models / "m").mkdir()
    (workspace.models / "m" / "weights").write_bytes(b"x" * 5000)
    (workspace.models / "n").mkdir()
    found = whole(DiskUse(workspace))
    assert by_kind(found) == dict.fromkeys(FOLDERS, (0, 0)) | {"models": (5000, 2)}
    assert 0 < found["free"] < found["total"]


def test_what_is_deleted_moves_to_the_trash_and_is_counted_there(workspace: Workspace) -> None:
    (workspace.models / "m").mkdir()
    (workspace.models / "m" / "weights").write_bytes(b"x" * 5000)
    use = DiskUse(workspace)
    whole(use)
    key = workspace.delete("models", "m")
    use.forget(unless_counted={key})
    deadline = time.monotonic() + 10
    while key not in (found := use.look())["trashed"]:
        assert not found["counting"], "the old count is shown until the new one is whole"
        assert time.monotonic() < deadline
    assert by_kind(found)["models"] == (0, 0) and 5000 < found["trashed"][key] < 6000


def test_a_look_never_waits(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes its time: looks answer with what is known, and no second count is begun."""
    slow = threading.Event()
    counted: list[object] = []
    monkeypatch.setattr(disk, "disk_use", lambda folder: (counted.append(folder), slow.wait(10), 1)[2])
    use = DiskUse(workspace)
    for _ in range(3):
        assert use.look()["counting"] and use.look()["kinds"] == []
    assert len(counted) == 1
    slow.set()
    assert sum(size for size, _ in by_kind(whole(use)).values()) == len(FOLDERS) - 1


def test_a_fresh_count_is_not_made_again(workspace: Workspace) -> None:
    use = DiskUse(workspace)
    whole(use)
    first = use.last
    for _ in range(5):
        use.look()
    assert use.thread and not use.thread.is_alive() and use.last is first
