"""List the models, or add one.

`models add starter` fetches the starter model, `models add FOLDER` copies a folder with a model, and
`models add OWNER/NAME` downloads one from the hub.
"""

from __future__ import annotations

import argparse
from typing import Any

from studio import wording
from studio.commands.frame import Context, table
from studio.errors import BadInput
from studio.jobs import folder as job_folder
from studio.jobs import follow
from studio.settings.base import check
from studio.settings.flags import add_flags, collect
from studio.settings.models import STARTER, AddModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=["add"], help="add a model; left out, the models are listed")
    parser.add_argument("source", nargs="?", metavar="SOURCE", help="starter, a folder, or a hub id such as owner/name")
    add_flags(parser, AddModel, leave_out=("source",))


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    if args.action == "add":
        if not args.source:
            raise BadInput("No model is named.", "“models add” needs a source.", "Try: launch.py models add starter")
        given = {key: value for key, value in collect(args, AddModel).items() if key != "source"}
        return add(context, {"source": args.source, **given})
    from studio.models import catalogue, list_models

    return {
        "models": [model.as_dict() for model in list_models(context.workspace)],
        "known": [known.as_dict() for known in catalogue()],
    }


def add(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    """Adds a model in a job, and waits for it."""
    settings = check(AddModel, given, "This model can't be added.")
    folder = job_folder.create(context.workspace, "add_model", settings.model_dump(mode="json"), settings.kept_as)
    return follow.start_and_follow(context.workspace, folder, context.terminal)


def ensure_starter(context: Context, model: str) -> None:
    """Fetches the starter when a run wants it and it is missing."""
    if model == STARTER and STARTER not in context.workspace.names("models"):
        context.terminal.say("The starter model is fetched first (once for this workspace).")
        add(context, {"source": STARTER})


def show(result: dict[str, Any]) -> str:
    if "models" not in result:
        return f"{result['name']} is in the workspace: {result['path']}"
    rows = [
        [item["name"], "broken: " + item["error"]["why"], "", ""]
        if item.get("error")
        else [item["name"], f"{item['parameters'] / 1e6:,.0f} M", wording.size(item["size"]), item["licence"] or ""]
        for item in result["models"]
    ]
    here = (
        table(["MODEL", "PARAMETERS", "SIZE", "LICENCE"], rows)
        if rows
        else "No models yet: launch.py models add starter"
    )
    known = table(
        ["KNOWN", "PARAMETERS", "LICENCE", ""],
        [[k["id"], f"{k['parameters'] / 1e6:,.0f} M", k["licence"], k["description"]] for k in result["known"]],
    )
    return f"{here}\n\n{known}\nAdd one: launch.py models add ID"
