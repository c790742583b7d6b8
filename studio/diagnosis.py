"""What `launch.py check` tells: the machine, the packages, the workspace, and what will work here. Changes nothing."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args

from studio import migrate, packages, wording
from studio.errors import StudioError
from studio.files import disk_use
from studio.machine import Machine, machine
from studio.models import BrokenModel, list_models
from studio.settings.train import Method
from studio.workspace import FOLDERS, KINDS, MARK, Workspace

ROOT = Path(__file__).resolve().parents[1]
# Training the starter with the default settings took 3.7 to 4.9 GB at its peak.
LITTLE_MEMORY = 6e9
LITTLE_DISK = 3e9
TRAINERS = ("torch", "transformers", "peft", "accelerate", "datasets")
NEEDS = {"lora": TRAINERS, "dora": TRAINERS, "full": TRAINERS, "qlora": (*TRAINERS, "bitsandbytes")}


@dataclass(frozen=True)
class Package:
    """One package the studio needs. `state`: tested, untested (another version, within bounds), unfit or missing."""

    name: str
    installed: str | None
    tested: str | None
    state: str


@dataclass(frozen=True)
class Works:
    """Whether a method works on this machine, and what to know about it."""

    method: str
    works: bool
    remark: str


@dataclass(frozen=True)
class Diagnosis:
    """Everything `check` knows; `problems` have what, why and next."""

    python: str
    machine: Machine
    packages: tuple[Package, ...]
    methods: tuple[Works, ...]
    workspace: dict[str, Any]
    problems: tuple[dict[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "python": self.python,
            "machine": self.machine.as_dict(),
            "packages": [asdict(package) for package in self.packages],
            "methods": [asdict(method) for method in self.methods],
            "workspace": self.workspace,
            "problems": list(self.problems),
        }


def diagnose(place: Path, root: Path = ROOT) -> Diagnosis:
    """Looks at this machine, the packages that `root` declares, and the workspace that is or will be at `place`."""
    here = machine(place)
    needed = look_at_packages(root)
    methods = look_at_methods(here, needed)
    problems: list[StudioError] = [*_package_problems(needed), *_machine_problems(here)]
    workspace = look_at_workspace(place, problems)
    python = f"{platform.python_version()} ({sys.executable})"
    return Diagnosis(python, here, needed, methods, workspace, tuple(problem.as_dict() for problem in problems))


def look_at_packages(root: Path) -> tuple[Package, ...]:
    """The packages pyproject.toml asks for, with what is installed and what was tested (constraints.txt)."""
    tested = dict(
        line.strip().split("==", 1)
        for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line and not line.startswith("#")
    )
    return tuple(_package(requirement, tested) for requirement in packages.declared(root)[packages.BASE])


def _package(requirement: str, tested: dict[str, str]) -> Package:
    name = requirement[: len(packages.REQUIREMENT.match(requirement)[1])]  # type: ignore[index]
    pin = tested.get(name)
    try:
        installed = version(name)
    except PackageNotFoundError:
        return Package(name, None, pin, "missing")
    if not packages.fits(requirement, installed):
        return Package(name, installed, pin, "unfit")
    same = pin is not None and packages.release(installed) == packages.release(pin)
    return Package(name, installed, pin, "tested" if same else "untested")


def look_at_methods(here: Machine, needed: tuple[Package, ...]) -> tuple[Works, ...]:
    """Every method of training, and whether it works here."""
    names = [kind.model_fields["name"].default for kind in get_args(get_args(Method)[0])]
    usable = {package.name for package in needed if package.state in ("tested", "untested")}
    found = []
    for name in names:
        missing = [package for package in NEEDS[name] if package not in usable]
        if missing:
            found.append(Works(name, False, f"needs {', '.join(missing)}: run launch.py setup"))
        else:
            found.append(Works(name, True, _remark(name, here.device)))
    return tuple(found)


def _remark(method: str, device: str) -> str:
    if method == "qlora" and device != "cuda":
        return "works without a GPU too, about a third slower than lora; it saves memory, not time"
    if device == "cpu":
        return "on the CPU: small models, minutes to hours" if method != "full" else "on the CPU: small models only"
    return {"lora": "the usual choice", "dora": "a little better than lora, slower", "qlora": "least memory"}.get(
        method, "most memory"
    )


def _package_problems(needed: tuple[Package, ...]) -> list[StudioError]:
    bad = [package for package in needed if package.state in ("missing", "unfit")]
    if not bad:
        return []
    named = ", ".join(f"{package.name} {package.installed or 'is missing'}" for package in bad)
    return [
        StudioError(
            f"{wording.count(len(bad), 'package')} missing or of a version that does not fit.",
            f"Found: {named}.",
            "Run launch.py setup.",
        )
    ]


def _machine_problems(here: Machine) -> list[StudioError]:
    found = []
    if hindrance := here.hindrance:
        found.append(
            StudioError(f"The GPU ({here.gpus[0].name}) will not be used.", hindrance.why, hindrance.next),
        )
    if here.memory < LITTLE_MEMORY:
        found.append(
            StudioError(
                "There is little memory.",
                f"The machine has {wording.size(here.memory)}; training the starter takes up to 5 GB.",
                "Close other programs, and train with a shorter cut-off or with qlora.",
            )
        )
    if here.disk_free < LITTLE_DISK:
        found.append(
            StudioError(
                "There is little room on the disk.",
                f"{wording.size(here.disk_free)} are free; the starter takes 0.8 GB while it is made, runs take more.",
                "Free some space, or keep the workspace on another disk (--workspace).",
            )
        )
    return found


def look_at_workspace(place: Path, problems: list[StudioError]) -> dict[str, Any]:
    """What the workspace at `place` holds; adds to `problems` what can't be read."""
    if not (place / MARK).exists():
        return {"path": str(place), "exists": False}
    try:
        migrate.load(place / MARK, "workspace")
    except (StudioError, OSError) as error:
        problems.append(error if isinstance(error, StudioError) else StudioError(f"{place} can't be read.", str(error)))
        return {"path": str(place), "exists": True}
    workspace = Workspace(place)
    counts: dict[str, Any] = {kind: len(workspace.names(kind)) for kind in FOLDERS if kind in KINDS}
    for model in list_models(workspace):
        if isinstance(model, BrokenModel):
            words = model.error
            problems.append(StudioError(f"The model {model.name}: {words['what']}", words["why"], words["next"]))
    unfinished = disk_use(workspace.models / ".adding")
    return {"path": str(place), "exists": True, **counts, "unfinished_downloads": unfinished}


def in_words(result: dict[str, Any]) -> str:
    """`Diagnosis.as_dict()` as text for a terminal."""
    here, workspace = result["machine"], result["workspace"]
    lines = [
        f"Machine    {here['summary']}",
        f"Device     training runs on {_device(here)}",
        f"Python     {result['python']}",
        f"Packages   {_packages(result['packages'])}",
        f"Workspace  {_workspace(workspace)}",
        "",
        "What works here",
    ]
    lines += [
        f"  {'yes' if method['works'] else 'no ':3}  {method['method']:6} {method['remark']}"
        for method in result["methods"]
    ]
    if not result["problems"]:
        return "\n".join([*lines, "", "Nothing stands in the way. (The network was not tried.)"])
    lines += ["", wording.count(len(result["problems"]), "problem")]
    for problem in result["problems"]:
        lines += [f"  {problem['what']}", f"    {problem['why']}", f"    {problem['next']}"]
    return "\n".join(lines)


def _device(here: dict[str, Any]) -> str:
    if here["device"] == "cuda":
        return f"the GPU ({here['gpus'][0]['name']})"
    return "the CPU" if here["device"] == "cpu" else "the GPU of the Apple chip"


def _packages(found: list[dict[str, Any]]) -> str:
    """`23 installed, 22 in the tested version; others: torch 2.12 (tested 2.13)`."""
    there = [package for package in found if package["state"] in ("tested", "untested")]
    other = [package for package in found if package["state"] != "tested"]
    text = f"{len(there)} of {len(found)} installed"
    if not other:
        return f"{text}, all in the tested version"
    named = ", ".join(f"{p['name']} {p['installed'] or 'missing'} (tested: {p['tested'] or 'none'})" for p in other)
    return f"{text}; not as tested: {named}"


def _workspace(workspace: dict[str, Any]) -> str:
    if not workspace["exists"]:
        return f"{workspace['path']} (will be made when first needed)"
    parts = [wording.count(workspace[kind], noun) for kind, noun in KINDS.items() if workspace.get(kind)]
    if workspace.get("unfinished_downloads"):
        parts.append(f"{wording.size(workspace['unfinished_downloads'])} of unfinished downloads")
    return f"{workspace['path']} ({', '.join(parts) or 'empty'})"
