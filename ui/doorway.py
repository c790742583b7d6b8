"""The outermost HTML of the page: what must be known before anything is painted, and what may run in it.

Gradio puts its `head=` into the page only after its own script has run, which is too late for the theme. So the page
is amended on its way out: our head is in it from the start, and every script that is written into it carries a number
used once, without which the browser runs none.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.edition import Edition

HEAD = """
<meta name="color-scheme" content="light dark">
<meta name="description" content="Fine-tune language models on this machine: from a file to a side-by-side chat.">
<link rel="icon" href="{address}/logo.svg" type="image/svg+xml">
<style>{style}</style>
<script>{script}</script>
<script type="module" src="{address}/studio.js"></script>
"""
BODY = "<script>document.body.classList.toggle('dark', document.documentElement.dataset.theme === 'dark')</script>"
# The tags for social networks name an outside image; the studio is no public site.
SOCIAL = re.compile(rb"<meta\s+(?:property|name)=\"(?:og|twitter):[^>]*?/>\s*", re.DOTALL)
SCRIPT = re.compile(rb"<script(?=[\s>])")
# Gradio draws gr.HTML with functions it makes from texts (unsafe-eval) and styles its parts in place.
POLICY = (
    "default-src 'self'",
    "script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "media-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self' data: blob:",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-src 'self'",
    "frame-ancestors 'none'",
)


class Doorway:
    """ASGI middleware that amends the HTML pages and sets their content security policy."""

    def __init__(self, app: ASGIApp, edition: Edition) -> None:
        self.app = app
        head = HEAD.replace("{address}", edition.address)
        head = head.replace("{style}", edition.text("first.css")).replace("{script}", edition.text("first.js"))
        self.head = head.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        await self.app(scope, receive, Page(send, self.amended).send)

    def amended(self, page: bytes, nonce: str) -> bytes:
        """The page with our head first in its own, and every script in it marked as meant."""
        page = SOCIAL.sub(b"", page)
        page = page.replace(b"<head>", b"<head>" + self.head, 1).replace(
            b"</gradio-app>", b"</gradio-app>" + BODY.encode(), 1
        )
        return SCRIPT.sub(b'<script nonce="' + nonce.encode() + b'"', page)


class Page:
    """Holds an answer back until it is whole if it is HTML; lets everything else pass as it comes."""

    def __init__(self, send: Send, amend: Callable[[bytes, str], bytes]) -> None:
        self.plain_send = send
        self.amend = amend
        self.start: Message | None = None
        self.body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if headers.get("content-type", "").startswith("text/html"):
                self.start = message
                return
        elif self.start is not None and message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            if message.get("more_body"):
                return
            await self._send_page()
            return
        await self.plain_send(message)

    async def _send_page(self) -> None:
        assert self.start is not None
        nonce = secrets.token_urlsafe(16)
        body = self.amend(self.body, nonce)
        headers = MutableHeaders(scope=self.start)
        headers["Content-Security-Policy"] = "; ".join(POLICY).replace("{nonce}", nonce)
        headers["Cache-Control"] = "no-store"
        headers["Content-Length"] = str(len(body))
        start, self.start = self.start, None
        await self.plain_send(start)
        await self.plain_send({"type": "http.response.body", "body": body})
