from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from studio import installer
from studio.errors import BadInput, NoRoom, Offline, Refused, StudioError
from studio.installer import Counter, Progress, failure, ticking

PIP_23 = """\
Collecting torch<2.14,>=2.8
  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl (198.7 MB)
Processing /some place/et_xmlfile-2.0.0-py3-none-any.whl (from openpyxl<4,>=3.1)
Requirement already satisfied: numpy<3 in ./lib (2.4.6)
"""
PIP_26 = """\
Collecting torch<2.14,>=2.8
  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (31 kB)
Collecting numpy<3,>=2.2
  Using cached numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (6 kB)
Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl (198.7 MB)
"""


def shown(counter: Counter, text: str) -> list[str]:
    return [line for line in map(counter.line, text.splitlines(keepends=True)) if line]


def test_pips_lines_become_a_count(tmp_path: Path) -> None:
    assert shown(Counter(81, tmp_path), PIP_23) == [
        "looking up 1 of 81: torch",
        "fetching 1 of 81: torch (198.7 MB)",
        "fetching 2 of 81: et-xmlfile",
        "looking up 3 of 81: numpy",
    ]
    assert shown(Counter(1, tmp_path), PIP_26) == [
        "looking up 1 of 1: torch",
        "looking up 2 of 2: numpy",
        "fetching 1 of 1: torch (198.7 MB)",
    ]


def test_installing_is_counted_by_what_is_there(tmp_path: Path) -> None:
    counter = Counter(81, tmp_path)
    assert shown(counter, "Installing collected packages: Jinja2, et_xmlfile, torch\n") == ["installing 1 of 3: Jinja2"]
    for name in ("jinja2-3.1.6", "et_xmlfile-2.0.0"):
        (tmp_path / f"{name}.dist-info").mkdir()
    assert counter.installing() == "installing 1 of 3: Jinja2", "their last file is not yet written"
    for place in tmp_path.iterdir():
        (place / "INSTALLER").touch()
    assert counter.installing() == "installing 3 of 3: torch"


def test_a_silent_program_is_not_a_silent_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installer, "QUIET_SECONDS", 0.2)
    out = io.StringIO()
    progress = Progress(out)
    code = "import sys; print('one', flush=True); sys.stdin.read(); print('two')"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdin and child.stdout
        for line in ticking(child.stdout, 0.02):
            if line:
                progress.show(line.strip())
            progress.beat()
            if "so far" in out.getvalue() and not child.stdin.closed:
                child.stdin.close()
    # On a busy machine the child may take a while to write its first line.
    assert re.search(r"^one\none \(\d+ s so far\)$", out.getvalue(), re.MULTILINE)
    assert progress.text == "two"


@pytest.mark.parametrize(
    ("text", "kind", "word"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", NoRoom, "disk"),
        ("WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError()'", Offline, "network"),
        ("ERROR: [Errno 13] Permission denied: '/x'", Refused, "permissions"),
        ("ERROR: No matching distribution found for torch<2.14,>=2.8", BadInput, "Python 3.11"),
        ("    The user requested (constraint) torch==2.13.0\nERROR: ResolutionImpossible", BadInput, "torch==2.13.0"),
        ("ERROR: something new", StudioError, "something new"),
        ("", StudioError, "without a word"),
    ],
)
def test_pips_failures_are_told_in_words(text: str, kind: type[StudioError], word: str, tmp_path: Path) -> None:
    error = failure(f"{text}\n", tmp_path / "install.log")
    assert type(error) is kind and error.what and error.next
    assert word in str(error)
