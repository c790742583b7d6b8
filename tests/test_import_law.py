"""The import law: studio stands alone, backend and ui stand on it and never meet, and nothing heavy loads unasked."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = {"studio", "backend", "ui", "launch", "tests"}
MAY = {"studio": {"studio"}, "backend": {"backend", "studio"}, "ui": {"ui", "studio"}, "launch": {"studio", "ui"}}
TORCH = {"torch", "transformers", "peft", "trl", "accelerate", "bitsandbytes", "datasets", "safetensors.torch"}
NEVER = {
    "studio": TORCH | {"gradio", "pandas", "plotly"},
    "backend": {"gradio", "plotly"},
    "ui": TORCH,
    "launch": TORCH | {"gradio", "pandas", "plotly"},
}


def files(house: str) -> list[Path]:
    return [ROOT / "launch.py"] if house == "launch" else sorted((ROOT / house).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The full names that a file imports, by statement or by import_module with a text, and where."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or "", node
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module",
            "__import__",
        ):
            name = node.args[0]
            if isinstance(name, ast.JoinedStr) and isinstance(name.values[0], ast.Constant):
                name = name.values[0]
            if isinstance(name, ast.Constant):
                yield str(name.value), node


def within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("house", MAY)
def test_the_law_holds_in_every_file(house: str) -> None:
    broken = []
    for file in files(house):
        for name, node in imports(ast.parse(file.read_text(encoding="utf-8"))):
            if within(name, OURS - MAY[house]) or within(name, NEVER[house]):
                broken.append(f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)} imports {name}")
    assert not broken, "\n".join(broken)


def test_launch_imports_ui_only_when_it_is_asked_for() -> None:
    tree = ast.parse((ROOT / "launch.py").read_text(encoding="utf-8"))
    at_once = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
    assert not [name for node in at_once for name, _ in imports(node) if within(name, {"ui"})]


def test_the_law_is_read_rightly() -> None:
    text = "import ui.app\nfrom studio import datasets\n"
    text += "def f():\n    from backend import job\n    import_module(f'torch.{name}')"
    found = {name for name, _ in imports(ast.parse(text))}
    assert found == {"ui.app", "backend", "backend.job", "torch.", "studio", "studio.datasets"}
    assert within("backend.job", {"backend"}) and within("torch.", {"torch"}) and not within("torchy", {"torch"})


def loaded_by(code: str) -> set[str]:
    """The modules in memory after `code`, in a Python of its own."""
    code += "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("house", ["studio", "ui"])
def test_importing_all_of_it_loads_no_torch(house: str) -> None:
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files(house)]
    found = loaded_by("\n".join(f"import {name}" for name in names))
    assert set(names) <= found
    heavy = {name for name in found if within(name, NEVER[house])}
    assert not heavy, sorted(heavy)[:20]


def test_the_commands_frame_is_light() -> None:
    """What every command pays for at its start."""
    found = loaded_by("import launch, studio.commands.frame, studio.runs, studio.jobs.local")
    heavy = {name for name in found if within(name, {"duckdb", "pyarrow", "openpyxl", "tokenizers", "jinja2", "numpy"})}
    assert not heavy, sorted(heavy)[:20]
