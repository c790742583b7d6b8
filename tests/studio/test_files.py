"""Names, whole files, JSON with a format."""

import os
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from studio import files, migrate
from studio.errors import BadInput, Broken, NewerFormat, Refused


@given(st.text(max_size=100))
@example("../x")
@example("a" * 5000)
@example("con")
@example("Meine Daten (2).csv")
def test_an_allowed_name_is_one_path_part_and_every_suggestion_is_allowed(text):
    assert files.check_name(files.suggest_name(text))
    try:
        name = files.check_name(text)
    except BadInput as error:
        assert error.what and error.why and error.next and len(error.what) < 200
    else:
        assert "/" not in name and "\\" not in name and name not in (".", "..") and not name.startswith(".")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a\\b", ".hidden", "nul", "com1.txt", "a..b", "end.", "a\0b", "ä"]
)
def test_names_that_could_leave_the_folder_are_refused(name):
    with pytest.raises(BadInput):
        files.check_name(name)


def test_inside_refuses_what_leads_out(tmp_path):
    (tmp_path / "root").mkdir()
    os.symlink(tmp_path, tmp_path / "root" / "link")
    assert files.inside(tmp_path / "root", "a", "b") == tmp_path / "root" / "a" / "b"
    for parts in (("..",), ("a", "..", "..", "x"), ("link", "x"), ("/etc",)):
        with pytest.raises(Refused):
            files.inside(tmp_path / "root", *parts)


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"one": 1})
    with pytest.raises(RuntimeError), files.whole_file(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert files.read_json(path) == {"one": 1}
    assert os.listdir(tmp_path) == ["a.json"]
    with pytest.raises(ValueError):
        files.write_json(path, {"loss": float("nan")})
    assert files.read_json(path) == {"one": 1}


def test_a_folder_appears_whole(tmp_path):
    with files.whole_folder(tmp_path / "model") as partial:
        (partial / "deep").mkdir()
        (partial / "deep" / "file").write_text("x")
        assert not (tmp_path / "model").exists()
    assert (tmp_path / "model" / "deep" / "file").read_text() == "x"
    with pytest.raises(RuntimeError), files.whole_folder(tmp_path / "other"):
        raise RuntimeError
    assert os.listdir(tmp_path) == ["model"]


def test_a_new_file_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / "usual").touch()
    files.write_json(tmp_path / "a.json", {})
    assert (tmp_path / "a.json").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_writer_killed_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"one": 1})
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom studio import files\n"
        "with files.whole_file(Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('{')\n    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert files.read_json(path) == {"one": 1}


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000, '{"a": 1}garbage'])
def test_broken_json_is_told(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(Broken) as caught:
        files.read_json(path)
    assert "a.json" in caught.value.what and caught.value.next


@pytest.mark.parametrize("number", [None, 0, "1", True, 1.0])
def test_a_file_without_a_valid_format_is_broken(tmp_path, number):
    with pytest.raises(Broken):
        migrate.upgrade({"format": number}, "settings", tmp_path / "a.json")


def test_newer_formats_are_refused_and_older_ones_patched(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    migrate.save(path, "settings", {"rank": 8})
    assert migrate.load(path, "settings") == {"rank": 8}
    monkeypatch.setitem(migrate.FORMATS, "settings", 3)
    monkeypatch.setitem(migrate.STEPS, ("settings", 1), lambda data: {**data, "two": True})
    monkeypatch.setitem(migrate.STEPS, ("settings", 2), lambda data: {**data, "three": data["two"]})
    assert migrate.load(path, "settings") == {"rank": 8, "two": True, "three": True}
    files.write_json(path, {"format": 4})
    with pytest.raises(NewerFormat) as caught:
        migrate.load(path, "settings")
    assert "Update" in caught.value.next


def test_every_older_format_has_a_step():
    for kind, number in migrate.FORMATS.items():
        for older in range(1, number):
            assert (kind, older) in migrate.STEPS
