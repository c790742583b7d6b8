"""Whether a row among others in a packed line has the loss and gradients that TRL's SFTTrainer gives it.

TRL pads (its own collator) and computes (its own `compute_loss`); both sides have the same tokens, labels and weights,
in float32, with LoRA whose B is not zero and with all weights trained. Each row's own loss is taken, and the mean over
all learned tokens of a batch, which is what an update learns from.

How near two computations in float32 can come is measured beside it: both sides against the same losses and gradients
in float64, and TRL against itself with the row alone, where its sums are made in another order.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from backend.benchmarks import environments, measured, ours
from backend.benchmarks.apart import OURS_EXACT, SIDES, THEIRS_EXACT
from backend.benchmarks.bench import NAME, Bench
from studio.batches.encode import encode_rows
from studio.batches.tokenizer import load_tokenizer
from studio.benchmarks import Bar, Result
from studio.datasets.store import Dataset
from studio.jobs.local import ROOT

APART = 1e-5
METHODS: dict[str, dict[str, Any]] = {"LoRA": ours.WORK["method"], "all weights": {"name": "full"}}


def measure(bench: Bench) -> Result:
    """The greatest differences over all rows, batches and trained tensors."""
    dataset = Dataset.open(bench.scratch, bench.dataset(bench.conversations()))
    rows = list(dataset.rows(dataset.latest, "train"))
    work = {key: value for key, value in ours.WORK.items() if key != "method"}
    encoded, _ = encode_rows(load_tokenizer(bench.model.path), rows, loss_on="all", cutoff=work["cutoff"])
    place = environments.trl(bench)
    tokens = [{"ids": row.ids.tolist(), "labels": row.labels.tolist()} for row in encoded]
    result = Result(facts={"tokens": sum(map(len, encoded))}, versions={"TRL": environments.TRL})
    for name, method in METHODS.items():
        given = work | {"method": method, "dataset": NAME, "model": bench.settings.model, "dtype": "float32"}
        found = _compare(bench, place, given, tokens)
        result.sides += [{"side": f"{name}: {ways}", **figures} for ways, figures in found.items()]
        result.bars += [
            Bar(f"{name}: greatest difference of {words} from TRL's", found[SIDES][figure], APART, at_most=True)
            for figure, words in (("loss_apart", "a loss"), ("gradient_apart", "an entry of a gradient"))
        ]
        times = found[OURS_EXACT]["gradient_apart"] / found[THEIRS_EXACT]["gradient_apart"]
        result.facts[f"{name}, times as far from float64 as TRL"] = times
        bench.say(f"{name}: losses at most {found[SIDES]['loss_apart']:.1e} apart, {len(encoded)} rows.")
    return result


def _compare(
    bench: Bench, place: Any, settings: dict[str, Any], rows: list[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    folder = bench.folder("gradients")
    given = {"workspace": str(bench.scratch.root), "settings": settings, "rows": rows, "output": str(folder / "out")}
    (folder / "settings.json").write_text(json.dumps(given), encoding="utf-8")
    took = bench.run(
        [sys.executable, "-P", "-m", "backend.benchmarks.gradients_side", str(folder / "settings.json")],
        folder / "output.log",
        cwd=folder,
        env=measured.of_another(folder, PYTHONPATH=os.pathsep.join([str(place), str(ROOT)])),
    )
    return dict(json.loads(took.output.strip().splitlines()[-1]))
