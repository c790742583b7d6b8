"""The page says errors in its own words."""

from __future__ import annotations

import pytest

from studio.datasets.importing.preview import preview
from studio.datasets.importing.sources import find
from studio.datasets.reading.records import Reading
from studio.errors import BadInput, StudioError
from ui.telling import words


def test_advice_of_the_command_line_names_no_flag_on_the_page(tmp_path):
    source = tmp_path / "a.csv"
    source.write_bytes("question,answer\nä,b\n".encode("cp1252"))
    for given in ({}, {"encoding": "klingon"}):
        with pytest.raises(StudioError) as caught:
            preview(find([str(source)]), reading=Reading(**given))
        told = words(caught.value)
        assert "--" not in told["next"] and "cp1252" in told["next"] and told["field"] == "encoding"
    assert words(BadInput("a", "b", "Do x, or leave them out with --skip-bad."))["next"].endswith(
        "tick the box that leaves them out."
    )
    assert words(BadInput("a", "b", "c", field="mapping"), {"mapping": "Choose."})["next"] == "Choose."


def test_any_error_has_the_three_words():
    told = words(PermissionError(13, "Permission denied", "/secret"))
    assert all(told[key] for key in ("what", "why", "next"))
