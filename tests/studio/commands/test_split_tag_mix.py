"""`split`, `tag` and `mix` as commands: real processes on one workspace."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from tests.sets import make_set
from tests.studio.datasets.splitting.test_grouping import talk

ROOT = Path(__file__).resolve().parents[3]


def command(workspace, *words, fails=False):
    arguments = [sys.executable, "launch.py", *words, "--workspace", str(workspace.root), "--json"]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode != 0) == fails, done.stderr
    return json.loads(done.stdout)


def test_tag_split_freeze_and_mix(workspace):
    rows = [
        talk(
            f"Visit {n} {'cough' if n % 2 else 'rash'}", "Noted.", patient=f"P{n % 20}", split=("train", "test")[n % 2]
        )
        for n in range(80)
    ]
    make_set(workspace, "visits", [*rows[:60], *(row | {"split": "test"} for row in rows[60:])])
    tagged = command(workspace, "tag", "visits", "--tag", "domain", "--value", "lung", "--find", "cough", "--by", "Ann")
    assert (tagged["count"], tagged["applied"]) == (40, True)
    log = Reviews(Dataset.open(workspace, "visits")).log()

    def whose() -> list[str | None]:
        return [deed.get("by") for deed in log.read().standing[log.last]]

    assert whose() == ["Ann"]
    ways = ["--by", "group", "--column", "patient", "--stratify", "domain", "--no-near"]
    before = command(workspace, "split", "visits", *ways, "--check")
    assert before["leaks"]["clean"] is False and before["leaks"]["examples"] and not before["applied"]
    after = command(workspace, "split", "visits", *ways, "--who", "Bob")
    assert set(whose()) == {"Bob"}
    assert after["leaks"]["clean"] and after["balance"]["held"] and after["applied"] and after["moved"]
    assert command(workspace, "freeze", "visits")["version"] == 2
    frozen = Dataset.open(workspace, "visits")
    assert frozen.counts() == after["planned"] and sum("domain" in row.tags for row in frozen.rows()) == 40
    row = next(frozen.rows(split="train")).row_id
    assert command(workspace, "split", "visits", "--move", row, "--to", "test", "--who", "Cem")["moved"] == 1
    assert whose() == ["Cem"]
    assert command(workspace, "split", "visits", "--check", "--no-near")["leaks"]["clean"] is False  # patients cross

    told = command(
        workspace, "mix", "--name", "both", "--part", "visits[domain=lung]=2", "--by", "weights", "--preview"
    )
    made = command(workspace, "mix", "--name", "both", "--part", "visits[domain=lung]=2", "--by", "weights")
    assert made["counts"] == told["counts"] == Dataset.open(workspace, "both").counts()
    recipe = workspace.datasets / "both" / "source" / "0001" / "recipe.json"
    again = command(workspace, "mix", "--recipe", str(recipe))
    assert (again["version"], again["counts"]) == (2, made["counts"])
    error = command(workspace, "mix", "--name", "x", "--part", "nobody", fails=True)["error"]
    assert "no dataset" in error["what"]
