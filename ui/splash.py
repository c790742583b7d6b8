"""The page that answers at once while the studio itself is being loaded.

It listens on the very socket that the studio takes over, so the browser finds a server from the first moment on and
nothing is refused in between.
"""

from __future__ import annotations

import socket
import threading
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "assets" / "page" / "splash.html"
READY = "/studio/ready"
PATIENCE = 0.1
SPEECHLESS_SECONDS = 5.0


class Splash:
    """Answers every request on a listening socket with the splash page, until `stop`."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.stopping = threading.Event()
        self.body = PAGE.read_bytes()
        self.thread = threading.Thread(target=self._serve, name="splash", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Ends it and leaves the socket listening; connections not yet accepted wait for the studio."""
        self.stopping.set()
        self.thread.join()
        self.listener.setblocking(True)

    def _serve(self) -> None:
        self.listener.settimeout(PATIENCE)
        while not self.stopping.is_set():
            try:
                connection, _ = self.listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            # A browser opens connections ahead of need: one that says nothing must not hold up the next.
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.settimeout(SPEECHLESS_SECONDS)
                line = connection.recv(65536).split(b"\r\n", 1)[0].decode("latin-1")
                connection.sendall(self._reply(line))
            except OSError:
                return  # the browser went away

    def _reply(self, line: str) -> bytes:
        asked = line.split(" ")[1:2]
        page = asked and not asked[0].startswith("/studio/")
        status, body = ("200 OK", self.body) if page else ("503 Service Unavailable", b"{}")
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: {'text/html; charset=utf-8' if page else 'application/json'}\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nX-Frame-Options: DENY\r\n"
            "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + (b"" if line.startswith("HEAD") else body)
