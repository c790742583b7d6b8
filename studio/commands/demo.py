"""The whole way on the starter data: import, train, evaluate, and three pairs of answers to look at."""

from __future__ import annotations

import argparse
import time
from typing import Any

from studio import runs
from studio.commands import evaluate as evaluation
from studio.commands import models, train
from studio.commands.frame import ROOT, Context
from studio.commands.import_ import import_file
from studio.jobs import queue
from studio.preflight import preflight
from studio.settings.base import check
from studio.settings.flags import add_flags, collect, merge
from studio.settings.train import TrainSettings

DATA = ROOT / "assets" / "starter" / "support-desk.csv"
DATASET = "support-desk"
PAIRS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_flags(parser, TrainSettings, leave_out=("dataset", "version"))


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    given = collect(args, TrainSettings)
    models.ensure_starter(context, given.get("model", "starter"))
    began = time.monotonic()  # after set-up: fetching the starter belongs to it
    if DATASET not in context.workspace.names("datasets"):
        import_file(context, {"source": str(DATA), "name": DATASET})
    settings = check(TrainSettings, merge(TrainSettings, {"dataset": DATASET, "name": "demo"}, given))
    found = preflight(context.workspace, settings)
    found.refuse_errors()
    folder = runs.create(context.workspace, found.settings, found.steps)
    queue.advance(context.workspace)
    trained = train.wait_for(context, folder)
    verdict = evaluation.evaluate(context, folder, {})
    return {
        **verdict,
        "run": folder.name,
        "train_seconds": trained["train_seconds"],
        "pairs": pairs(context, verdict["id"]),
        "seconds": round(time.monotonic() - began, 1),
    }


def pairs(context: Context, evaluation_id: str) -> list[dict[str, str]]:
    """The first held-out rows on which base and tuned answered differently."""
    import pyarrow.parquet

    path = context.workspace.evaluations / evaluation_id / "predictions.parquet"
    rows = pyarrow.parquet.read_table(path, columns=["row_id", "prompt", "expected", "base", "tuned"]).to_pylist()
    rows.sort(key=lambda row: row["base"] == row["tuned"])
    return rows[:PAIRS]


def show(result: dict[str, Any]) -> str:
    import json

    lines = [evaluation.show(result), ""]
    for pair in result["pairs"]:
        asked = json.loads(pair["prompt"])[-1]["content"]
        lines += [f"Asked:    {asked}", f"Wanted:   {pair['expected']}", f"Base:     {pair['base'][:100]}"]
        lines += [f"Tuned:    {pair['tuned'][:100]}", ""]
    lines.append(f"Done in {result['seconds']:.0f} s. The run is {result['run']}.")
    return "\n".join(lines)
