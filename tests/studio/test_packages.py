from __future__ import annotations

import os
import sys
from importlib.metadata import distribution, version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from studio import packages

ROOT = Path(__file__).resolve().parents[2]
FOR_GPUS = ("liger", "deepspeed")
NUMBERS = st.lists(st.integers(0, 30), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
BOUNDS = st.lists(st.tuples(st.sampled_from([">=", "<", "==", "!=", "<="]), NUMBERS), min_size=1, max_size=3)


@given(BOUNDS, NUMBERS)
def test_bounds_mean_what_they_mean_to_pip(bounds: list[tuple[str, str]], tried: str) -> None:
    text = ",".join(sign + number for sign, number in bounds)
    assert packages.fits(f"name{text}", tried) == SpecifierSet(text).contains(tried)


def test_a_requirement_of_another_form_is_refused() -> None:
    for text in ("name~=1.0", "name[extra]>=1", "name>=1; sys_platform == 'linux'", "name==1.*"):
        with pytest.raises(ValueError, match="form"):
            packages.fits(text, "1.0")


def test_every_requirement_is_understood() -> None:
    """The ranges of pyproject.toml are read without packaging; here both readings are compared."""
    for extra, listed in packages.declared(ROOT).items():
        for text in listed:
            wanted = Requirement(text)
            here = [] if extra in FOR_GPUS else [version(wanted.name)]
            for tried in (*here, "0.0.1", "0.8.5", "3.1", "2.14.0", "2.13.0+cpu", "999.0"):
                assert packages.fits(text, tried) == wanted.specifier.contains(tried, prereleases=True), (text, tried)


def test_every_dependency_is_pinned_and_nothing_else() -> None:
    """constraints.txt is the closure of pyproject.toml's lists on the tested system, at the versions tested.

    It has no GPU, so what only works on one is installed by nobody there, and no version of it was tested.
    """
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    seen: dict[str, str] = {}
    lists = [listed for name, listed in packages.declared(ROOT).items() if name not in FOR_GPUS]
    todo = [(Requirement(text), frozenset[str]()) for listed in lists for text in listed]
    done = set()
    while todo:
        requirement, extras = todo.pop()
        name = packages.plain(requirement.name)
        applies = [
            extra
            for extra in ("", *extras)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        ]
        if not applies or (name, frozenset(requirement.extras)) in done:
            continue
        done.add((name, frozenset(requirement.extras)))
        found = distribution(requirement.name)
        seen[name] = found.version.split("+")[0]
        todo += [(Requirement(text), frozenset(requirement.extras)) for text in found.requires or []]
    assert pins.items() >= seen.items() if sys.platform != "linux" else pins == seen


def record(site: Path, name: str, *files: str) -> Path:
    """A package as pip leaves it: its files, then INSTALLER and RECORD."""
    place = site / f"{name}-1.0.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text("12345")
    (place / "INSTALLER").write_text("pip\n")
    lines = [f'"{file}",sha256=x,5' for file in files] + [f"{place.name}/RECORD,,"]
    (place / "RECORD").write_text("\n".join(lines))
    return place


def test_half_written_packages_lose_their_record(tmp_path: Path) -> None:
    good = record(tmp_path, "good", "good/a.py", "good/with, comma.py")
    missing = record(tmp_path, "missing", "missing/a.py")
    (tmp_path / "missing" / "a.py").unlink()
    short = record(tmp_path, "short", "short/a.py")
    (tmp_path / "short" / "a.py").write_text("1")
    cut_off = record(tmp_path, "cut_off", "cut_off/a.py")
    (cut_off / "INSTALLER").unlink()
    (tmp_path / "~ood").mkdir()
    assert packages.installed(tmp_path) == {"good", "missing", "short"}
    assert sorted(packages.mend(tmp_path)) == ["cut_off", "missing", "short"]
    assert good.exists() and not (missing.exists() or short.exists() or (tmp_path / "~ood").exists())
    assert packages.unmet(["good>=1", "short>=1"], [os.fspath(tmp_path)]) == "short>=1"


def test_the_fingerprint_follows_lists_and_pins(tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("a==1\n")
    first = packages.fingerprint(tmp_path, ["a>=1", "b>=2"])
    assert packages.fingerprint(tmp_path, ["b>=2", "a>=1"]) == first
    assert packages.fingerprint(tmp_path, ["a>=1"]) != first
    (tmp_path / "constraints.txt").write_text("a==2\n")
    assert packages.fingerprint(tmp_path, ["a>=1", "b>=2"]) != first
