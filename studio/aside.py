"""Work that would leave much behind in the page's process, done in one of its own and gone with it.

Libraries stay in memory once they are loaded: a language identifier alone is 75 MB, for a picture that is looked at
now and then. Arguments and answer are JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from studio.errors import JobFailed, StudioError, explain

ROOT = Path(__file__).resolve().parents[1]


def aside(module: str, function: str, *given: Any) -> Any:
    """The answer of a function of `studio`, worked out in another process.

    Raises:
        StudioError: the function's own.
        JobFailed: the process ended without an answer.
    """
    done = subprocess.run(
        [sys.executable, "-m", "studio.aside", module, function],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
    )
    try:
        told = json.loads(done.stdout)
    except ValueError:
        raise JobFailed(
            "This could not be worked out.",
            done.stderr.strip()[-400:] or f"Its process ended with code {done.returncode}.",
            "Try it again; if it fails again, close other programs, which take the memory.",
        ) from None
    if "error" in told:
        words = told["error"]
        raise StudioError(words["what"], words["why"], words["next"], field=words.get("field"))
    return told["answer"]


def main() -> None:
    module, function = sys.argv[1:]
    try:
        told = {"answer": getattr(import_module(module), function)(*json.load(sys.stdin))}
    except Exception as error:
        told = {"error": explain(error).as_dict()}
    sys.stdout.buffer.write(json.dumps(told, ensure_ascii=False).encode())


if __name__ == "__main__":
    main()
