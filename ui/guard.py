"""Who may talk to the studio: known Host headers, no foreign Origin, a password beyond loopback, bounded uploads."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import os
import secrets
import socket
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

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
    """The password for other addresses: from the environment, or a salted hash beside the workspace's mark.

    The password itself is written nowhere.
    """

    def __init__(self, root: Path) -> None:
        self.path = root / PASSWORD_FILE
        self.known: set[bytes] = set()

    def is_set(self) -> bool:
        return bool(os.environ.get(PASSWORD_VARIABLE)) or self.path.exists()

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

    def fits(self, password: str) -> bool:
        """Whether it is the password; a right one is remembered, as scrypt is slow on purpose."""
        mark = hashlib.sha256(password.encode()).digest()
        if mark in self.known:
            return True
        wanted = os.environ.get(PASSWORD_VARIABLE)
        if wanted:
            right = hmac.compare_digest(password.encode(), wanted.encode())
        elif self.path.exists():
            kept = migrate.load(self.path, "password")
            right = hmac.compare_digest(_hash(password, bytes.fromhex(kept["salt"])), bytes.fromhex(kept["hash"]))
        else:
            right = False
        if right:
            self.known.add(mark)
        return right


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


class Guard:
    """ASGI middleware in front of everything the studio serves.

    Args:
        host: the address the studio listens on.
        password: asked for (HTTP basic, any user name) when that address is not loopback.
        largest: bytes a request may carry.
    """

    def __init__(self, app: ASGIApp, host: str, password: Password, largest: int) -> None:
        self.app = app
        self.host = host
        self.open = is_loopback(host)
        self.password = password
        self.largest = largest
        self.names = {*LOOPBACK, host.lower(), socket.gethostname().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self.refusal(Headers(scope=scope))
        if refusal:
            status, text, headers = refusal
            await PlainTextResponse(text, status, headers)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def refusal(self, headers: Headers) -> tuple[int, str, dict[str, str]] | None:
        """Why a request is refused, if it is: status, words, headers."""
        host = headers.get("host", "")
        if not self.known_host(host):
            return 400, "This address is not the studio's: the Host header names another one.", {}
        origin = headers.get("origin")
        if origin and origin != "null" and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "Another site's page may not talk to the studio.", {}
        if origin == "null" or (
            headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate"
        ):
            return 403, "Another site's page may not talk to the studio.", {}
        if int(headers.get("content-length") or 0) > self.largest:
            return 413, f"Uploads are limited to {self.largest // 10**6} MB. Give the path of the file instead.", {}
        if not self.open and not self.allowed(headers.get("authorization", "")):
            return 401, "A password is needed.", {"WWW-Authenticate": 'Basic realm="FlexTune Studio", charset="UTF-8"'}
        return None

    def known_host(self, header: str) -> bool:
        """Loopback names always; beyond loopback also plain addresses, which no foreign name can stand for."""
        try:
            name = (urlsplit(f"//{header}").hostname or "").lower()
        except ValueError:
            return False
        if self.open:
            return name in LOOPBACK or name == self.host.lower()
        if name in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def allowed(self, header: str) -> bool:
        scheme, _, given = header.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            _, _, password = base64.b64decode(given, validate=True).decode().partition(":")
        except ValueError:
            return False
        return self.password.fits(password)


def describe(host: str, port: int) -> str:
    """The address to open in a browser."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"
