"""Which packages are wanted and which are there: read from pyproject.toml, constraints.txt and an environment.

Standard library only: launch.py needs it before anything is installed.
"""

from __future__ import annotations

import csv
import hashlib
import re
import shutil
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

BASE = "base"
REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*((?:[<>=!]=?[\d.]+,?)*)")
BOUND = re.compile(r"([<>=!]=?)([\d.]+)")


def declared(root: Path) -> dict[str, list[str]]:
    """The dependency lists of pyproject.toml: `base`, and one for each extra."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {BASE: project["dependencies"], **project.get("optional-dependencies", {})}


def fingerprint(root: Path, requirements: Iterable[str]) -> str:
    """A hash that changes when a dependency list or a pinned version does."""
    text = (root / "constraints.txt").read_text(encoding="utf-8") + "\n".join(sorted(requirements))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def pinned(root: Path) -> int:
    """How many versions constraints.txt pins."""
    return sum("==" in line for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines())


def plain(name: str) -> str:
    """A package's name in the one spelling that compares: `Jinja2` is jinja2, `et_xmlfile` et-xmlfile."""
    return re.sub(r"[-_.]+", "-", name).lower()


def release(version: str) -> tuple[int, ...]:
    """The numbers of a version, without what follows them: `2.13.0+cpu` is (2, 13), `3.0rc1` is (3)."""
    numbers = [int(part) for part in re.match(r"[\d.]*", version).group().split(".") if part]  # type: ignore[union-attr]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def fits(requirement: str, version: str) -> bool:
    """Whether a version lies within a requirement's bounds (`name>=1.2,<2`; no markers, no extras).

    Raises:
        ValueError: the requirement is of another form.
    """
    found = REQUIREMENT.fullmatch(requirement)
    if found is None:
        raise ValueError(f"{requirement} is not of the form name>=1.2,<2")
    have = release(version)
    holds = {
        ">=": have.__ge__,
        "<=": have.__le__,
        "<": have.__lt__,
        ">": have.__gt__,
        "==": have.__eq__,
        "!=": have.__ne__,
    }
    return all(holds[sign](release(bound)) for sign, bound in BOUND.findall(found[2]))


def unmet(requirements: Iterable[str], path: list[str] | None = None) -> str | None:
    """The first requirement that the packages on `path` (default: this interpreter's) don't meet; None when all are."""
    from importlib.metadata import distributions  # 13 ms, which a stamped environment need not pay

    for requirement in requirements:
        name = requirement[: len(REQUIREMENT.match(requirement)[1])]  # type: ignore[index]
        versions = [found.version for found in distributions(name=name, path=sys.path if path is None else path)]
        if not versions or not fits(requirement, versions[0]):
            return requirement
    return None


def installed(site: Path) -> set[str]:
    """The names, in plain spelling, of the packages wholly written to a site-packages folder.

    pip writes INSTALLER after a package's last file, so its absence betrays one that was cut off.
    """
    return {plain(place.parent.name.split("-")[0]) for place in site.glob("*.dist-info/INSTALLER")}


def mend(site: Path) -> list[str]:
    """Takes away the records of half-written packages, so that pip installs them anew; returns their names.

    A killed install leaves records of packages whose files are missing or cut short: pip would believe them.
    """
    for leftover in site.glob("~*"):  # what pip was replacing
        shutil.rmtree(leftover, ignore_errors=True)
    broken = [record for record in site.glob("*.dist-info") if not whole(record)]
    for record in broken:
        shutil.rmtree(record)
    return [record.name.split("-")[0] for record in broken]


def whole(record: Path) -> bool:
    """Whether every file that a `.dist-info` folder lists is there at its full size."""
    if not (record / "INSTALLER").is_file() or not (record / "RECORD").is_file():
        return False
    with (record / "RECORD").open(encoding="utf-8", newline="") as lines:
        for name, _, size in csv.reader(lines):
            file = record.parent / name
            if size and not (file.is_file() and file.stat().st_size == int(size)):
                return False
    return True
