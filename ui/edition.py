"""Which code the studio runs, and the page's own files as they were when it started.

The page's script, style and pictures have an address that names this edition, and an old address is not answered with
new files: a page that was opened before an update, or while one is half done, never mixes two versions. What such a
page asks for is refused (`ui/guard.py`), and it loads itself again (`assets/page/outdated.js`).
"""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from starlette.responses import PlainTextResponse, Response

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("studio", "ui")
PAGE = "assets/page"
HEADER = "x-flextune-edition"
# The address names the content, so nobody has to ask twice.
FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


class Edition:
    """The files of the page, held in memory (less than a megabyte), and a name that changes with any line of code."""

    def __init__(self, root: Path = ROOT) -> None:
        folder = root / PAGE
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        self.files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        found = hashlib.sha256()
        for name, data in self.files.items():
            found.update(name.encode() + b"\0" + data)
        for path in sorted(path for part in SOURCES for path in (root / part).rglob("*.py")):
            found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
        self.name = found.hexdigest()[:16]

    @property
    def address(self) -> str:
        """Where the files of the page are."""
        return f"/studio/assets/{self.name}"

    def text(self, name: str) -> str:
        """One file of the page, as text."""
        return self.files[name].decode("utf-8")

    def serve(self, edition: str, name: str) -> Response:
        """The route of the files of the page."""
        if edition != self.name or name not in self.files:
            return PlainTextResponse("There is no such file in this version of the studio.", 404)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        # What Windows' registry says of .js may be wrong, and a module of another type is not run.
        kind = "text/javascript" if name.endswith(".js") else kind
        return Response(self.files[name], media_type=kind, headers=FOR_EVER)
