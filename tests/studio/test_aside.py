"""Work in a process of its own: its answer and its errors come back as if it had been done here."""

from __future__ import annotations

import subprocess
import sys

import pytest

from studio.aside import aside
from studio.errors import JobFailed, StudioError
from studio.workspace import Workspace
from tests.worlds import World, places

PICTURES = ("studio.datasets.browsing.pictures", "drawn")


def test_the_answer_comes_back_and_what_it_loaded_stays_there(workspace: Workspace) -> None:
    World(workspace).dataset("places", places("train", 30))
    code = f"""import sys
from studio.aside import aside
print(aside(*{PICTURES}, {str(workspace.root)!r}, "places", 1)["rows"], "py3langid" in sys.modules)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["30", "False"]


def test_errors_keep_their_words(workspace: Workspace) -> None:
    with pytest.raises(StudioError) as told:
        aside(*PICTURES, str(workspace.root), "gone", 1)
    assert told.value.what == "There is no dataset “gone”." and told.value.next


def test_a_process_that_says_nothing_is_told(workspace: Workspace) -> None:
    with pytest.raises(JobFailed, match="code 3"):
        aside("sys", "exit", 3)
