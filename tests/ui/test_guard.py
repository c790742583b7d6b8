"""Who is let in, asked of the guard itself; that it stands in front of everything is in test_app.py."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from ui.guard import HEADERS, LARGEST_MESSAGE, Guard
from ui.password import Password

GOOD = {"host": "127.0.0.1:7860"}


@dataclass
class Behind:
    """The app behind the guard: reads the whole body and says how long it was."""

    calls: int = 0
    lengths: list[int] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        response: Response = PlainTextResponse("in")
        try:
            self.lengths.append(len(await Request(scope, receive).body()))
        except Exception:  # as a framework turns any trouble of a body into its own answer
            response = PlainTextResponse("there was an error parsing the body", 400)
        await response(scope, receive, send)


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes


def in_a_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs it in a thread of its own: in this one, the browser tests may have a loop of theirs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def ask(
    guard: Guard, headers: dict[str, str], path: str = "/", method: str = "GET", body: Iterable[bytes] = ()
) -> Answered:
    """One request through the guard; without a content-length the body comes in pieces."""
    sent: list[Any] = []
    pieces = iter([*body, b""])

    async def receive() -> Any:
        piece = next(pieces, b"")
        return {"type": "http.request", "body": piece, "more_body": piece != b""}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": raw, "query_string": b""}
    in_a_loop(guard(scope, receive, send))
    starts = [message for message in sent if message["type"] == "http.response.start"]
    assert len(starts) == 1, "one answer, and only one"
    found = {name.decode(): value.decode() for name, value in starts[0]["headers"]}
    return Answered(starts[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def guard(behind: Behind, tmp_path: Path) -> Guard:
    return Guard(behind, "127.0.0.1", Password(tmp_path), 10**9, "now")


@pytest.mark.parametrize(
    "path", ["/gradio_api/file=/etc/passwd", "/gradio_api/upload", "/anything", "/studio", "/theme.css/x", "//", "/\n"]
)
def test_only_the_doors_our_pages_use_are_open(guard: Guard, behind: Behind, path: str) -> None:
    assert ask(guard, GOOD, path).status == 404 and behind.calls == 0


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "LOCALHOST", "[::1]:7860", "127.0.0.1"])
def test_this_machine_is_let_in(guard: Guard, host: str) -> None:
    assert ask(guard, {"host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "192.168.1.2:7860", "localhost.evil.example", "",
     "[::1", "0.0.0.0:7860", "localhost:7860.evil.example", "\u0130"],
)  # fmt: skip
def test_a_foreign_host_is_refused(guard: Guard, behind: Behind, host: str) -> None:
    """What a rebound name sends: the address is ours, the name is not."""
    assert ask(guard, {"host": host.encode("utf-8").decode("latin-1")}).status == 400
    assert behind.calls == 0


@given(
    st.lists(st.sampled_from(["localhost", "127.0.0.1", "[::1]", ":", "7860", "@", ".", "/", "a", "%", "[", "]", " "]))
)
def test_only_known_names_pass_whatever_is_sent(parts: list[str]) -> None:
    text = "".join(parts)
    guard = Guard(Behind(), "127.0.0.1", Password(Path("/nowhere")), 10**9, "now")
    if guard.known_host(text):
        name, _, port = text.lower().rpartition(":")
        known = ("localhost", "127.0.0.1", "[::1]")
        assert text.lower() in known or (name in known and port.isdecimal())


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {"origin": "http://evil.example"}),
        ("POST", {"origin": "null"}),
        ("POST", {"origin": "http://[::1"}),
        ("OPTIONS", {"origin": "http://evil.example", "access-control-request-method": "POST"}),
        ("HEAD", {"origin": "http://evil.example"}),
        ("POST", {"origin": "http://127.0.0.1:8888"}),  # another program of this machine
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"}),
        ("GET", {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}),
        ("POST", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}),
    ],
)
def test_another_sites_page_is_refused(guard: Guard, behind: Behind, method: str, headers: dict[str, str]) -> None:
    assert ask(guard, GOOD | headers, method=method).status == 403
    assert behind.calls == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://127.0.0.1:7860", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},  # a link
        {},  # a program without a browser
    ],
)
def test_our_own_page_and_a_followed_link_are_let_in(guard: Guard, headers: dict[str, str]) -> None:
    assert ask(guard, GOOD | headers).status == 200


def test_a_websocket_is_closed(guard: Guard, behind: Behind) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    in_a_loop(guard({"type": "websocket", "path": "/", "headers": []}, send, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}] and behind.calls == 0


def test_a_body_that_says_it_is_too_large_is_refused_unread(guard: Guard, behind: Behind) -> None:
    for path, length in (("/studio/runs/x/note", LARGEST_MESSAGE + 1), ("/studio/imports/upload", 10**9 + 1),
        ("/studio/answers/run-1/file", 10**9 + 1), ("/studio/answers/run-1/files", LARGEST_MESSAGE + 1)):  # fmt: skip
        answer = ask(guard, GOOD | {"content-length": str(length)}, path, "POST")
        assert answer.status == 413 and "path" in json.loads(answer.body)["error"]["next"]
    assert behind.calls == 0
    assert ask(guard, GOOD | {"content-length": "many"}, method="POST").status == 400
    large = GOOD | {"content-length": str(LARGEST_MESSAGE + 1)}
    assert ask(guard, large, "/studio/answers/run-1/file", "POST").status == 200, "a file to be answered is an upload"


def test_a_body_in_chunks_is_counted(behind: Behind, tmp_path: Path) -> None:
    """Without a length there is nothing to refuse beforehand; what the app makes of the break is not sent."""
    guard = Guard(behind, "127.0.0.1", Password(tmp_path), 1000, "now")
    assert ask(guard, GOOD, "/studio/imports/upload", "POST", [b"x" * 100] * 10).body == b"in"
    answer = ask(guard, GOOD, "/studio/imports/upload", "POST", [b"x" * 100] * 11)
    assert answer.status == 413 and "too large" in json.loads(answer.body)["error"]["what"]
    assert answer.headers["connection"] == "close" and behind.lengths == [1000]


def test_every_answer_has_the_headers_that_keep_files_from_running(guard: Guard) -> None:
    for answer in (ask(guard, GOOD), ask(guard, {"host": "evil.example"})):
        assert answer.headers.items() >= {name.lower(): value for name, value in HEADERS.items()}.items()
    assert "frame-ancestors 'none'" in HEADERS["Content-Security-Policy"]


def basic(password: str, user: str = "anyone") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def wide(behind: Behind, tmp_path: Path) -> Guard:
    """A guard of an address that other machines reach."""
    password = Password(tmp_path)
    password.set("correct horse")
    return Guard(behind, "0.0.0.0", password, 10**9, "now")


def test_beyond_loopback_a_password_is_needed(wide: Guard, behind: Behind) -> None:
    there = {"host": "192.168.1.2:7860"}
    for headers in ({}, basic("wrong"), {"authorization": "Bearer correct horse"}, {"authorization": "Basic %%%"}):
        answer = ask(wide, there | headers)
        assert answer.status == 401 and answer.headers["www-authenticate"].startswith("Basic")
    assert behind.calls == 0
    assert ask(wide, there | basic("correct horse")).status == 200
    assert ask(wide, {"host": "evil.example"} | basic("correct horse")).status == 400
    assert ask(wide, {"host": f"{wide.machine}.lan:7860"} | basic("correct horse")).status == 200


def test_guesses_wait_in_one_line_and_the_right_password_does_not(wide: Guard) -> None:
    async def many() -> tuple[float, float]:
        began = time.monotonic()
        guesses = [asyncio.create_task(wide.allowed(basic(f"guess {n}")["authorization"])) for n in range(3)]
        await asyncio.sleep(0.05)
        again = time.monotonic()
        assert await wide.allowed(basic("correct horse")["authorization"])
        owner = time.monotonic() - again
        assert not any(await asyncio.gather(*guesses))
        return owner, time.monotonic() - began

    assert wide.password.fits("correct horse")
    owner, guessers = in_a_loop(many())
    assert owner < guessers / 3 and guessers > 1.4


def test_a_changed_password_ends_what_the_old_one_opened(wide: Guard, tmp_path: Path) -> None:
    there = {"host": "192.168.1.2:7860"}
    assert ask(wide, there | basic("correct horse")).status == 200
    Password(tmp_path).set("battery staple")  # by another process, so that this one remembers the old one
    assert ask(wide, there | basic("correct horse")).status == 401
    assert ask(wide, there | basic("battery staple")).status == 200


def test_a_page_of_another_edition_is_refused(guard: Guard, behind: Behind) -> None:
    assert ask(guard, GOOD | {"x-flextune-edition": "now"}).status == 200
    assert ask(guard, GOOD | {"x-flextune-edition": "before"}).status == 412 and behind.calls == 1
