"""The password for other addresses than loopback. Light, as the splash waits for it."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import secrets
from pathlib import Path

from studio import migrate
from studio.errors import BadInput

LOOPBACK = ("localhost", "127.0.0.1", "::1")
PASSWORD_FILE = "password.json"
PASSWORD_VARIABLE = "FLEXTUNE_PASSWORD"
SHORTEST = 8


def is_loopback(host: str) -> bool:
    """Whether a server on this address can be reached from this machine only."""
    if host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Password:
    """From the environment, or a salted hash beside the workspace's mark. The password itself is written nowhere."""

    def __init__(self, root: Path) -> None:
        self.path = root / PASSWORD_FILE
        # What was found right, by the state of the file then: a changed password ends what the old one opened.
        self.known: set[tuple[int, bytes]] = set()

    def is_set(self) -> bool:
        return self.from_environment or self.path.exists()

    @property
    def from_environment(self) -> bool:
        return bool(os.environ.get(PASSWORD_VARIABLE))

    def set(self, password: str) -> None:
        """Keeps a new one as a scrypt hash.

        Raises:
            BadInput: it is too short.
        """
        if len(password) < SHORTEST:
            raise BadInput(
                "This password is too short.", f"It needs at least {SHORTEST} characters.", "Choose a longer one."
            )
        salt = secrets.token_bytes(16)
        migrate.save(self.path, "password", {"salt": salt.hex(), "hash": _hash(password, salt).hex()})
        self.path.chmod(0o600)
        self.known.clear()

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)
        self.known.clear()

    def remembers(self, password: str) -> bool:
        """Whether it was found right before and still is: quick, unlike `fits`."""
        return self._mark(password) in self.known

    def fits(self, password: str) -> bool:
        """Whether it is the password; slow on purpose, so a right one is remembered."""
        mark = self._mark(password)
        if mark in self.known:
            return True
        if wanted := os.environ.get(PASSWORD_VARIABLE):
            right = hmac.compare_digest(password.encode(), wanted.encode())
        elif self.path.exists():
            kept = migrate.load(self.path, "password")
            right = hmac.compare_digest(_hash(password, bytes.fromhex(kept["salt"])), bytes.fromhex(kept["hash"]))
        else:
            right = False
        if right:
            self.known.add(mark)
        return right

    def _mark(self, password: str) -> tuple[int, bytes]:
        try:
            written = self.path.stat().st_mtime_ns
        except FileNotFoundError:
            written = 0
        return written, hashlib.sha256(password.encode()).digest()


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)
