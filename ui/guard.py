"""Who may talk to the studio: known Host headers, no other site's page, a password beyond loopback, bounded bodies."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import re
import socket

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.edition import HEADER
from ui.password import LOOPBACK, Password, is_loopback

# What any request may carry that is no upload: the longest pasted text and the largest form are far below.
LARGEST_MESSAGE = 32 * 10**6
UPLOADS = re.compile(r".*/upload|/studio/answers/[^/]+/file")
# What our pages ask for. Gradio has more doors, for files, proxies, recordings and generated code, and looks up outside
# hosts behind some of them; nothing of ours goes through those.
DOORS = re.compile(
    r"/|/studio/.*|/(?:assets|static|svelte)/.*|/(?:theme\.css|config|favicon\.ico|manifest\.json|robots\.txt)"
    r"|/gradio_api/(?:(?:run|queue|heartbeat)/.*|startup-events|app_id|info|cancel|reset)/?"
)
GUESS_SECONDS = 0.5
HOST = re.compile(r"([\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?", re.ASCII)
POLICY_VIOLATED = 1008
# For everything that is no page of ours: nothing in it may run, load or be framed, whatever a file says it is.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Refusal:
    """Why a request is refused: a status, and what, why, next."""

    def __init__(self, status: int, what: str, why: str = "", next: str = "", **headers: str) -> None:  # noqa: A002
        self.status, self.what, self.why, self.next = status, what, why, next
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self, path: str) -> Response:
        """For our own routes as their errors look, for everything else as plain text."""
        if path.startswith("/studio/"):
            error = {"error": {"what": self.what, "why": self.why, "next": self.next}}
            return Response(json.dumps(error), self.status, self.headers, "application/json")
        text = " ".join(part for part in (self.what, self.why, self.next) if part)
        return PlainTextResponse(text, self.status, self.headers)


class Guard:
    """ASGI middleware in front of everything the studio serves, Gradio's own routes included.

    Args:
        host: the address the studio listens on.
        password: asked for (HTTP basic, any user name) when that address is not loopback.
        largest: bytes an upload may have.
        edition: the studio's own; what a page of another one asks for is refused.
    """

    def __init__(self, app: ASGIApp, host: str, password: Password, largest: int, edition: str) -> None:
        self.app = app
        self.edition = edition
        self.host = host.lower()
        self.open = is_loopback(host)
        self.password = password
        self.largest = largest
        self.machine = socket.gethostname().lower()
        self.guessing = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # nothing of the studio speaks it
            await send({"type": "websocket.close", "code": POLICY_VIOLATED})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = Answer(send)
        refusal = await self.refusal(scope)
        if refusal:
            await refusal.response(scope["path"])(scope, receive, answer.send)
            return
        bounded = Bounded(receive, self.limit(scope["path"]), answer)
        await self.app(scope, bounded.receive, answer.send)
        if answer.instead:
            await answer.instead.response(scope["path"])(scope, receive, answer.send_instead)

    def limit(self, path: str) -> int:
        """The bytes a request to this path may carry."""
        return self.largest if UPLOADS.fullmatch(path) else min(self.largest, LARGEST_MESSAGE)

    async def refusal(self, scope: Scope) -> Refusal | None:
        """Why a request is refused, if it is."""
        headers = Headers(scope=scope)
        if not self.known_host(headers.get("host", "")):
            return Refusal(400, "This address is not the studio's: the Host header names another one.")
        if self.foreign(headers, scope["method"]):
            return Refusal(403, "Another site's page may not talk to the studio.")
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            return Refusal(400, "The length of this request is no number.")
        if int(length) > self.limit(scope["path"]):
            return too_large(self.limit(scope["path"]))
        if not self.open and not await self.allowed(headers.get("authorization", "")):
            ask = 'Basic realm="FlexTune Studio", charset="UTF-8"'
            return Refusal(401, "A password is needed.", next="Reload the page and enter it.", WWW_Authenticate=ask)
        if headers.get(HEADER, self.edition) != self.edition:
            return Refusal(412, "The studio was updated since this page was opened.", next="Load the page again.")
        if not DOORS.fullmatch(scope["path"]):
            return Refusal(404, "There is nothing here.", next="Go back to the studio’s first page.")
        return None

    def foreign(self, headers: Headers, method: str) -> bool:
        """Whether another site's page sent it. Following a link to the studio is allowed, as it changes nothing."""
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
            return True
        if headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
            return False
        followed = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return not (followed and method in ("GET", "HEAD"))

    def known_host(self, header: str) -> bool:
        """Loopback names always; beyond loopback this machine's, and plain addresses, which no name can stand for."""
        parts = HOST.fullmatch(header.lower())
        if parts is None:
            return False
        name = parts[1].strip("[]")
        if name in LOOPBACK or name == self.host:
            return True
        if self.open:
            return False
        if name == self.machine or name.startswith(f"{self.machine}."):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    async def allowed(self, header: str) -> bool:
        """Whether the right password is given. Wrong ones wait in one line, so that guessing takes for ever."""
        scheme, _, given = header.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            _, _, password = base64.b64decode(given, validate=True).decode().partition(":")
        except ValueError:
            return False
        if self.password.remembers(password):
            return True
        async with self.guessing:
            if await run_in_threadpool(self.password.fits, password):
                return True
            await asyncio.sleep(GUESS_SECONDS)
        return False


def too_large(limit: int) -> Refusal:
    words = f"Through the page at most {limit // 10**6} MB can be sent here."
    return Refusal(413, "This is too large.", words, "Put the file on this machine and give its path instead.")


class Answer:
    """What goes back: with the headers every answer has, and not at all once a refusal takes its place."""

    def __init__(self, send: Send) -> None:
        self.plain_send = send
        self.started = False
        self.instead: Refusal | None = None

    async def send(self, message: Message) -> None:
        if self.instead:
            return
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self.plain_send(message)

    async def send_instead(self, message: Message) -> None:
        """For the refusal itself."""
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update({**HEADERS, "Connection": "close"})
        await self.plain_send(message)


class Bounded:
    """Counts what comes in: a body sent in chunks has no length to look at first."""

    def __init__(self, receive: Receive, limit: int, answer: Answer) -> None:
        self.plain_receive = receive
        self.limit = limit
        self.answer = answer
        self.came = 0

    async def receive(self) -> Message:
        message = await self.plain_receive()
        self.came += len(message.get("body", b""))
        if self.came > self.limit:
            refusal = too_large(self.limit)
            if not self.answer.started:
                self.answer.instead = refusal
            raise HTTPException(refusal.status, refusal.what)
        return message
