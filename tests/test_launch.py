"""launch.py sets a small checkout up for real: venv and pip run, on packages that the test builds, without network."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.installation import Installation

ROOT = Path(__file__).resolve().parent.parent
FRONT = ("__init__", "errors", "files", "packages", "installer", "installation")
COMMANDS = """
COMMANDS = {"hello": "say where it runs", "check": "look", "setup": "install"}

def run(name, argv):
    import json, sys
    import small
    told = {"name": name, "argv": argv, "prefix": sys.prefix, "version": small.VERSION, "parts": small.parts()}
    print(json.dumps(told))
    return 0
"""
SMALL = """
from pathlib import Path
VERSION = {version!r}
def parts():
    return len(list(Path(__file__).parent.glob("part_*.txt")))
"""
PYTEST = "import sys; print('ran with', sys.argv[1:]); sys.exit(7)"


def wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> None:
    """Builds a package. Its record comes first, so that a cut-off install leaves a record without the files."""
    record = f"{name}-{version}.dist-info"
    contents = {
        f"{record}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{record}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **{f"{name}/{path}": text for path, text in files.items()},
    }

    def line(path: str, text: str) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        return f"{path},sha256={digest},{len(text.encode())}\n"

    lines = "".join(line(path, text) for path, text in contents.items()) + f"{record}/RECORD,,\n"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**contents, f"{record}/RECORD": lines}.items():
            archive.writestr(path, text)


def checkout(folder: Path, parts: int = 1) -> Path:
    """launch.py and what it needs, with one small package as the whole set of dependencies."""
    (folder / "studio" / "commands").mkdir(parents=True)
    shutil.copy(ROOT / "launch.py", folder)
    for name in FRONT:
        shutil.copy(ROOT / "studio" / f"{name}.py", folder / "studio")
    (folder / "studio" / "commands" / "__init__.py").write_text(COMMANDS)
    (folder / "pyproject.toml").write_text(
        '[project]\ndependencies = ["small>=1,<3"]\n[project.optional-dependencies]\ntest = ["pytest>=1"]\n'
    )
    pin(folder, "1.0")
    for version in ("1.0", "2.0", "3.0"):
        files = {f"part_{number}.txt": "x" * 100 for number in range(parts)}
        wheel(folder.parent / "wheels", "small", version, {"__init__.py": SMALL.format(version=version), **files})
    wheel(folder.parent / "wheels", "pytest", "1.0", {"__init__.py": "", "__main__.py": PYTEST})
    return folder


def pin(folder: Path, version: str) -> None:
    (folder / "constraints.txt").write_text(f"small=={version}\npytest==1.0\n")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """pip finds the test's packages and nothing else, whatever this machine's settings say."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return {
        **plain,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": str(folder.parent / "wheels"),
        "PIP_NO_INDEX": "1",
        "PIP_NO_CACHE_DIR": "1",
        **more,
    }


def start(folder: Path, *argv: str, python: str | Path = sys.executable, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(python), str(folder / "launch.py"), *argv],
        env=environment(folder, **more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def launch(
    folder: Path, *argv: str, python: str | Path = sys.executable, **more: str
) -> subprocess.CompletedProcess[str]:
    child = start(folder, *argv, python=python, **more)
    out, err = child.communicate(timeout=200)
    return subprocess.CompletedProcess(child.args, child.returncode, out, err)


def told(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose environment is set up."""
    folder = checkout(tmp_path_factory.mktemp("made") / "a checkout")
    done = launch(folder, "hello", "--flag", "word")
    assert told(done) == {
        "name": "hello",
        "argv": ["--flag", "word"],
        "prefix": str(folder / ".venv"),
        "version": "1.0",
        "parts": 1,
    }
    assert "making the environment" in done.stderr and "installed" in done.stderr
    return folder


@pytest.fixture
def restored(made: Path) -> Iterator[Path]:
    """The same, for a test that changes what is wanted."""
    before = {name: (made / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")}
    yield made
    for name, content in before.items():
        (made / name).write_bytes(content)
    told(launch(made, "hello"))


def test_a_later_launch_installs_nothing(made: Path) -> None:
    done = launch(made, "hello", PIP_FIND_LINKS="/nowhere")
    assert told(done)["version"] == "1.0"
    assert done.stderr == ""


def test_changed_versions_are_installed(restored: Path) -> None:
    pin(restored, "2.0")
    done = launch(restored, "hello")
    assert told(done)["version"] == "2.0"
    assert "installed" in done.stderr


def test_the_tests_have_an_extra_of_their_own(made: Path) -> None:
    done = launch(made, "test", "-k", "word", "--full")
    assert (done.returncode, done.stdout) == (7, "ran with ['-k', 'word', '--full']\n")
    assert set(json.loads((made / ".venv" / "install.json").read_text())["lists"]) == {"base", "test"}
    assert launch(made, "test", PIP_FIND_LINKS="/nowhere").stderr == ""


def test_setup_installs_the_extras_it_names(made: Path) -> None:
    assert told(launch(made, "setup", "--extra", "test"))["argv"] == ["--extra", "test"]
    done = launch(made, "setup", "--extra=nothing", "--json")
    assert done.returncode == 1
    assert "“nothing”" in json.loads(done.stdout)["error"]["what"] and "test" in done.stderr


def test_setup_brings_back_what_was_taken_away(made: Path) -> None:
    (site,) = (made / ".venv").glob("lib/*/site-packages")
    shutil.rmtree(site / "small")
    shutil.rmtree(site / "small-1.0.dist-info")
    assert launch(made, "hello").returncode == 1
    assert told(launch(made, "setup"))["version"] == "1.0"


def test_an_active_environment_that_serves_is_used_as_it_is(made: Path, tmp_path: Path) -> None:
    other = checkout(tmp_path / "other")
    python = made / ".venv" / "bin" / "python"
    assert told(launch(other, "hello", python=python))["prefix"] == str(made / ".venv")
    assert not (other / ".venv").exists()


def test_an_environment_made_by_hand_is_accepted(made: Path, tmp_path: Path) -> None:
    other = checkout(tmp_path / "other")
    shutil.copytree(made / ".venv", other / ".venv", symlinks=True)
    (other / ".venv" / "install.json").unlink()
    done = launch(other, "hello", PIP_FIND_LINKS="/nowhere")
    assert told(done)["prefix"] == str(other / ".venv")
    assert (other / ".venv" / "install.json").exists()


def test_a_foreign_environment_that_does_not_run_is_not_deleted(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "a")
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").write_text("mine")
    done = launch(folder, "hello")
    assert done.returncode == 1 and "Delete or rename" in done.stderr
    assert (folder / ".venv" / "bin" / "python").read_text() == "mine"


def test_a_killed_install_is_taken_up_again(tmp_path: Path) -> None:
    parts = 4000
    folder = checkout(tmp_path / "a", parts)
    child = start(folder, "hello")
    site = folder / ".venv" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    wait_for(lambda: (site / "small" / "part_20.txt").exists())
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate()
    assert (site / "small-1.0.dist-info" / "METADATA").exists(), "pip would believe it to be installed"
    assert not (site / "small" / f"part_{parts - 1}.txt").exists(), "it was not in the middle"
    assert Installation(folder).find([]) is None
    assert "unfinished" in launch(folder, "check").stdout
    assert told(launch(folder, "hello"))["parts"] == parts
    assert launch(folder, "hello").stderr == ""


def test_an_environment_cut_off_while_it_was_made_is_made_anew(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "a")
    child = start(folder, "hello")
    wait_for(lambda: list((folder / ".venv").glob("lib/*/site-packages/pip/_vendor")))
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate()
    assert told(launch(folder, "hello"))["version"] == "1.0"


def test_ctrl_c_is_said_in_words_and_taken_up_again(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "a")
    child = start(folder, "hello")
    wait_for(lambda: list((folder / ".venv").glob("lib/*/site-packages/pip")))
    os.killpg(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=200)
    assert child.returncode == 130 and "Interrupted" in err and "Traceback" not in err
    assert told(launch(folder, "hello"))["version"] == "1.0"


def test_the_second_of_two_launches_waits(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "a")
    children = [start(folder, "hello") for _ in range(2)]
    texts = [child.communicate(timeout=200) for child in children]
    assert [json.loads(out)["version"] for out, _ in texts] == ["1.0", "1.0"]
    made, waited = sorted((err for _, err in texts), key=lambda err: "waiting for it" in err)
    assert "making the environment" in made and "making the environment" not in waited
    assert "waiting for it" in waited


def test_no_network_is_said_in_words(restored: Path) -> None:
    pin(restored, "2.0")
    nowhere = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": "http://127.0.0.1:1/simple"}
    done = launch(restored, "hello", "--json", PIP_RETRIES="4", **nowhere)
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 1
    assert "package index can't be reached" in error["why"] and "network" in error["next"]
    assert "trying again" in done.stderr


def test_a_version_that_does_not_exist_names_the_tested_python(restored: Path) -> None:
    pin(restored, "2.5")
    done = launch(restored, "hello")
    assert done.returncode == 1
    assert "tested with Python 3.11" in done.stderr and "small" in done.stderr


def test_a_python_without_venv_names_the_package(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "a")
    hide = "import sys; sys.modules['ensurepip'] = None; import runpy; sys.argv = sys.argv[1:]; "
    command = [sys.executable, "-c", hide + "runpy.run_path(sys.argv[0], run_name='__main__')"]
    done = subprocess.run(
        [*command, "launch.py", "hello"], cwd=folder, env=environment(folder), capture_output=True, text=True
    )
    assert done.returncode == 1 and "-venv" in done.stderr and "can't make an environment" in done.stderr
    assert not (folder / ".venv").exists()


def test_check_changes_nothing(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "a")
    before = sorted(folder.rglob("*"))
    assert told(launch(folder, "check", "--json", PYTHONDONTWRITEBYTECODE="1"))["environment"] == "missing"
    assert sorted(folder.rglob("*")) == before


def test_words_that_are_no_command_install_nothing(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "a")
    done = launch(folder, "helo")
    assert done.returncode == 1 and "“hello”" in done.stderr
    done = launch(folder)
    assert done.returncode == 1 and "pages are not in this version" in done.stderr and "hello" in done.stderr
    assert not (folder / ".venv").exists()


def test_the_workspace_may_stand_before_the_command(made: Path) -> None:
    assert told(launch(made, "--workspace", "w", "hello", "--json"))["argv"] == ["--json", "--workspace", "w"]


def test_help_needs_no_package_and_no_time() -> None:
    begun = time.perf_counter()
    command = [sys.executable, "-S", "-X", "importtime", "launch.py", "--help"]  # -S: no site-packages at all
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    seconds = time.perf_counter() - begun
    print(f"launch.py --help: {seconds:.2f} s")
    assert done.returncode == 0, done.stderr
    assert all(f"\n  {name} " in done.stdout for name in ("setup", "import", "train", "test"))
    assert "torch" not in done.stderr and "pydantic" not in done.stderr
    assert seconds < 1.5


def test_an_old_python_is_told() -> None:
    source = (ROOT / "launch.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 6))
    assert isinstance(tree.body[2], ast.If), "the guard comes before every other import"
    pretend = "import sys; sys.version_info = (3, 10, 0, 'final', 0); import runpy; "
    command = [sys.executable, "-c", pretend + "runpy.run_path('launch.py', run_name='__main__')"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "needs Python 3.11 or newer; this is Python 3.10." in done.stderr
