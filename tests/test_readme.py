"""The README is true: its tables equal the generated ones, its commands and files exist."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from studio.commands import COMMANDS, MODULES
from studio.commands.frame import parser_for
from studio.settings import docs

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_tables_are_the_generated_ones():
    assert docs.filled(README) == README, "run: python -m studio.settings.docs"
    for name in docs.TABLES:
        assert re.search(f"<!-- {name} -->\n[^<]*\n[|] ---", README), name


def test_every_command_has_its_file_and_parses():
    files = {path.stem for path in (ROOT / "studio" / "commands").glob("*.py")} - {"__init__", "frame", "run_settings"}
    assert files == {MODULES.get(name, name) for name in COMMANDS}
    for name in COMMANDS:
        parser = parser_for(name, import_module(f"studio.commands.{MODULES.get(name, name)}"))
        assert "--json" in parser.format_help()


EXAMPLES = re.findall(r"^ +python3 launch\.py (\w.*?)(?: +#.*)?$", README, re.MULTILINE)


@pytest.mark.parametrize("line", EXAMPLES)
def test_its_examples_can_be_given(line):
    name, *arguments = shlex.split(line)
    if name in COMMANDS:
        parser_for(name, import_module(f"studio.commands.{MODULES.get(name, name)}")).parse_args(arguments)
    else:
        assert name == "test"


def test_its_map_names_files_that_exist():
    block = README.split("## The map of the files")[1].split("## Tests")[0]
    folder = ""
    for line in block.splitlines():
        names, _, words = line.strip().partition("  ")
        for name in names.split(", ") if words or "," in names else []:
            top = not line.startswith(" " * 6)
            if top:
                folder = name if name.endswith("/") else ""
            path = ROOT / name if top else ROOT / folder / name
            assert path.exists(), path


def test_its_pictures_exist_for_both_themes_of_every_tab():
    named = set(re.findall(r"assets/screenshots/[\w-]+\.png", README))
    assert len(named) >= 12 and all((ROOT / name).exists() for name in named)
    for tab in ("home", "data", "train", "runs", "compare", "evaluate", "export", "settings"):
        for theme in ("light", "dark"):
            assert (ROOT / "assets" / "screenshots" / f"{tab}-{theme}.png").exists()
