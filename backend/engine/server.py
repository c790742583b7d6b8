"""The engine as a job: base and tuned of a run, over a loopback port, for the page and the command line.

    python -m backend.engine FOLDER          FOLDER is jobs/ID of a workspace

Requests need `Authorization: Bearer TOKEN`; the token is in the file `token` of the job's folder, which only its owner
can read. Bodies are JSON.

    GET  /health    {"loaded", "held", "busy", "device", "settled", "weights", "sharing"}
    POST /pair      {"messages", "tuned_messages"?, "tools"?, "options"?}
    POST /answer    {"messages", "tools"?, "options"?, "weights"?}
                    lines of JSON: {"side", "text"} as it is written, {"side", "text": "", "ended": true, "weights"}
                    when a side has ended, with its stamp, then {"answers": {side: the whole Answer}}, or
                    {"error": {"what", "why", "next"}}
    POST /unload    frees the weights' memory; the next question loads them again
    POST /stop      ends the job

`options` are the fields of Generation; `tuned_messages` is the conversation of the tuned side where it is another than
the base's. A client that hangs up stops its answers.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from backend.engine.conversation import Prompt
from backend.engine.engine import Engine
from backend.job import Job, StopRequested, in_words
from backend.tuned import TUNED, open_tuned
from studio import events, logs, work
from studio.errors import BadInput, Busy, NoMemory, StudioError
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.settings.answering import EngineSettings, Generation
from studio.settings.base import check
from studio.workspace import Workspace

TOKEN = "token"
MOST_BYTES = 8 << 20
POLL_SECONDS = 0.1
DEVICE_SECONDS = 1.0
# How long answers under way may take to say that they were stopped.
LAST_SECONDS = 0.5
# Connections that send nothing are closed after so long.
PATIENCE_SECONDS = 30.0


def main(job: Job) -> dict[str, Any]:
    settings = check(EngineSettings, {key: value for key, value in job.settings.items() if key != "job"})
    tuned = open_tuned(job.workspace, settings.run)
    job.event("loading", item="base and tuned model")
    engine = tuned.engine(settings, job.message)
    if other := device_user(job.workspace):
        engine.move(away=True)
        # What is loaded now would be freed by the first look.
        job.message(f"The machine is {work.told(job.workspace, other).words}; the models load when somebody asks.")
    else:
        engine.load()
    token = secrets.token_urlsafe(32)
    write_secret(job.folder / TOKEN, token)
    server = Server(engine, token, job.folder)
    try:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        sharing = asdict(engine.sharing[TUNED])
        job.event("serving", port=server.server_port, weights=engine.stamps, sharing=sharing, device=engine.device)
        return watch(job, server, settings.idle_minutes * 60)
    finally:
        (job.folder / TOKEN).unlink(missing_ok=True)
        server.finish(LAST_SECONDS)


def watch(job: Job, server: Server, idle_seconds: float) -> dict[str, Any]:
    """Waits until the job shall end: a stop file, /stop, or nobody asking for a while; gives way to training."""
    looked = 0.0
    while not server.ending.wait(POLL_SECONDS):
        if job.should_stop():
            raise StopRequested(answers=server.answers)
        if server.idle() > idle_seconds:
            return {"answers": server.answers, "reason": f"nobody asked anything for {idle_seconds / 60:g} minutes"}
        if time.monotonic() - looked >= DEVICE_SECONDS:
            looked = time.monotonic()
            _give_way(job, server)
    return {"answers": server.answers, "reason": "asked to end"}


def _give_way(job: Job, server: Server) -> None:
    """Frees the device while another job has it; answers are then computed on the CPU.

    There too the models leave the memory after each answer, though the next question loads them again (the starter: in
    about two seconds). A run plans with what they held (studio/headroom.py), and on a CPU its memory rises and falls
    within each step: what is free at one look says little of the next, and a run that the system ends for want of
    memory is worse than a load.
    """
    engine = server.engine
    other = device_user(job.workspace)
    wanted = "cpu" if other else engine.home
    if engine.device != wanted:
        if not engine.move(away=other is not None):
            return
        busy = other and f"The machine is {work.told(job.workspace, other).words}; answers are computed on the CPU."
        job.message(busy or "Back on the GPU.")
    elif other and engine.loaded and server.idle() > 0:
        engine.unload()
        busy = f"The machine is {work.told(job.workspace, other).words}"
        job.message(f"{busy}; the models left the memory until somebody asks.")


def device_user(workspace: Workspace) -> Path | None:
    """The folder of the job that has the device, read from its note and its own lock.

    The device's lock itself is left alone: looking at it means holding it for a moment, in which a job that is to be
    started would find it taken.
    """
    try:
        name = json.loads((workspace.jobs / queue.HOLDER).read_text(encoding="utf-8"))["folder"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    folder = workspace.root / str(name)
    last = logs.last(folder / events.EVENTS)
    if last is None or last.get("type") in events.TERMINAL or not job_folder.alive(folder):
        return None
    return folder


def write_secret(path: Path, secret: str) -> None:
    """A file that only its owner can read, from its first byte on."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(secret)


class Server(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1.

    ending: set when the job shall end; answers: how many were given.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, engine: Engine, token: str, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.engine = engine
        self.token = token
        self.folder = folder
        self.ending = threading.Event()
        self.answers = 0
        self._asking = 0
        self._last = time.monotonic()
        self._counting = threading.Lock()

    def idle(self) -> float:
        """Seconds since the last question ended; 0 while one is being answered."""
        with self._counting:
            return 0.0 if self._asking else time.monotonic() - self._last

    def finish(self, seconds: float) -> None:
        """Ends the answers under way at their next token, and waits for them so long at most."""
        self.ending.set()
        deadline = time.monotonic() + seconds
        while self.idle() == 0 and time.monotonic() < deadline:
            time.sleep(0.01)

    def begin(self) -> None:
        with self._counting:
            self._asking += 1

    def end(self) -> None:
        with self._counting:
            self._asking -= 1
            self._last = time.monotonic()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error; everything else is told by the handler itself."""

    def should_stop(self) -> bool:
        return self.ending.is_set() or (self.folder / job_folder.STOP).exists()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "FlexTune"
    sys_version = ""
    timeout = PATIENCE_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: what people ask is theirs."""

    def do_GET(self) -> None:
        if self._allowed():
            self._json(200, self._health()) if self.path == "/health" else self._refuse(404, "There is no such page.")

    def do_POST(self) -> None:
        if not self._allowed():
            return
        match self.path:
            case "/pair" | "/answer":
                self._ask()
            case "/unload":
                self.server.engine.unload()
                self._json(200, self._health())
            case "/stop":
                self._json(200, {})
                self.server.ending.set()
            case _:
                self._refuse(404, "There is no such page.")

    # Who may ask

    def _allowed(self) -> bool:
        port = self.server.server_port
        hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        origin = self.headers.get("Origin")
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.headers.get("Host", "") not in hosts or (origin and origin.removeprefix("http://") not in hosts):
            self._refuse(403, "Requests from other sites are refused.")
        elif not secrets.compare_digest(given.encode(), self.server.token.encode()):
            self._refuse(401, "The token is missing or wrong.")
        else:
            return True
        return False

    def _health(self) -> dict[str, Any]:
        engine = self.server.engine
        return {
            "loaded": engine.loaded,
            "held": engine.held,
            "busy": self.server.idle() == 0,
            "device": engine.device,
            "settled": engine.settled,
            "weights": engine.stamps,
            "sharing": {name: asdict(sharing) for name, sharing in engine.sharing.items()},
        }

    # Questions and answers

    def _ask(self) -> None:
        try:
            body = self._body()
            prompt = Prompt(messages_of(body), body.get("tools"))
            other = Prompt(messages_of(body, "tuned_messages"), prompt.tools) if "tuned_messages" in body else prompt
            options = check(Generation, body.get("options") or {}, "These options can't be used.")
        except StudioError as error:
            self._json(400, {"error": error.as_dict()})
            return
        self.server.begin()
        try:
            self._stream_answers((prompt, other), options, str(body.get("weights") or "base"))
        finally:
            self.server.end()

    def _stream_answers(self, prompts: tuple[Prompt, Prompt], options: Generation, weights: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        lost = threading.Event()

        def say(side: str, text: str) -> None:
            ended = {} if text else {"ended": True, "weights": self.server.engine.stamps[side]}
            self._line({"side": side, "text": text} | ended, lost)

        def should_stop() -> bool:
            return lost.is_set() or self.server.should_stop()

        try:
            self._line(self._answers(prompts, options, weights, say, should_stop), lost)
        except Exception as error:
            self._line({"error": _told(error).as_dict()}, lost)
        with suppress(OSError):
            self.wfile.write(b"0\r\n\r\n")

    def _answers(
        self, prompts: tuple[Prompt, Prompt], options: Generation, weights: str, say: Any, should_stop: Any
    ) -> dict[str, Any]:
        engine = self.server.engine
        prompt, other = prompts
        if self.path == "/pair":
            (pair,) = engine.pairs(
                [prompt],
                options,
                tuned_prompts=[other],
                on_token=lambda _, side, text: say(side, text),
                should_stop=should_stop,
            )
            answers = asdict(pair)
        else:
            (answer,) = engine.answer(
                [prompt], weights, options, on_token=lambda _, text: say(weights, text), should_stop=should_stop
            )
            answers = {weights: asdict(answer)}
        self.server.answers += len(answers)
        return {"answers": answers}

    def _line(self, data: dict[str, Any], lost: threading.Event) -> None:
        """One line of the stream; `lost` is set when nobody listens any more."""
        line = json.dumps(data, ensure_ascii=False).encode() + b"\n"
        try:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        except OSError:
            lost.set()
            self.close_connection = True

    def _body(self) -> dict[str, Any]:
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            length = -1
        if not 0 <= length <= MOST_BYTES:
            self.close_connection = True
            raise BadInput("The question can't be read.", f"It must have a length, at most {MOST_BYTES:,} bytes.")
        try:
            body = json.loads(self.rfile.read(length))
        except (ValueError, RecursionError) as error:
            raise BadInput("The question can't be read.", f"It is not valid JSON: {error}.") from None
        if not isinstance(body, dict):
            raise BadInput("The question can't be read.", "It is no JSON object.")
        return body

    def _refuse(self, code: int, why: str) -> None:
        self._json(code, {"error": Busy("The engine did not answer.", why).as_dict()})

    def _json(self, code: int, data: dict[str, Any]) -> None:
        text = json.dumps(data, ensure_ascii=False).encode()
        with suppress(OSError):
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            if code >= 400:
                self.send_header("Connection", "close")  # what is left of the body is not read
                self.close_connection = True
            self.end_headers()
            self.wfile.write(text)


def _told(error: Exception) -> StudioError:
    """Why there is no answer, with what to do about it in a chat, where there is nothing to resume."""
    known = in_words(error)
    if isinstance(known, NoMemory):
        return NoMemory(known.what, known.why, "Close other programs, or ask for a shorter answer.")
    return known


def messages_of(body: dict[str, Any], key: str = "messages") -> list[dict[str, Any]]:
    """The turns of a question; BadInput when they are none."""
    messages = body.get(key)
    good = (
        isinstance(messages, list)
        and messages
        and all(
            isinstance(turn, dict) and isinstance(turn.get("role"), str) and isinstance(turn.get("content"), str)
            for turn in messages
        )
    )
    if not good:
        raise BadInput(
            "The question can't be read.",
            f"“{key}” must be a list of turns, each with “role” and “content”.",
            'Give for example {"messages": [{"role": "user", "content": "Hello"}]}.',
        )
    return list(messages or [])
