"""The studio as a server: one port for the pages and their data, a splash until they are loaded.

python3 launch.py [ui] [--host H] [--port P] [--no-browser] [--workspace W]
"""

from __future__ import annotations

import argparse
import errno
import json
import signal
import socket
import sys
import threading
import time
import urllib.request
import webbrowser
from pathlib import Path

from filelock import FileLock, Timeout

from studio.commands.frame import default_workspace
from studio.errors import Refused, StudioError, explain
from studio.files import read_json, write_json
from studio.libraries import heavy_imports
from studio.workspace import Workspace
from ui.password import PASSWORD_VARIABLE, Password, is_loopback
from ui.splash import READY, Splash
from ui.thrift import be_thrifty, plain_arrow

PORT = 7860
PORTS_TRIED = 50
LOCK = "studio.lock"
NOTE = "studio.json"
NOTE_SECONDS = 5.0
LARGEST_UPLOAD = 2 * 10**9


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="launch.py ui", description="Open the studio in the browser.")
    made.add_argument(
        "--host", default="127.0.0.1", help="the address to listen on; others than loopback need a password"
    )
    made.add_argument("--port", type=_port, help=f"the port; {PORT} or the next free one when left out")
    made.add_argument("--no-browser", action="store_true", help="do not open a browser window")
    made.add_argument("--workspace", metavar="W", help="the folder that holds everything; default: workspace")
    return made


def run(argv: list[str]) -> int:
    """Serves the studio until Ctrl+C or SIGTERM; returns the exit code."""
    args = parser().parse_args(argv)
    be_thrifty()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        workspace = Workspace.open(Path(args.workspace) if args.workspace else default_workspace())
        lock = FileLock(workspace.jobs / LOCK, is_singleton=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return _show_the_open_one(workspace, browser=not args.no_browser)
        with lock:
            note = workspace.jobs / NOTE
            note.unlink(missing_ok=True)  # of a studio that was killed
            try:
                serve(workspace, args.host, args.port, browser=not args.no_browser)
            finally:
                note.unlink(missing_ok=True)
    except (StudioError, OSError) as error:
        told = explain(error)
        print("\n".join(part for part in (told.what, told.why, told.next) if part), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("The studio is closed. Runs go on; start it again to see them.", file=sys.stderr)
    return 0


def _interrupt(*_: object) -> None:
    """The system's polite way to end a program counts as Ctrl+C."""
    raise KeyboardInterrupt


def serve(workspace: Workspace, host: str, port: int | None, browser: bool) -> None:
    """Answers with the splash at once, loads the pages, and hands the socket over to them."""
    _check_password(workspace, host)
    listener = listen(host, port)
    address = _address(host, listener.getsockname()[1])
    splash = Splash(listener)
    write_json(workspace.jobs / NOTE, {"address": address})
    print(f"FlexTune Studio is at {address} (Ctrl+C closes it; runs go on).", flush=True)
    if browser:
        threading.Thread(target=_open_browser, args=(address,), daemon=True).start()

    with heavy_imports():  # they take seconds
        import uvicorn

        from ui.page import build

        app = build(workspace, host, LARGEST_UPLOAD)
    plain_arrow()
    splash.stop()
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, ws="none", timeout_graceful_shutdown=2
    )
    uvicorn.Server(config).run(sockets=[listener])


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port: they go up to 65535")
    return number


def listen(host: str, port: int | None) -> socket.socket:
    """A listening socket; without a port asked for, the usual one or the next free.

    Raises:
        Refused: the port asked for is taken, or no port near the usual one is free.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in [port] if port is not None else range(PORT, PORT + PORTS_TRIED):
        listener = socket.socket(family, socket.SOCK_STREAM)
        # Without it a port stays taken for a minute after a restart; Windows means something else by it.
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen(128)
        except OSError as error:
            listener.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise Refused(
                    f"The studio can't open on {host}.",
                    f"{error.strerror or error}: it is no address of this machine.",
                    "Name another one with --host, or 0.0.0.0 for all it has.",
                ) from None
            if port is not None:
                raise Refused(
                    f"Port {port} can't be used.",
                    f"{error.strerror or error}: another program listens there, or the system keeps it.",
                    "Name another port, or none to take the next free one.",
                ) from None
            if candidate == PORT:
                print(f"Port {PORT} is taken by another program; taking the next free one.", file=sys.stderr)
            continue
        return listener
    raise Refused("No port is free.", f"{PORT} to {PORT + PORTS_TRIED - 1} are all taken.", "Name one with --port.")


def _check_password(workspace: Workspace, host: str) -> None:
    if not is_loopback(host) and not Password(workspace.root).is_set():
        raise Refused(
            f"The studio does not open on {host} without a password.",
            "On that address other machines could reach it.",
            f"Open it without --host and set one on the Settings page, or put one into {PASSWORD_VARIABLE}.",
        )


def _address(host: str, port: int) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _show_the_open_one(workspace: Workspace, browser: bool) -> int:
    """Opens the studio that has this workspace instead of a second one."""
    deadline = time.monotonic() + NOTE_SECONDS
    while not (address := _noted(workspace)):
        if time.monotonic() > deadline:
            print("Another studio is just opening or closing this workspace; try again.", file=sys.stderr)
            return 1
        time.sleep(0.05)
    print(f"A studio is already open on this workspace: {address}", flush=True)
    if browser:
        _open_browser(address)
    return 0


def _noted(workspace: Workspace) -> str | None:
    """Where the open studio says it is."""
    try:
        return str(read_json(workspace.jobs / NOTE)["address"])
    except (StudioError, OSError, KeyError):
        return None


def _open_browser(address: str) -> None:
    """Opens the page; a machine without a browser is no error."""
    try:
        webbrowser.open(address)
    except webbrowser.Error:
        return


def wait_until_ready(address: str, seconds: float = 60.0) -> None:
    """Waits until the pages behind an address are loaded: for tests and for the command that takes screenshots."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(address + READY, timeout=2) as answer:
                if json.load(answer).get("ready"):
                    return
        except (OSError, ValueError):
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"{address} did not get ready in {seconds} s")
        time.sleep(0.05)
