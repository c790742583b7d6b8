"""Publish a version of a dataset on the Hugging Face hub, with a card. It needs a token with the right to write, in
HF_TOKEN or from the hub's own login; a new repository is private unless --public is given."""

from __future__ import annotations

import argparse
from typing import Any

from studio.commands.frame import Context
from studio.jobs import folder as job_folder
from studio.jobs import follow
from studio.settings.base import check
from studio.settings.flags import add_flags, collect
from studio.settings.publishing import PublishSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="NAME", help="the dataset")
    parser.add_argument("repo", metavar="OWNER/NAME", help="the repository on the hub")
    add_flags(parser, PublishSettings, leave_out=("dataset", "repo"))


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    settings = check(PublishSettings, collect(args, PublishSettings), "This can't be published.")
    context.workspace.folder("datasets", settings.dataset)  # refused here, before a job is made
    folder = job_folder.create(context.workspace, "publish", settings.model_dump(mode="json"), settings.dataset)
    return follow.start_and_follow(context.workspace, folder, context.terminal)


def show(result: dict[str, Any]) -> str:
    return f"Version {result['version']} of “{result['dataset']}” is at {result['address']}"
