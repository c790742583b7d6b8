"""The help of every command is for people: nothing of Python shows in it."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from studio.commands import COMMANDS, MODULES
from studio.commands.frame import parser_for

# What a default or a type looks like that nobody put into words.
RAW = re.compile(r"Undefined|<class|<function| object at |default_factory|: None\.|: \[\]|: \{\}|\bFieldInfo\b")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_in_words(name):
    parser = parser_for(name, import_module(f"studio.commands.{MODULES.get(name, name)}"))
    found = " ".join(parser.format_help().split())
    assert not (raw := RAW.search(found)), found[max(0, raw.start() - 200) : raw.end()]
    silent = [action.dest for action in parser._actions if not action.help]
    assert not silent, f"no word of help for {silent}"
