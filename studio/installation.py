"""The environment the studio runs in: found, made, taken up again, and used as it is where one already serves.

Standard library only: launch.py needs it before anything is installed. In `.venv` beside launch.py lie, besides the
environment itself: `install.json` (which dependency lists are installed, by hash), `install.unfinished` (while an
install goes on, and after one was cut off), `install.lock` and `install.log`.
"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from studio import packages
from studio.errors import BadInput, Refused, StudioError
from studio.files import read_json, write_json, write_text
from studio.installer import Progress, install

STAMPS = "install.json"
UNFINISHED = "install.unfinished"
LOCK = "install.lock"


class Installation:
    """The environment of one checkout.

    Args:
        root: the folder of launch.py, pyproject.toml and constraints.txt.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def find(self, extras: list[str]) -> Path | None:
        """The Python that has the base packages and those of `extras`; None when something must be installed.

        An active environment that serves is preferred to `.venv`.
        """
        own = self.python.exists() and not self._missing(self._wanted(extras), self._stamps())
        if os.path.realpath(sys.prefix) == os.path.realpath(self.folder):
            return Path(sys.executable) if own else None
        if packages.unmet(requirement for listed in self._wanted(extras).values() for requirement in listed) is None:
            return Path(sys.executable)
        return self.python if own else None

    def ensure(self, extras: list[str]) -> Path:
        """The Python of `find`, after installing what is missing into `.venv`.

        Raises:
            BadInput: there is no such extra.
            Refused: Python lacks venv, or `.venv` can't be used or written.
            Offline, NoRoom, StudioError: pip failed.
        """
        found = self.find(extras)
        if found:
            return found
        if not self.python.exists():
            check_venv()
        progress = Progress()
        try:
            self.folder.mkdir(exist_ok=True)
            with held(self.folder / LOCK, progress) as lock:
                self._complete(extras, progress, lock)
        except PermissionError as error:
            raise Refused(
                "The environment can't be set up here.",
                f"{error.filename or self.folder} may not be written by this user.",
                "Copy the studio to a folder of your own and start it there.",
            ) from None
        return self.python

    def recheck(self) -> None:
        """Forgets the stamps when a package they speak of is gone, so that `setup` mends what a hand took away."""
        site = self._site()
        listed = packages.declared(self.root)
        stamped = [one for name in self._stamps() for one in listed.get(name, [])]
        if site and stamped and packages.unmet(stamped, [str(site)]):
            (self.folder / STAMPS).unlink()

    def state(self) -> str:
        """`ready`, `unfinished` or `missing`."""
        if self.find([]):
            return "ready"
        return "unfinished" if (self.folder / UNFINISHED).exists() else "missing"

    def _complete(self, extras: list[str], progress: Progress, lock: int) -> None:
        stamps = self._stamps()
        wanted = self._wanted([*extras, *(name for name in stamps if name in packages.declared(self.root))])
        missing = self._missing(wanted, stamps)
        if self.python.exists() and not missing:
            return  # another launch did it while this one waited
        site = self._environment(progress)
        stamped = {name: packages.fingerprint(self.root, listed) for name, listed in wanted.items()}
        if not self._accepted(missing, stamps, site):
            write_text(self.folder / UNFINISHED, "packages")
            packages.mend(site)
            install(self.python, site, self.root, [one for listed in wanted.values() for one in listed], progress, lock)
        write_json(self.folder / STAMPS, {"format": 1, "lists": stamped})
        (self.folder / UNFINISHED).unlink(missing_ok=True)

    def _accepted(self, missing: dict[str, list[str]], stamps: dict[str, str], site: Path) -> bool:
        """Whether an environment that nothing stamped yet, made by hand perhaps, has all that is missing."""
        if (self.folder / UNFINISHED).exists() or any(name in stamps for name in missing):
            return False
        return packages.unmet((one for listed in missing.values() for one in listed), [str(site)]) is None

    def _environment(self, progress: Progress) -> Path:
        """Makes `.venv`, or makes it anew where it no longer works; returns its site-packages."""
        cut_off = _text(self.folder / UNFINISHED) == "environment"
        site = None if cut_off else self._site()
        if site:
            return site
        ours = cut_off or bool(self._stamps()) or (self.folder / UNFINISHED).exists()
        if self.python.exists() and not ours:
            raise Refused(
                "The environment in .venv can't be used.",
                "Something else made it, and its Python does not run, is older than 3.11 or has no pip.",
                f"Delete or rename the folder {self.folder} and give the command again.",
            )
        check_venv()
        progress.say("making the environment in .venv (needed once; the packages take about 2 GB, with CUDA about 7)")
        write_text(self.folder / UNFINISHED, "environment")
        for place in self.folder.iterdir():
            if place.name not in (UNFINISHED, LOCK):
                shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
        made = subprocess.run([sys.executable, "-m", "venv", str(self.folder)], capture_output=True, text=True)
        site = self._site()
        if made.returncode or not site:
            words = (made.stderr or made.stdout).strip().splitlines()
            raise StudioError(
                "The environment could not be made.",
                words[-1] if words else "Python's venv ended without a word.",
                "Check the room on the disk and Python's own installation, then give the command again.",
            )
        write_text(self.folder / UNFINISHED, "packages")
        return site

    def _site(self) -> Path | None:
        """Where the packages of `.venv` are; None when its Python does not run, is too old or has no pip."""
        if not self.python.exists():
            return None
        code = "import sys, sysconfig, pip; assert sys.version_info >= (3, 11); print(sysconfig.get_path('purelib'))"
        try:
            ran = subprocess.run([str(self.python), "-I", "-c", code], capture_output=True, text=True)
        except OSError:
            return None
        return Path(ran.stdout.strip()) if ran.returncode == 0 else None

    def _wanted(self, extras: list[str]) -> dict[str, list[str]]:
        lists = packages.declared(self.root)
        for name in extras:
            if name not in lists:
                known = ", ".join(sorted(lists.keys() - {packages.BASE})) or "none"
                raise BadInput(f"There is no extra “{name}”.", f"The extras there are: {known}.", "Choose one of them.")
        return {name: lists[name] for name in dict.fromkeys([packages.BASE, *extras])}

    def _stamps(self) -> dict[str, str]:
        try:
            lists = read_json(self.folder / STAMPS).get("lists")
        except (OSError, StudioError):
            return {}
        return lists if isinstance(lists, dict) else {}

    def _missing(self, wanted: dict[str, list[str]], stamps: dict[str, str]) -> dict[str, list[str]]:
        """Those of the wanted lists that are not installed as they stand now."""
        return {
            name: listed
            for name, listed in wanted.items()
            if stamps.get(name) != packages.fingerprint(self.root, listed)
        }


def report(installation: Installation) -> dict[str, Any]:
    """What can be said of this machine without the environment; changes nothing."""
    free = shutil.disk_usage(installation.root).free
    return {
        "environment": installation.state(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "free_disk_gb": round(free / 1e9, 1),
        "nvidia_driver": shutil.which("nvidia-smi") is not None,
        "next": "python3 launch.py setup",
    }


def check_venv() -> None:
    """Refused, with the package to install, when this Python can't make environments."""
    try:
        importlib.import_module("venv")
        importlib.import_module("ensurepip")
    except ImportError:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        package = f"On Debian or Ubuntu: apt install python{version}-venv (or python3-venv)."
        if not Path("/etc/debian_version").exists():
            package = f"{package} Elsewhere: install the venv and ensurepip modules of Python {version}."
        raise Refused(
            "This Python can't make an environment.",
            f"{sys.executable} comes without the modules venv and ensurepip.",
            f"{package} Then give the command again.",
        ) from None


@contextmanager
def held(path: Path, progress: Progress) -> Iterator[int]:
    """Holds a lock file, waiting for another launch to let go of it; the system frees it when its holder dies."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while not _lock(handle):
            if not progress.text:
                progress.say("another launch of the studio is setting the environment up; waiting for it")
            progress.beat()
            time.sleep(0.2)
        yield handle
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
