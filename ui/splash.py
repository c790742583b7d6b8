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
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(1.0)
        try:
            line = connection.recv(65536).split(b"\r\n", 1)[0].decode("latin-1")
            ready = line.split(" ")[1:2] == [READY]
            status, body = ("503 Service Unavailable", b"{}") if ready else ("200 OK", self.body)
            kind = "application/json" if ready else "text/html; charset=utf-8"
            head = (
                f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
            )
            connection.sendall(head.encode() + (b"" if line.startswith("HEAD") else body))
        except OSError:
            return  # the browser went away
