"""A resume point is whole and this run's own, or it is not used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field

from backend.job import Job
from backend.training import checkpoints
from backend.training.checkpoints import Checkpoints, Identity
from backend.training.report import Figures
from studio.errors import NoMemory, NoRoom, StudioError
from studio.settings.base import Settings
from studio.settings.train import Dora, Full, Lora, Qlora, TrainSettings
from tests.worlds import told

ROOT = Path(__file__).resolve().parents[3]
MINE = Identity("run-1", "settings", "cpu", 1)


def write(folder: Path) -> None:
    (folder / "adapter_model.safetensors").write_bytes(os.urandom(3000))
    (folder / "optimizer.pt").write_bytes(b"state")


def saved(folder: Path, *steps: int, keep: int = 2, checks: dict[int, float] | None = None) -> Checkpoints:
    kept = Checkpoints(folder, MINE, keep)
    for step in steps:
        losses = [(at, loss) for at, loss in (checks or {}).items() if at <= step]
        kept.save(Figures(step=step, checks=losses), write)
    return kept


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    kept = saved(tmp_path, 3, checks={0: 2.0, 3: 1.0})
    found = kept.newest(print)
    assert found is not None
    assert (found.step, found.figures.checks, found.path) == (3, [(0, 2.0), (3, 1.0)], kept.path(3))


def test_the_newest_and_the_best_stay(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2, 3, 4, 5, checks={0: 0.1, 1: 3.0, 2: 1.0, 3: 2.0, 4: 2.0, 5: 2.0})
    assert names(tmp_path) == ["step-000002", "step-000004", "step-000005"]


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "optimizer.pt", "checkpoint.json"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_one_is_told_of_and_the_one_before_is_used(name: str, damage: str, tmp_path: Path) -> None:
    kept = saved(tmp_path, 1, 2)
    file = kept.path(2) / name
    data = bytearray(file.read_bytes())
    if damage == "gone":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(data[:-1] if name != "checkpoint.json" else data[: len(data) // 2])
    else:
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    said: list[str] = []
    found = kept.newest(said.append)
    assert found is not None and found.step == 1
    assert len(said) == 1 and "step 2" in said[0]


def test_none_that_is_whole_means_from_the_first_step(tmp_path: Path) -> None:
    kept = saved(tmp_path, 1)
    (kept.path(1) / "optimizer.pt").write_bytes(b"other")
    said: list[str] = []
    assert kept.newest(said.append) is None
    assert "first step" in said[-1]


@pytest.mark.parametrize("other", [Identity("run-2", "settings", "cpu", 1), Identity("run-1", "others", "cpu", 1)])
def test_that_of_another_run_is_not_opened(other: Identity, tmp_path: Path) -> None:
    saved(tmp_path, 1)
    said: list[str] = []
    assert Checkpoints(tmp_path, other, 2).newest(said.append) is None
    assert "another run" in said[0]


@pytest.mark.parametrize("keep", [1, 2])
@pytest.mark.parametrize("usable", [0, 2])
def test_unusable_ones_with_higher_numbers_cost_no_new_one(keep: int, usable: int, tmp_path: Path) -> None:
    """A life that goes on from an older one, or from the beginning, saves below the numbers of those left over."""
    saved(tmp_path, 2, 4, 8, 10, keep=9)
    for path in (tmp_path / "checkpoints").glob("step-*"):
        if int(path.name.removeprefix("step-")) > usable:
            (path / "optimizer.pt").write_bytes(b"other")
    life = Checkpoints(tmp_path, MINE, keep)
    begun = life.newest(lambda text: None)
    assert (begun.step if begun else 0) == usable
    mine = [usable] if usable else []
    for step in (3, 6, 9):
        life.save(Figures(step=step), write)
        mine.append(step)
        assert names(tmp_path) == [f"step-{number:06}" for number in mine[-keep:]]
        assert life.open(life.path(step)).step == step


def test_a_failed_save_names_no_unusable_one_to_go_on_from(tmp_path: Path) -> None:
    saved(tmp_path, 1, 8)
    life = Checkpoints(tmp_path, MINE, 2)
    (life.path(8) / "optimizer.pt").write_bytes(b"other")
    life.newest(lambda text: None)

    def fail(folder: Path) -> None:
        raise MemoryError

    with pytest.raises(NoMemory, match="go on from step 1"):
        life.save(Figures(step=2), fail)
    assert names(tmp_path) == ["step-000001", "step-000008"]


def test_a_file_that_was_not_written_by_the_run_is_not_opened(tmp_path: Path) -> None:
    """Trainer would open a training_args.bin or a pytorch_model.bin that somebody put there."""
    kept = saved(tmp_path, 1, 2)
    (kept.path(2) / "pytorch_model.bin").write_bytes(b"pickle")
    found = kept.newest(lambda text: None)
    assert found is not None and found.step == 1


def test_one_of_a_newer_studio_is_not_used(tmp_path: Path) -> None:
    kept = saved(tmp_path, 1, 2)
    manifest = kept.path(2) / "checkpoint.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 99}))
    said: list[str] = []
    found = kept.newest(said.append)
    assert found is not None and found.step == 1
    assert "newer" in said[0]


def test_a_failed_save_leaves_those_before(tmp_path: Path) -> None:
    kept = saved(tmp_path, 1)

    def fail(folder: Path) -> None:
        write(folder)
        raise RuntimeError("[enforce fail at inline_container.cc] unexpected pos 64 vs 0")

    with pytest.raises(StudioError, match="go on from step 1"):
        kept.save(Figures(step=2), fail)
    assert names(tmp_path) == ["step-000001"]
    assert kept.newest(print).step == 1  # type: ignore[union-attr]


def test_memory_that_runs_out_while_saving_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    kept = saved(tmp_path, 1)

    def fail(folder: Path) -> None:
        write(folder)
        raise MemoryError

    with pytest.raises(NoMemory, match=r"memory ran out.*go on from step 1"):
        kept.save(Figures(step=2), fail)
    assert names(tmp_path) == ["step-000001"]


def test_a_full_disk_is_said_and_harms_nothing(small_disk: Any, tmp_path: Path) -> None:
    disk = small_disk(tmp_path / "disk")
    kept = saved(disk, 1)

    def large(folder: Path) -> None:
        (folder / "adapter_model.safetensors").write_bytes(b"0" * 4_000_000)

    with pytest.raises(NoRoom, match="disk is full"):
        kept.save(Figures(step=2), large)
    assert names(disk) == ["step-000001"]
    assert kept.newest(print).step == 1  # type: ignore[union-attr]


SAVER = """
import os, sys
from pathlib import Path
from backend.training.checkpoints import Checkpoints
from backend.training.report import Figures
from tests.backend.training.test_checkpoints import MINE

def write(folder):
    for number in range(40):
        (folder / f"part-{number}").write_bytes(os.urandom(20_000))

kept = Checkpoints(Path(sys.argv[1]), MINE, 2)
print("ready", flush=True)
step = 1
while True:
    kept.save(Figures(step=step), write)
    print(step, flush=True)
    step += 1
"""


def test_killed_while_saving_the_newest_is_always_whole(tmp_path: Path) -> None:
    for life in range(3):
        folder = tmp_path / str(life)
        process = subprocess.Popen(
            [sys.executable, "-c", SAVER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        last = 0
        for line in process.stdout:
            last = int(line) if line.strip().isdigit() else 0
            if last == 3 + life:
                break
        process.kill()
        process.wait()
        process.stdout.close()
        said: list[str] = []
        found = Checkpoints(folder, MINE, 2).newest(said.append)
        assert found is not None and found.step >= last and not said
        checkpoints.clear_partials(folder)
        assert all(name.startswith("step-") for name in names(folder))


def test_the_settings_that_matter_are_in_the_hash(world: Any) -> None:
    from studio.runs import settings_of

    def digest(**given: Any) -> str:
        return Identity.of("r", settings_of(world.run(**given)), "cpu").settings

    base = digest()
    assert digest(name="another", threads=2) == base
    assert digest(seed=2) != base and digest(learning_rate=2e-2) != base


def digest_of(kind: type[TrainSettings] = TrainSettings, **given: Any) -> str:
    return Identity.of("r", kind.model_validate({"dataset": "d"} | given), "cpu").settings


@pytest.mark.parametrize(
    ("given", "digest"),
    [
        ({}, "c7075a78667013d1f8b48d2b1e8d3912"),
        ({"method": {"name": "dora"}}, "f915929a70ffe2449b436ac13e9bcff5"),
        (
            {"method": {"name": "qlora", "rank": 4}, "objective": {"name": "sft"}, "learning_rate": 0.001},
            "3b422742f9759d0d22fcdb5d4215f17e",
        ),
        (
            {"method": {"name": "full"}, "objective": {"name": "pretraining"}, "dtype": "float32"},
            "1f13cc5e39b66a9c7648002419f2681d",
        ),
    ],
)
def test_resume_points_of_earlier_studios_are_still_those_of_their_runs(given: dict[str, Any], digest: str) -> None:
    """As it stands in resume points that were saved in November 2026, with all settings there were then."""
    assert digest_of(**given) == digest


class LaterQlora(Qlora):
    """With a setting more, as a later studio may have it."""

    dose: float = 0.5


class LaterFull(Full):
    dropout: float = 0.0


class Added(Settings):
    name: Literal["added"] = "added"
    strength: float = 1.0


class Other(Added):
    name: Literal["other"] = "other"  # type: ignore[assignment]


class LaterSettings(TrainSettings):
    method: Lora | Dora | LaterQlora | LaterFull | Added | Other = Field(Lora(), discriminator="name")  # type: ignore[assignment]
    smoothing: float = 0.0
    curriculum: Added | Other | None = None


@pytest.mark.parametrize("method", ["lora", "dora", "qlora", "full"])
def test_a_setting_more_leaves_a_run_what_it_is_until_it_is_changed(method: str) -> None:
    later = partial(digest_of, LaterSettings)
    assert later(method={"name": method}) == digest_of(method={"name": method})
    changed = {
        digest_of(),
        later(smoothing=0.1),
        later(curriculum={"name": "added"}),
        later(curriculum={"name": "other"}),
        later(curriculum={"name": "other", "strength": 2.0}),
        later(method={"name": "qlora"}),
        later(method={"name": "qlora", "dose": 0.6}),
        later(method={"name": "full", "dropout": 0.1}),
    }
    assert len(changed) == 8


def test_methods_and_goals_are_told_apart_even_with_nothing_but_defaults() -> None:
    methods = ("lora", "dora", "qlora", "full", "added", "other")
    assert len({digest_of(LaterSettings, method={"name": name}) for name in methods}) == len(methods)
    assert len({digest_of(), *(digest_of(objective={"name": name}) for name in ("sft", "pretraining"))}) == 3


def test_what_may_change_the_last_digits_is_said(world: Any) -> None:
    folder = world.run()
    found = saved(folder, 1).newest(print)
    assert found is not None
    job = Job(folder)
    with job.log, job.metrics:
        checkpoints.announce(job, found, Identity("run-1", "settings", "cpu", 1))
        assert not told(folder, "message")
        checkpoints.announce(job, found, Identity("run-1", "settings", "cpu", 2))
    assert told(folder, "resumed")[0]["from_step"] == 1
    assert "threads 1 then, 2 now" in told(folder, "message")[0]["text"]


def test_another_processor_or_way_of_products_is_said(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = world.run()
    found = saved(folder, 1).newest(print)
    assert found is not None
    monkeypatch.setattr(checkpoints, "cpu_name", lambda: "another one")
    job = Job(folder)
    with job.log, job.metrics:
        checkpoints.announce(job, found, Identity("run-1", "settings", "cpu", 1, dtype="bfloat16", onednn=True))
    (said,) = told(folder, "message")
    for words in ("oneDNN not used then, used now", "another one now", "bfloat16 now"):
        assert words in said["text"]


def test_other_attention_or_kernels_are_said(world: Any) -> None:
    from studio.runs import settings_of

    folder = world.run()
    usual = settings_of(folder)
    fast = usual.model_copy(update={"attention": "flash", "kernels": "liger"})
    first = Checkpoints(folder, Identity.of("r", usual, "cpu"), 2)  # as before it was known which way `auto` is
    first.save(Figures(), write)
    as_before = Identity.of("r", usual, "cpu", attention="rows")
    found = Checkpoints(folder, later := Identity.of("r", fast, "cpu", attention="flash"), 2).newest(print)
    assert found is not None
    job = Job(folder)
    with job.log, job.metrics:
        checkpoints.announce(job, found, as_before)
        checkpoints.announce(job, found, later)
    (said,) = told(folder, "message")
    assert "attention auto then, flash now" in said["text"] and "kernels usual then, liger now" in said["text"]
