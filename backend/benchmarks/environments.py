"""Other trainers as they come from the package index, each in a place of its own inside the workspace.

They are kept for the next time under `.environments`; none of them is ever installed beside our own packages.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

from backend.benchmarks.bench import Bench
from studio import preferences
from studio.errors import Offline

HOME = ".environments"
READY = "ready"
LLAMA_FACTORY = "0.9.5"
TRL = "1.16.0"
# LLaMA-Factory asks for these and uses them for pictures and sound only; on a CPU they are left out.
LEFT_OUT = ("torchvision", "torchaudio")


def llama_factory(bench: Bench) -> Path:
    """The Python of an environment with LLaMA-Factory and the packages it pins, and our PyTorch; made when missing."""
    folder = _home(bench, f"llama-factory-{LLAMA_FACTORY}")
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if (folder / READY).exists():
        return python
    bench.say("LLaMA-Factory is installed in an environment of its own (once; some minutes).")
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    torch = f"torch=={version('torch').partition('+')[0]}"
    _pip(bench, python, torch)
    _pip(bench, python, "--no-deps", f"llamafactory=={LLAMA_FACTORY}")
    asked = _run(python, "-c", "import importlib.metadata as m; print('\\n'.join(m.requires('llamafactory')))")
    needed = [line for line in asked.splitlines() if "extra ==" not in line and not line.startswith(LEFT_OUT)]
    _pip(bench, python, torch, *needed)
    site = Path(_run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (site / "torchaudio.py").touch()  # it is imported, and nothing of it used
    (folder / READY).touch()
    return python


def trl(bench: Bench) -> Path:
    """A folder with TRL and nothing else, to be put on the path beside our own packages, which are all it needs."""
    folder = _home(bench, f"trl-{TRL}")
    if not (folder / READY).exists():
        bench.say("TRL is fetched (once).")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _pip(bench, Path(sys.executable), "--no-deps", "--target", str(folder), f"trl=={TRL}")
        (folder / READY).touch()
    return folder


def _home(bench: Bench, name: str) -> Path:
    return bench.job.workspace.root / HOME / name


def _pip(bench: Bench, python: Path, *arguments: str) -> None:
    preferences.check_online(bench.job.workspace, "The other trainer can't be fetched.")
    bench.job.stop_if_asked()
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)


def _run(python: Path, *arguments: str) -> str:
    done = subprocess.run([str(python), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout, done.stderr, flush=True)
        raise Offline(
            "The other trainer can't be set up.",
            (done.stderr.strip().splitlines() or ["pip ended without a word."])[-1][:300],
            "Check the network; all that pip said is in the benchmark's output.log.",
        )
    return done.stdout
