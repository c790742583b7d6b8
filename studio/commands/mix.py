"""Mix several datasets into a new one, by weight; held-out rows of each stay held out.

    launch.py mix --name both --part letters --part calls=2 --by weights
    launch.py mix --name both --part letters --part wiki[domain=law] --by temperature --temperature 2
    launch.py mix --name safe --part letters --general house-style --general-share 0.15

With --preview it shows how many rows and tokens there would be, and makes nothing. The recipe stays in the new
dataset's folder; `--recipe FILE` uses one again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from studio import wording
from studio.commands.frame import Context, table
from studio.errors import NotFound
from studio.jobs import folder as job_folder
from studio.jobs import follow
from studio.settings.base import check
from studio.settings.flags import add_flags, collect
from studio.settings.mixing import MixSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preview", action="store_true", help="show what would come of it, and make nothing")
    parser.add_argument("--recipe", metavar="FILE", help="a recipe.json to start from; flags win")
    parser.add_argument(
        "--model", metavar="MODEL", help="in whose tokens --preview counts; default: the first there is"
    )
    add_flags(parser, MixSettings)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    given = _recipe(args.recipe) | collect(args, MixSettings)
    settings = check(MixSettings, given, "This mixture can't be made.")
    if args.preview:
        from studio.datasets.mixing.mixture import look

        return {"name": settings.name, "preview": True, **look(context.workspace, settings, args.model)}
    folder = job_folder.create(context.workspace, "mix", settings.model_dump(mode="json"), settings.name)
    return {"preview": False, **follow.start_and_follow(context.workspace, folder, context.terminal)}


def _recipe(path: str | None) -> dict[str, Any]:
    from studio.datasets.mixing.making import read_recipe

    if path is None:
        return {}
    try:
        return read_recipe(Path(path))
    except FileNotFoundError:
        raise NotFound(
            f"There is no file {path}.", "", "Check the path; recipes lie in datasets/NAME/source."
        ) from None


def show(result: dict[str, Any]) -> str:
    rows = [_line(part) for part in result["parts"]]
    counts = ", ".join(f"{number:,} {side}" for side, number in result["counts"].items())
    head = ["PART", "TRAIN", "VALIDATION", "TEST", "EACH ROW", "TOKENS"]
    lines = [table(head, rows), "", f"In all {wording.count(result['rows'], 'row')}: {counts}."]
    left_out = sum(part["left_out"] for part in result["parts"])
    if left_out:
        lines.append(f"{wording.count(left_out, 'row')} left out, as they belong with held-out rows.")
    lines += [_waiting(part) for part in result["parts"] if part["waiting"]]
    if result["preview"]:
        lines.append("Nothing was made; leave --preview out to make it.")
    else:
        lines.append(f"“{result['name']}” version {result['version']} is made.")
        lines.append(f"See whether near-duplicates stand on two sides: launch.py split {result['name']} --check")
    return "\n".join(lines)


def _waiting(part: dict[str, Any]) -> str:
    changes = wording.count(part["waiting"], "change")
    name = part["dataset"]
    return f"Without {changes} of “{name}” that no version has yet. To mix them in, first: launch.py freeze {name}"


def _line(part: dict[str, Any]) -> list[str]:
    name = part["dataset"] + (f" ({part['only']})" if part["only"] else "") + (", general" if part["general"] else "")
    counts = [f"{part['counts'][side]:,}" for side in ("train", "validation", "test")]
    tokens = part.get("tokens")
    return [name, *counts, f"{part['times']:g} ×", f"about {tokens:,}" if tokens is not None else "–"]
