"""The front door of FlexTune Studio: sets the environment up on first use, then runs a command.

python3 launch.py             opens the studio in the browser
python3 launch.py --help      lists the commands
"""

import sys

# An old Python must be able to read this file as far as here: no newer syntax in it, no import before this.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "FlexTune Studio needs Python 3.11 or newer; this is Python %d.%d.\n"  # noqa: UP031
        "Install Python 3.11 and start it with: python3.11 launch.py" % sys.version_info[:2]
    )

import difflib
import importlib.util
import json
import os
import subprocess
from itertools import pairwise
from pathlib import Path

from studio import commands
from studio.errors import BadInput, NotFound, StudioError, explain
from studio.installation import Installation, report

ROOT = Path(__file__).resolve().parent
# Nobody is called home, by no library, in no process that starts from here.
ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYTHONUTF8": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
# The commands that are this file's own: `ui` because studio may not import ui, `test` because it needs its extra.
OWN = {"ui": "open the studio in the browser", "test": "run the tests; --full adds the long campaigns"}


def main(argv: list[str]) -> int:
    os.environ.update(ENVIRONMENT)
    if argv[:1] in (["--help"], ["-h"], ["help"]):
        print(overview())
        return 0
    name, rest = split(argv)
    try:
        return launch(name, rest)
    except (StudioError, OSError) as error:
        return fail(explain(error), "--json" in rest)
    except KeyboardInterrupt as error:
        fail(explain(error), "--json" in rest)
        return 130


def launch(name: str, argv: list[str]) -> int:
    """Runs a command in the environment that has what it needs."""
    check_name(name)
    installation = Installation(ROOT)
    if name == "check" and installation.find([]) is None:
        return show(report(installation), "--json" in argv)
    if name == "setup":
        installation.recheck()
    python = installation.ensure(extras(name, argv))
    if python != Path(sys.executable):
        return become([str(python), str(ROOT / "launch.py"), name, *argv])
    if name == "test":
        os.chdir(ROOT)
        return become([sys.executable, "-m", "pytest", *argv])
    if name == "ui":
        return int(importlib.import_module("ui.app").run(argv))
    return commands.run(name, argv)


def split(argv: list[str]) -> tuple[str, list[str]]:
    """The command and its arguments; `--workspace W` may stand before the command, and `ui` is the default."""
    before: list[str] = []
    if argv[:1] == ["--workspace"]:
        before, argv = argv[:2], argv[2:]
    elif argv and argv[0].startswith("--workspace="):
        before, argv = argv[:1], argv[1:]
    if not argv or argv[0].startswith("-"):
        return "ui", [*before, *argv]
    return argv[0], [*argv[1:], *before]


def check_name(name: str) -> None:
    """Refuses what is no command before anything is installed for it."""
    if name == "ui" and name not in known():
        print(overview(), file=sys.stderr)
        raise NotFound("The pages are not in this version.", "", "Use one of the commands above.")
    if name not in known():
        near = difflib.get_close_matches(name, known(), 1)
        meant = f"Did you mean “{near[0]}”? " if near else ""
        raise BadInput(f"There is no command “{name}”.", "", f"{meant}See: python3 launch.py --help")


def known() -> dict[str, str]:
    """Every command of this version, with its line of help."""
    pages = importlib.util.find_spec("ui") is not None and importlib.util.find_spec("ui.app") is not None
    first = {"ui": OWN["ui"]} if pages else {}
    return first | commands.COMMANDS | {"test": OWN["test"]}


def extras(name: str, argv: list[str]) -> list[str]:
    """The extras a command asks for: `test` needs its own, `setup --extra NAME` names them."""
    if name == "test":
        return ["test"]
    if name != "setup":
        return []
    named = [one.partition("=")[2] for one in argv if one.startswith("--extra=")]
    return named + [after for one, after in pairwise(argv) if one == "--extra"]


def become(command: list[str]) -> int:
    """Lets another program take this one's place; on Windows, which knows no such thing, runs it and waits."""
    os.environ.pop("PYTHONHOME", None)  # it would send the environment's Python to another one's library
    sys.stderr.flush()
    if os.name != "nt":
        os.execv(command[0], command)
    return subprocess.call(command)


def overview() -> str:
    """The commands, one line each."""
    width = max(map(len, known())) + 2
    lines = [f"  {name:{width}}{words}" for name, words in known().items()]
    return "\n".join(
        [
            "usage: python3 launch.py [COMMAND] [OPTIONS]",
            "",
            "FlexTune Studio: from a file of examples to a proven better model. Without a command: ui.",
            "",
            *lines,
            "",
            "`launch.py COMMAND --help` tells a command's options. Every command takes --workspace FOLDER",
            "(default: FLEXTUNE_WORKSPACE, or the folder “workspace” beside launch.py).",
        ]
    )


def show(facts: dict[str, object], as_json: bool) -> int:
    """Prints what `check` can say before the environment is there."""
    if as_json:
        print(json.dumps(facts, ensure_ascii=False))
        return 0
    print(f"The environment is {facts['environment']}; nothing was changed. To set it up: {facts['next']}")
    for name in ("python", "system", "cores", "free_disk_gb", "nvidia_driver"):
        print(f"  {name.replace('_', ' ')}: {facts[name]}")
    return 0


def fail(error: StudioError, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"error": error.as_dict()}, ensure_ascii=False))
    print("\n".join(part for part in (error.what, error.why, error.next) if part), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
