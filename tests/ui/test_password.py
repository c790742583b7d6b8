from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from studio.errors import BadInput
from ui.password import PASSWORD_VARIABLE, Password, is_loopback


def test_only_a_hash_is_kept(tmp_path: Path) -> None:
    password = Password(tmp_path)
    assert not password.is_set() and not password.fits("") and not password.fits("correct horse")
    password.set("correct horse")
    kept = (tmp_path / "password.json").read_text(encoding="utf-8")
    assert "horse" not in kept
    assert Password(tmp_path).fits("correct horse") and not Password(tmp_path).fits("Correct horse")
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "password.json").stat().st_mode) == 0o600
    password.clear()
    assert not password.is_set() and not password.fits("correct horse")


def test_the_same_password_has_another_hash_each_time(tmp_path: Path) -> None:
    password = Password(tmp_path)
    kept = set()
    for _ in range(2):
        password.set("correct horse")
        kept.add((tmp_path / "password.json").read_text(encoding="utf-8"))
    assert len(kept) == 2


def test_a_short_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="8 characters"):
        Password(tmp_path).set("short")
    assert not Password(tmp_path).is_set()


def test_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    password = Password(tmp_path)
    password.set("correct horse")
    monkeypatch.setenv(PASSWORD_VARIABLE, "from outside, with ü")
    assert password.from_environment and password.fits("from outside, with ü") and not password.fits("correct horse")


@pytest.mark.parametrize(
    ("host", "near"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),
     ("::", False), ("192.168.0.4", False), ("localhost.example", False), ("", False)],
)  # fmt: skip
def test_what_loopback_is(host: str, near: bool) -> None:
    assert is_loopback(host) is near
