"""Asks a running engine: finds its port and token in its job's folder. Standard library only."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from studio import events, logs
from studio.errors import JobFailed, StudioError
from studio.jobs import folder as job_folder

TOKEN = "token"
POLL_SECONDS = 0.05
# Silence that long means that the engine is gone: loading a model again is the longest it is silent.
SILENCE_SECONDS = 600.0
HEALTH_SECONDS = 10.0  # it answers that at once, whatever else it does; pages wait for it

Piece = Callable[[str, str], None]


class EngineClient:
    """A client of the engine that the job in `folder` runs.

    Raises:
        JobFailed: no engine serves there (any more).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        serving = [line for line in logs.read(folder / events.EVENTS)[0] if line.get("type") == "serving"]
        try:
            self.port = int(serving[-1]["port"])
            self.token = (folder / TOKEN).read_text(encoding="utf-8")
        except (IndexError, OSError):
            raise _gone(folder) from None

    @classmethod
    def wait(cls, folder: Path, seconds: float = 300.0) -> EngineClient:
        """The client as soon as the engine serves.

        Raises:
            JobFailed: it ended before, or did not serve in time; carries the job's own words where it has some.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if job_folder.status(folder) in (*events.TERMINAL, "interrupted"):
                break
            if any(line.get("type") == "serving" for line in _this_life(folder)):
                return cls(folder)
            time.sleep(POLL_SECONDS)
        raise _gone(folder)

    def health(self) -> dict[str, Any]:
        """Whether the weights are loaded, where, which stamps they have and how they are shared."""
        return self._once("GET", "/health", HEALTH_SECONDS)

    def pair(
        self,
        messages: list[dict[str, Any]],
        options: dict[str, Any] | None = None,
        *,
        tools: list[dict[str, Any]] | None = None,
        on_text: Piece | None = None,
    ) -> dict[str, dict[str, Any]]:
        """What base and tuned answer: {"base": …, "tuned": …}, each with `text`, `tokens`, `weights`, `finish` …

        Args:
            messages: the conversation.
            options: fields of Generation.
            on_text: called with (side, new text) as they write.

        Raises:
            StudioError: in the engine's own words.
            JobFailed: the engine went away.
        """
        return self._ask("/pair", {"messages": messages, "options": options, "tools": tools}, on_text)

    def answer(
        self,
        messages: list[dict[str, Any]],
        weights: str = "base",
        options: dict[str, Any] | None = None,
        *,
        tools: list[dict[str, Any]] | None = None,
        on_text: Piece | None = None,
    ) -> dict[str, Any]:
        """The same from one side only, `base` or `tuned`."""
        body = {"messages": messages, "options": options, "tools": tools, "weights": weights}
        return self._ask("/answer", body, on_text)[weights]

    def open(self, path: str, body: dict[str, Any]) -> Stream:
        """The engine's own lines of JSON as they come, for a page that reads them itself.

        Args:
            path: `/pair` or `/answer`.
            body: as backend/engine/server.py describes it.

        Raises:
            JobFailed: the engine went away.
        """
        connection = self._connection()
        try:
            return Stream(self.folder, connection, self._send(connection, "POST", path, body))
        except (OSError, http.client.HTTPException):
            connection.close()
            raise _gone(self.folder) from None

    def unload(self) -> None:
        """Has the engine free its memory until it is asked again."""
        self._once("POST", "/unload")

    def stop(self) -> None:
        """Ends the engine."""
        self._once("POST", "/stop")

    def _ask(self, path: str, body: dict[str, Any], on_text: Piece | None) -> dict[str, dict[str, Any]]:
        for line in self._lines(path, {name: value for name, value in body.items() if value is not None}):
            if "error" in line:
                raise _error(line)
            if "answers" in line:
                return dict(line["answers"])
            if on_text is not None:
                on_text(line["side"], line["text"])
        raise _gone(self.folder)

    def _lines(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        try:
            with closing(self._connection()) as connection:
                response = self._send(connection, "POST", path, body)
                while raw := response.readline():
                    yield json.loads(raw)
        except (OSError, http.client.HTTPException, ValueError):
            raise _gone(self.folder) from None

    def _once(self, method: str, path: str, silence: float = SILENCE_SECONDS) -> dict[str, Any]:
        try:
            with closing(self._connection(silence)) as connection:
                found = json.loads(self._send(connection, method, path, {}).read())
        except (OSError, http.client.HTTPException, ValueError):
            raise _gone(self.folder) from None
        if "error" in found:
            raise _error(found)
        return dict(found)

    def _connection(self, silence: float = SILENCE_SECONDS) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=silence)

    def _send(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: dict[str, Any]
    ) -> http.client.HTTPResponse:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if method == "POST" else None, headers)
        return connection.getresponse()


class Stream:
    """One question under way. Closing it hangs up, and the engine stops answering."""

    def __init__(
        self, folder: Path, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> None:
        self.folder = folder
        self.connection = connection
        self.response = response
        self.socket = connection.sock

    def line(self) -> bytes:
        """The next line with its newline, b"" after the last one; waits for it.

        Raises:
            JobFailed: the engine went away.
        """
        try:
            return self.response.readline()
        except (OSError, http.client.HTTPException, ValueError, AttributeError):  # closed under a waiting reader
            raise _gone(self.folder) from None

    def close(self) -> None:
        """May be called from another thread while `line` waits, which then ends."""
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
        self.connection.close()


def _this_life(folder: Path) -> list[dict[str, Any]]:
    """The events since the worker last started."""
    lines = logs.read(folder / events.EVENTS)[0]
    starts = [number for number, line in enumerate(lines) if line.get("type") == "starting"]
    return lines[starts[-1] :] if starts else []


def _error(line: dict[str, Any]) -> StudioError:
    words = line["error"]
    return StudioError(words.get("what", ""), words.get("why", ""), words.get("next", ""), field=words.get("field"))


def _gone(folder: Path) -> JobFailed:
    error = events.read_state(folder).error
    if error:
        return JobFailed(error["what"], error["why"], error["next"])
    return JobFailed(
        "The engine does not answer.",
        f"Its worker is {job_folder.status(folder)}.",
        "Start it again; output.log beside the job has the details.",
    )
