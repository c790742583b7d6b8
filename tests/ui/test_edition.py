"""The page's files: those of the start, under the name of the code they belong to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ui.edition import PAGE, SOURCES, Edition


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for part in (*SOURCES, PAGE):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / PAGE / "a.js").write_text("old", encoding="utf-8")
    (tmp_path / "studio" / "runs.py").write_text("old", encoding="utf-8")
    return tmp_path


def test_what_is_changed_under_it_is_not_served(tree: Path) -> None:
    edition = Edition(tree)
    (tree / PAGE / "a.js").write_text("new", encoding="utf-8")
    (tree / PAGE / "b.js").write_text("new", encoding="utf-8")
    assert edition.serve(edition.name, "a.js").body == b"old"
    assert edition.serve(edition.name, "b.js").status_code == 404
    assert Edition(tree).serve(edition.name, "a.js").status_code == 404, "nothing new for an old page"


@pytest.mark.parametrize("name", ["../../studio/runs.py", "./a.js", "..\\..\\studio\\runs.py", "/etc/passwd", ""])
def test_no_name_leads_out(tree: Path, name: str) -> None:
    edition = Edition(tree)
    assert edition.serve(edition.name, name).status_code == 404
    assert edition.serve(edition.name, str(tree / "studio" / "runs.py")).status_code == 404


@pytest.mark.parametrize("path", [f"{PAGE}/a.js", "studio/runs.py"])
def test_any_changed_file_is_another_edition(tree: Path, path: str) -> None:
    before = Edition(tree).name
    assert Edition(tree).name == before
    (tree / path).write_text("new", encoding="utf-8")
    assert Edition(tree).name != before


def test_the_page_asks_for_its_own_files_by_this_address_only() -> None:
    """A path written out would reach past the edition."""
    edition = Edition()
    for name in edition.files:
        if name.endswith(".js"):
            assert "/studio/assets/" not in edition.text(name), name
            for imported in re.findall(r"from \"\./([\w.-]+)\"|import \"\./([\w.-]+)\"", edition.text(name)):
                assert edition.serve(edition.name, "".join(imported)).media_type == "text/javascript"
    assert sum(map(len, edition.files.values())) < 2_000_000, "they are held in memory"
