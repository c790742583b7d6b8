"""Names with a slash, as an address that somebody mistyped or made up may have one.

The page sends such a name as one part of a path, `/studio/runs/..%2Fetc`, but the server sees it decoded, as two parts:
it would find no route, or the route of something else. No item has a slash in its name, so it is put as a sign that
looks like one, and each route says of it what it says of any other name that is not there.
"""

from __future__ import annotations

from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

ENCODED = b"%2f"
LOOKALIKE = "\N{DIVISION SLASH}"


class Slashes:
    """ASGI middleware that keeps what was one part of a path one part."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and ENCODED in (sent := scope.get("raw_path") or b"").lower():
            parts = sent.partition(b"?")[0].decode("ascii", "replace").split("/")
            scope = {**scope, "path": "/".join(unquote(part).replace("/", LOOKALIKE) for part in parts)}
        await self.app(scope, receive, send)
