"""The studio as a program: how it starts, who gets in, how it ends. Each test runs the real `launch.py`."""

from __future__ import annotations

import base64
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio.errors import Refused
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.workspace import Workspace
from ui import app
from ui.guard import LARGEST_MESSAGE
from ui.password import PASSWORD_VARIABLE, Password

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 90.0
MEMORY = 350e6


class Launched:
    """One `launch.py` with its output."""

    def __init__(self, *argv: str, **environment: str) -> None:
        import os

        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "launch.py", *argv],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def address(self) -> str:
        """What it says where it is."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + (self.process.stderr.read() if self.process.stderr else "")
        return found[0]

    def end(self, how: int = signal.SIGTERM) -> tuple[int, str]:
        """Its exit code and what it said on standard error."""
        self.process.send_signal(how)
        _, words = self.process.communicate(timeout=30)
        return self.process.returncode, words

    def result(self) -> tuple[int, str, str]:
        out, words = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out, words


@pytest.fixture
def launch() -> Iterator[Callable[..., Launched]]:
    made: list[Launched] = []

    def start(*argv: str, **environment: str) -> Launched:
        made.append(Launched(*argv, **environment))
        return made[-1]

    yield start
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


@pytest.fixture(scope="module")
def open_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Launched]]:
    """One studio, loaded, for the tests that only ask it things: its address and its process."""
    studio = Launched(
        "--no-browser", "--port", str(free_port()), "--workspace", str(tmp_path_factory.mktemp("w") / "w")
    )
    address = studio.address()
    app.wait_until_ready(address, SECONDS)
    yield address, studio
    studio.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(
    address: str, path: str = "/", method: str = "GET", body: Any = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named, encode_chunked=not isinstance(body, bytes | str | None))
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


# ---- Start ----


def test_the_splash_answers_at_once_and_hands_over(launch: Callable[..., Launched], tmp_path: Path) -> None:
    studio = launch("ui", "--no-browser", "--port", str(free_port()), "--workspace", str(tmp_path / "w"))
    address = studio.address()
    status, headers, page = ask(address)
    first = time.monotonic() - studio.began
    assert status == 200 and b"Opening the studio" in page and headers["cache-control"] == "no-store"
    assert ask(address, "/studio/ready")[0] == 503
    # A browser's connection that says nothing holds up nobody.
    with socket.create_connection(address.removeprefix("http://").split(":")):  # type: ignore[arg-type]
        began = time.monotonic()
        ask(address, "/studio/ready")
        assert time.monotonic() - began < 3
    refused = 0
    while ask(address, "/studio/ready")[0] != 200:
        refused += 1
        assert time.monotonic() - studio.began < SECONDS
        time.sleep(0.05)
    usable = time.monotonic() - studio.began
    assert b"gradio-app" in ask(address)[2]
    print(f"\nfirst byte after {first:.2f} s (wanted: 0.5), pages loaded after {usable:.2f} s (wanted: 5)")


def test_help_needs_no_workspace(launch: Callable[..., Launched], tmp_path: Path) -> None:
    code, out, _ = launch("ui", "--help", "--workspace", str(tmp_path / "w")).result()
    assert code == 0 and "--no-browser" in out and not (tmp_path / "w").exists()


def test_a_named_port_that_is_taken_is_said_plainly(launch: Callable[..., Launched], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, out, words = launch("--no-browser", "--port", port, "--workspace", str(tmp_path / "w")).result()
    assert code == 1 and not out
    assert f"Port {port} can't be used." in words and "Name another port" in words and "Traceback" not in words


def test_what_is_no_port_and_what_is_no_address_of_this_machine_are_told_as_such(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        app.parser().parse_args(["--port", "70000"])
    assert "70000 is no port" in capsys.readouterr().err
    with pytest.raises(Refused, match=r"can't open on 192\.0\.2\.1"):  # kept for documents, nobody has it
        app.listen("192.0.2.1", None)


def test_the_next_free_port_is_taken_when_none_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(app, "PORT", taken.getsockname()[1])
        with app.listen("127.0.0.1", None) as found:
            assert app.PORT < found.getsockname()[1] < app.PORT + app.PORTS_TRIED
    assert f"Port {app.PORT} is taken" in capsys.readouterr().err


def test_a_second_start_opens_the_first(open_studio: tuple[str, Launched], launch: Callable[..., Launched]) -> None:
    address, _ = open_studio
    workspace = json.loads(ask(address, "/studio/ready")[2])["workspace"]
    code, out, words = launch("--no-browser", "--workspace", workspace).result()
    assert (code, words) == (0, "") and out == f"A studio is already open on this workspace: {address}\n"


# ---- End ----


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(("how", "loaded"), [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGINT, False)])
def test_it_closes_cleanly(launch: Callable[..., Launched], workspace: Workspace, how: int, loaded: bool) -> None:
    studio = launch("--no-browser", "--port", str(free_port()), "--workspace", str(workspace.root))
    address = studio.address()
    if loaded:
        app.wait_until_ready(address, SECONDS)
    else:
        ask(address)
    code, words = studio.end(how)
    assert code == 0 and "Runs go on" in words and "Traceback" not in words
    assert not (workspace.jobs / app.NOTE).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_runs_outlive_it_and_a_killed_one_leaves_nothing_wrong(
    launch: Callable[..., Launched], workspace: Workspace
) -> None:
    argv = ("--no-browser", "--port", str(free_port()), "--workspace", str(workspace.root))
    studio = launch(*argv)
    app.wait_until_ready(studio.address(), SECONDS)
    run = job_folder.create(workspace, "rehearsal", {"steps": 100_000, "seconds": 0.02})
    ask(f"http://127.0.0.1:{argv[2]}", "/studio/runs")  # an open page has the queue looked after
    wait_for(lambda: job_folder.status(run) == "running")
    studio.end(signal.SIGKILL)
    assert job_folder.status(run) == "running"
    again = launch(*argv)
    app.wait_until_ready(again.address(), SECONDS)
    told = json.loads(ask(f"http://127.0.0.1:{argv[2]}", f"/studio/runs/{run.name}/news")[2])
    assert told["run"]["status"] == "running"
    again.end()
    assert job_folder.status(run) == "running"
    queue.stop(workspace, run)
    wait_for(lambda: job_folder.status(run) == "stopped")


def wait_for(happens: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


# ---- Who gets in ----


def test_beyond_loopback_it_does_not_open_without_a_password(launch: Callable[..., Launched], tmp_path: Path) -> None:
    code, out, words = launch("--host", "0.0.0.0", "--no-browser", "--workspace", str(tmp_path / "w")).result()
    assert code == 1 and not out and "without a password" in words and PASSWORD_VARIABLE in words


def test_beyond_loopback_everything_asks_for_the_password(
    launch: Callable[..., Launched], workspace: Workspace
) -> None:
    Password(workspace.root).set("correct horse")
    port = str(free_port())
    studio = launch("--host", "0.0.0.0", "--port", port, "--no-browser", "--workspace", str(workspace.root))
    address = studio.address()
    assert address == f"http://127.0.0.1:{port}"
    wait_for(lambda: ask(address, "/studio/ready")[0] != 503, SECONDS)
    for path in PATHS:
        assert ask(address, path)[0] == 401, path
    key = "Basic " + base64.b64encode(b"me:correct horse").decode()
    assert ask(address, Authorization=key)[0] == 200
    # The one who is in through the password can't take it away under everybody's feet.
    status, _, told = ask(
        address, "/studio/settings/password", "POST", b"{}", Authorization=key, Content_Type="application/json"
    )
    assert status == 409 and "without --host" in json.loads(told)["error"]["next"]


# One of each kind of route: ours, Gradio's, files, what does not exist.
ASSETS = "ASSETS"  # stands for the address of the page's own files, which names the edition
PATHS = ("/", "/studio/ready", "/studio/settings", f"{ASSETS}/studio.css", "/studio/plotly.js", "/config",
         "/gradio_api/info", "/gradio_api/file=launch.py", "/theme.css", "/assets/x", "/nothing")  # fmt: skip


def in_edition(address: str, path: str) -> str:
    """The path with the address of the page's own files, as the page says it."""
    found = re.search(r"/studio/assets/\w+(?=/studio\.js)", ask(address)[2].decode())
    assert found
    return path.replace(ASSETS, found[0])


@pytest.mark.parametrize("path", PATHS)
def test_the_guard_stands_before_every_route(open_studio: tuple[str, Launched], path: str) -> None:
    address, _ = open_studio
    path = in_edition(address, path)
    for method in ("GET", "HEAD", "OPTIONS", "POST"):
        assert ask(address, path, method, Host="evil.example")[0] == 400
        assert ask(address, path, method, Origin="http://evil.example")[0] == 403
    status, headers, _ = ask(address, path)
    assert status == 200 or not path.startswith("/studio/assets/")
    assert status != 500 and headers["x-content-type-options"] == "nosniff" and "set-cookie" not in headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "evil" not in headers.get("access-control-allow-origin", "")


@pytest.mark.parametrize(
    "path",
    [f"{ASSETS}/../../pyproject.toml", f"{ASSETS}/..%2f..%2fpyproject.toml", f"{ASSETS}/%2e%2e/%2e%2e/pyproject.toml",
     f"{ASSETS}//etc/passwd", f"{ASSETS}/..\\..\\launch.py", "/studio/assets/../../../pyproject.toml",
     "/gradio_api/file=pyproject.toml", "/gradio_api/file=/etc/passwd", "/gradio_api/file=../pyproject.toml",
     f"/gradio_api/file={ROOT}/pyproject.toml", "/file=/etc/passwd", "/static/../../../../pyproject.toml",
     "/assets/..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd", "/gradio_api/file=http://127.0.0.1:1/",
     "/gradio_api/proxy=http://127.0.0.1:1/", "/studio/runs/..%2f..%2fjobs", "/studio/jobs/jobs/..%2f..%2fruns",
     "/studio/datasets/..%2f..%2fruns"],
)  # fmt: skip
def test_no_path_leads_out(open_studio: tuple[str, Launched], path: str) -> None:
    status, _, body = ask(open_studio[0], in_edition(open_studio[0], path))
    assert status in (400, 403, 404, 409, 422), (status, body[:200])
    assert b"flextune-studio" not in body and b"root:" not in body


def test_gradios_doors_that_nobody_needs_are_shut(open_studio: tuple[str, Launched]) -> None:
    for path in DOORS_SHUT:
        for method in ("GET", "POST"):
            assert ask(open_studio[0], path, method)[0] == 404, path


def test_a_body_in_chunks_is_cut_off(open_studio: tuple[str, Launched]) -> None:
    address, _ = open_studio

    def endless() -> Iterator[bytes]:
        for _ in range(LARGEST_MESSAGE // 2**20 + 2):
            yield b" " * 2**20

    try:
        status, _, told = ask(
            address, "/studio/imports/preview", "POST", endless(),
            Transfer_Encoding="chunked", Content_Type="application/json",
        )  # fmt: skip
        assert status == 413 and "too large" in json.loads(told)["error"]["what"]
    except (BrokenPipeError, ConnectionResetError):
        pass  # it hung up on the sender, who was still sending
    assert ask(address)[0] == 200


DOORS_SHUT = ("/monitoring", "/monitoring/summary", "/docs", "/openapi.json", "/gradio_api/openapi.json", "/login",
              "/gradio_api/upload", "/gradio_api/vibe-edit", "/gradio_api/vibe-code", "/gradio_api/component_server",
              "/gradio_api/file=https://dns.google/", "/gradio_api/proxy=https://hf.space/")  # fmt: skip


# ---- What it costs ----


def test_no_torch_and_little_memory(open_studio: tuple[str, Launched]) -> None:
    address, studio = open_studio
    ask(address)
    process = psutil.Process(studio.process.pid)
    assert not [one.path for one in process.memory_maps() if "torch" in Path(one.path).parts]
    memory = process.memory_info().rss
    print(f"\nthe page's process has {memory / 1e6:.0f} MB (wanted: 350)")
    assert memory < MEMORY


def test_an_idle_one_is_idle(open_studio: tuple[str, Launched]) -> None:
    """Gradio's queue looks a thousand times a second unless it is calmed."""
    process = psutil.Process(open_studio[1].process.pid)
    before = process.cpu_times()
    time.sleep(2.0)
    after = process.cpu_times()
    share = (after.user + after.system - before.user - before.system) / 2.0
    print(f"\nidle, it takes {share:.1%} of a core")
    assert share < 0.08
