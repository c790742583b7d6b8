"""An OpenAI-compatible address on loopback that writes rows."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "sk-" + "k" * 30


class Writer(ThreadingHTTPServer):
    """An OpenAI-compatible address. `say` makes the answer; `statuses` are answered first, one request each."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[dict] = []
        self.statuses: list[int] = []
        self.say = lambda text: f"Number {len(self.asked)}: {text[::-1]}"
        self.finish = "stop"
        self.raw: bytes | None = None
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"


class Answer(BaseHTTPRequestHandler):
    server: Writer

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        writer = self.server
        writer.asked.append(body | {"path": self.path, "key": self.headers["Authorization"]})
        status = writer.statuses.pop(0) if writer.statuses else 200
        text = writer.say(body["messages"][-1]["content"].split("\n\n")[-1])
        choice = {"message": {"content": text}, "finish_reason": writer.finish}
        data = writer.raw or json.dumps({"choices": [choice]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serving() -> Iterator[Writer]:
    server = Writer()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
