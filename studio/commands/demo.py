"""The whole way on the starter data: import, train, evaluate, and three pairs of answers to look at."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from studio.commands import evaluate as evaluation
from studio.commands import train
from studio.commands.frame import Context
from studio.jobs import follow, local
from studio.journey import PARTS, Journey
from studio.settings.flags import add_flags, collect
from studio.settings.train import TrainSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_flags(parser, TrainSettings, leave_out=("dataset", "version"))


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    def began(part: str, folder: Path | None) -> None:
        if folder:
            context.terminal.say(f"{PARTS[part]}.")

    def wait(part: str, folder: Path) -> dict[str, Any]:
        if part == "train":
            return train.wait_for(context, folder)
        try:
            return follow.result(folder, follow.follow(context.workspace, folder, context.terminal))
        except KeyboardInterrupt:
            local.stop(folder)
            raise

    return Journey(context.workspace, collect(args, TrainSettings), wait, began).walk()


def show(result: dict[str, Any]) -> str:
    import json

    lines = [evaluation.show(result), ""]
    for pair in result["pairs"]:
        asked = json.loads(pair["prompt"])[-1]["content"]
        lines += [f"Asked:    {asked}", f"Wanted:   {pair['expected']}", f"Base:     {pair['base'][:100]}"]
        lines += [f"Tuned:    {pair['tuned'][:100]}", ""]
    lines.append(f"Done in {result['seconds']:.0f} s. The run is {result['run']}.")
    return "\n".join(lines)
