"""The tests' own guard: no process of a test gets beyond loopback, even where the error is swallowed."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

OUTSIDE = "192.0.2.1"  # an address reserved for documentation: nobody is there


@pytest.mark.usefixtures("without_network")
def test_this_process_is_held_back() -> None:
    with socket.socket() as one, pytest.raises(OSError, match="reach no network"):
        one.connect((OUTSIDE, 80))
    with pytest.raises(OSError, match="reach no network"):
        socket.getaddrinfo("example.org", 443)


@pytest.mark.usefixtures("without_network")
def test_a_process_started_by_a_test_is_held_back(tmp_path: Path) -> None:
    code = "import urllib.request as r\ntry: r.urlopen('http://example.org')\nexcept OSError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert "example.org" in done.stdout and "reach no network" in done.stdout


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()


def test_a_swallowed_attempt_fails_the_test(tmp_path: Path) -> None:
    """A pytest of its own, with the same conftest, on a test that reaches out and hides it."""
    root = Path(__file__).resolve().parent.parent
    test = tmp_path / "test_quiet.py"
    test.write_text(
        "import contextlib, socket\n"
        "def test_quiet():\n"
        f"    with contextlib.suppress(OSError): socket.create_connection(({OUTSIDE!r}, 80))\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", str(root / "pyproject.toml"), str(test)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 1 and "tried to reach the network" in done.stdout, done.stdout + done.stderr
