"""Other trainers as they come from the package index, each in a place of its own inside the workspace.

They are kept for the next time under `.environments`; none of them is ever installed beside our own packages.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from backend.benchmarks import measured
from backend.benchmarks.bench import Bench
from studio import preferences
from studio.errors import NoRoom, Offline, StudioError

GB = 1e9
HOME = ".environments"
READY = "ready"
LLAMA_FACTORY = "0.9.5"
TRL = "1.16.0"
# LLaMA-Factory asks for these and uses them for pictures and sound only; on a CPU they are left out.
LEFT_OUT = ("torchvision", "torchaudio")
ASKED = "import importlib.metadata as m; print('\\n'.join(m.requires('llamafactory')))"
# What each takes on the disk: LLaMA-Factory some 2.2 GB, and the CUDA libraries where PyTorch brings them.
LLAMA_FACTORY_GB, CUDA_GB, TRL_GB = 3.0, 6.0, 0.1


def llama_factory(bench: Bench) -> Path:
    """The Python of an environment with LLaMA-Factory and the packages it pins, and our PyTorch; made when missing."""
    folder = _home(bench, f"llama-factory-{LLAMA_FACTORY}")
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    cuda = sys.platform == "linux" and "+cpu" not in version("torch")
    with _made(bench, folder, LLAMA_FACTORY_GB + cuda * CUDA_GB) as missing:
        if missing:
            bench.say("LLaMA-Factory is installed in an environment of its own (once; some minutes).")
            _run(bench, Path(sys.executable), "-m", "venv", str(folder))
            torch = f"torch=={version('torch').partition('+')[0]}"
            _pip(bench, python, torch)
            _pip(bench, python, "--no-deps", f"llamafactory=={LLAMA_FACTORY}")
            asked = _run(bench, python, "-c", ASKED)
            needed = [line for line in asked.splitlines() if "extra ==" not in line and not line.startswith(LEFT_OUT)]
            _pip(bench, python, torch, *needed)
            site = Path(_run(bench, python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
            (site / "torchaudio.py").touch()  # it is imported, and nothing of it used
    return python


def trl(bench: Bench) -> Path:
    """A folder with TRL and nothing else, to be put on the path beside our own packages, which are all it needs."""
    folder = _home(bench, f"trl-{TRL}")
    with _made(bench, folder, TRL_GB) as missing:
        if missing:
            bench.say("TRL is fetched (once).")
            _pip(bench, Path(sys.executable), "--no-deps", "--target", str(folder), f"trl=={TRL}")
    return folder


def _home(bench: Bench, name: str) -> Path:
    return bench.job.workspace.root / HOME / name


@contextmanager
def _made(bench: Bench, folder: Path, needed: float) -> Iterator[bool]:
    """Whether the place is still to be made. A set-up that broke off begins anew: half a package looks like a whole
    one to pip; what was downloaded is taken from pip's cache.

    Raises:
        Offline, NoRoom: it can't be made now.
    """
    if (folder / READY).exists():
        yield False
        return
    preferences.check_online(bench.job.workspace, "The other trainer can't be fetched.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)
    free = shutil.disk_usage(folder.parent).free / GB
    if free < needed:
        raise NoRoom(
            "The disk has too little room for the other trainer.",
            f"It may take {needed:g} GB, and {free:.1f} GB are free.",
            f"Free some space on the disk of {folder.parent}.",
        )
    yield True
    (folder / READY).touch()


def _pip(bench: Bench, python: Path, *arguments: str) -> None:
    _run(bench, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)


def _run(bench: Bench, python: Path, *arguments: str) -> str:
    """What Python prints. What pip unpacks goes with the benchmark's own folder; its cache is where the user has it."""
    folder = bench.folder("set-up")
    env = measured.environment(TMPDIR=str(folder), TEMP=str(folder), TMP=str(folder))
    try:
        return bench.run([str(python), *arguments], folder / "output.log", cwd=folder, env=env).output
    except StudioError as error:
        raise Offline(
            "The other trainer can't be set up.",
            error.why or "pip ended without a word.",
            "Check the network; all that pip said is in the benchmark's output.log.",
        ) from error
