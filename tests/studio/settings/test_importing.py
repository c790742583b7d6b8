"""Settings of an import are checked where they are given, and complete in themselves when saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.datasets.importing.mapping import read_map
from studio.errors import BadInput
from studio.settings.base import check
from studio.settings.importing import ImportSettings


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "../x"}, "name"),
        ({"split": "train=0.5"}, "add up to 0.5"),
        ({"split": "all=1"}, "“all=1”"),
        ({"mapping": ["boss=x"]}, "“boss” is no role"),
        ({"mapping": ["user"]}, "ROLE=COLUMN"),
        ({"mapping": ["system=@/no/such/file"]}, "can't be read"),
        ({"read_as": "riddle"}, "riddle"),
        ({"seed": -1}, "seed"),
        ({"colour": "red"}, "no such setting"),
        ({"source": ""}, "source"),
    ],
)
def test_what_is_wrong_is_named(wrong, words):
    with pytest.raises(BadInput) as caught:
        check(ImportSettings, {"source": "a.csv", "name": "set"} | wrong)
    assert words in caught.value.why
    assert caught.value.field == next(iter(wrong))


def test_the_path_does_not_depend_on_the_working_folder():
    assert Path(ImportSettings(source="a.csv", name="set").source[0]).is_absolute()


@pytest.mark.parametrize("text", ["Be kind.\nÜben!", "@home means here", 'JSON like {"a": 1} with \\n in it', "{tone}"])
def test_a_prompt_file_is_read_at_once_and_says_what_it_said(tmp_path, text):
    file = tmp_path / "prompt.txt"
    file.write_text(text, encoding="utf-8")
    settings = ImportSettings(source="a.csv", name="set", mapping=[f"system=@{file}"])
    file.unlink()
    again = ImportSettings.model_validate(settings.model_dump(mode="json"))
    assert read_map(again.mapping, ["reply"]).system == text
