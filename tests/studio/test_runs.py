"""Runs as lists show them."""

import time

import pytest

from backend.job import Job
from studio import migrate, runs
from studio.errors import BadInput, NewerFormat, NotFound, Refused
from studio.logs import Log
from studio.settings.train import TrainSettings
from studio.workspace import Workspace


def test_a_new_run_waits_with_its_settings(tmp_path):
    space = Workspace.open(tmp_path)
    folder = runs.create(space, TrainSettings(dataset="letters", epochs=2), total_steps=12)
    (item,) = runs.list_runs(space)
    assert (item.id, item.status, item.step, item.total_steps) == (folder.name, "queued", 0, 12)
    assert (item.dataset, item.model, item.method) == ("letters", "starter", "lora")
    assert runs.settings_of(folder) == TrainSettings(dataset="letters", epochs=2)
    with pytest.raises(Refused):
        runs.weights(folder)


def test_a_resumed_run_is_where_it_goes_on_from_until_it_logs_a_step(tmp_path):
    folder = runs.create(Workspace.open(tmp_path), TrainSettings(dataset="letters"), total_steps=12)
    job = Job(folder)
    with job.log, job.metrics:
        job.event("starting")
        job.event("training", total_steps=12)
        assert (runs.summary(folder).step, runs.summary(folder).resuming) == (0, None)
        for step in range(1, 10):
            job.metrics.append("step", step=step, loss=1.0)
        job.event("queued")
        assert (runs.summary(folder).step, runs.summary(folder).resuming) == (0, 0)  # nothing was saved yet
        job.event("checkpoint", step=5)
        for kind in ("queued", "starting"):
            job.event(kind)
            assert (runs.summary(folder).step, runs.summary(folder).resuming) == (5, 5)
        job.metrics.append("progress", done=1, total=2, unit="rows")  # rows are prepared
        assert runs.summary(folder).step == 5
        job.resumed(5)
        assert runs.summary(folder).resuming is None
        job.event("training", total_steps=12)
        assert runs.summary(folder).step == 5
        job.metrics.append("step", step=6, loss=1.0)
        assert runs.summary(folder).step == 6
        job.event("starting")
        assert (runs.summary(folder).step, runs.summary(folder).resuming) == (5, 5)
        job.resumed(0)  # it found no resume point it can use
        assert runs.summary(folder).step == 0


def test_a_run_is_found_by_part_of_its_id(tmp_path):
    space = Workspace.open(tmp_path)
    first, second = (runs.create(space, TrainSettings(dataset=name)) for name in ("letters", "cases"))
    assert runs.open_run(space, first.name[-8:]) == first
    with pytest.raises(BadInput) as caught:
        runs.open_run(space, first.name[:4])
    assert second.name in caught.value.why
    with pytest.raises(NotFound):
        runs.open_run(space, "zzz")


def test_a_run_of_a_newer_studio_is_shown_as_broken(tmp_path):
    space = Workspace.open(tmp_path)
    folder = runs.create(space, TrainSettings(dataset="letters"))
    (folder / "settings.json").write_text('{"format": 99, "job": "train"}')
    (item,) = runs.list_runs(space)
    assert item.status == "broken" and "newer" in item.error["what"]


def test_the_cost_of_the_list_does_not_grow_with_the_steps(tmp_path, capsys):
    """Printed, not asserted tightly: 200 runs of 20,000 steps each; the bound only catches reading whole logs."""
    space = Workspace.open(tmp_path)
    line = '{"type": "step", "time": 1700000000.123, "step": %d, "loss": 1.2345, "tokens_per_second": 812.4}\n'
    metrics = "".join(line % step for step in range(1, 20_001))
    for number in range(200):
        folder = space.runs / f"run-{number:03}"
        folder.mkdir()
        migrate.save(folder / "settings.json", "settings", {"job": "train", "dataset": "d"})
        (folder / "metrics.jsonl").write_text(metrics)
        with Log(folder / "events.jsonl") as log:
            log.append("created")
            log.append("starting", pid=1)
            log.append("training", total_steps=20_000)
            for step in range(500, 20_001, 500):
                log.append("eval", step=step, loss=1.0)
            log.append("finished", steps=20_000)
    start = time.perf_counter()
    found = runs.list_runs(space)
    seconds = time.perf_counter() - start
    with capsys.disabled():
        print(f"\n200 runs with 20,000 steps each listed in {seconds:.2f} s")
    assert {(item.status, item.step) for item in found} == {("finished", 20_000)} and len(found) == 200
    assert seconds < 10


def test_a_run_has_a_name_and_notes_of_any_letters(tmp_path):
    space = Workspace.open(tmp_path)
    folder = runs.create(space, TrainSettings(dataset="letters", name="from the settings"))
    assert runs.summary(folder).name == "from the settings"
    runs.write_note(folder, "  نظرة / <b>..\\x\n ", "line 1\nline 2\n")
    item = runs.summary(folder)
    assert (item.name, item.notes) == ("نظرة / <b>..\\x", "line 1\nline 2")
    for name, text, field in (("x" * 121, "", "name"), ("", "x" * 5001, "notes")):
        with pytest.raises(BadInput) as caught:
            runs.write_note(folder, name, text)
        assert caught.value.field == field
    assert runs.note(folder).name == "نظرة / <b>..\\x"


def test_a_note_that_cannot_be_read_hides_no_run(tmp_path):
    folder = runs.create(Workspace.open(tmp_path), TrainSettings(dataset="letters"))
    (folder / runs.NOTE).write_text("{")
    assert runs.summary(folder).status == "queued"
    runs.write_note(folder, "new", "")
    (folder / runs.NOTE).write_text('{"format": 99}')
    with pytest.raises(NewerFormat):
        runs.write_note(folder, "newer still", "")


def test_the_pace_is_that_of_the_present_life(tmp_path):
    folder = runs.create(Workspace.open(tmp_path), TrainSettings(dataset="letters"))
    assert runs.pace(folder, 0.0) is None
    lines = [(step, 1000.0 + step) for step in range(1, 500)] + [
        (499 + step, 9000.0 + 3 * step) for step in range(1, 5)
    ]
    text = "".join(f'{{"type": "step", "time": {when}, "step": {step}, "loss": 1.23456789}}\n' for step, when in lines)
    (folder / "metrics.jsonl").write_text(text)
    assert runs.pace(folder, 9000.0) == 3.0


def test_deleted_runs_are_listed_by_the_id_they_had(tmp_path):
    space = Workspace.open(tmp_path)
    folder = runs.create(space, TrainSettings(dataset="letters", name="gone"))
    runs.delete(space, folder.name)
    ((item, when),) = runs.deleted(space)
    assert (item.id, item.name, item.dataset) == (folder.name, "gone", "letters") and when > 1e9
    runs.restore(space, folder.name)
    assert runs.deleted(space) == []


def test_a_killed_run_worked_until_its_last_word(tmp_path):
    folder = runs.create(Workspace.open(tmp_path), TrainSettings(dataset="letters"))
    (folder / "events.jsonl").write_text('{"type": "created", "time": 1}\n{"type": "starting", "time": 10}\n')
    (folder / "metrics.jsonl").write_text('{"type": "step", "time": 25, "step": 1}\n')
    assert (runs.summary(folder).status, runs.summary(folder).worked) == ("interrupted", 15.0)


HERE, PACE = "cuda, a GPU, a CPU, 2 threads", 800.0


@pytest.mark.parametrize(
    "other",
    [
        {"model": "another"}, {"method": {"name": "full"}}, {"method": {"name": "qlora", "bits": "8"}},
        {"dtype": "float32"}, {"recompute": True}, {"attention": "flash"}, {"kernels": "liger"},
        {"optimizer": "adamw_8bit"}, {"spread": {"name": "ddp", "processes": 2}},
    ],
    ids=str,
)  # fmt: skip
def test_the_usual_speed_is_that_of_like_runs(tmp_path, other):
    """QLoRA of eight bits takes ten times as long as that of four, and so on: such a run tells nothing."""
    space = Workspace.open(tmp_path)
    like = {"dataset": "letters", "method": {"name": "qlora"}, "dtype": "bfloat16", "recompute": False, "epochs": 2.0}
    unlike = TrainSettings.model_validate(like | other)
    ended(runs.create(space, unlike), 80.0)
    settings = TrainSettings.model_validate(like)
    assert runs.usual_speed(space, settings, HERE, False) is None
    ended(runs.create(space, TrainSettings.model_validate(like | {"dataset": "cases", "learning_rate": 1e-3})), PACE)
    assert runs.usual_speed(space, settings, HERE, False) == PACE
    assert runs.usual_speed(space, unlike, HERE, False) == 80.0
    for elsewhere in ("cpu, no GPU, a CPU, 2 threads", "cuda, another GPU, a CPU, 2 threads"):
        assert runs.usual_speed(space, settings, elsewhere, False) is None


def test_a_speed_holds_for_the_attention_it_was_reached_with(tmp_path):
    """Which one `auto` takes depends on what is installed; runs of before it was told say nothing of FlashAttention."""
    space, settings = Workspace.open(tmp_path), TrainSettings(dataset="letters")
    ended(runs.create(space, settings), 80.0)
    assert runs.usual_speed(space, settings, HERE, True) is None
    ended(runs.create(space, settings), PACE, attention="flash")
    assert [runs.usual_speed(space, settings, HERE, flash) for flash in (True, False)] == [PACE, 80.0]


def ended(folder, speed, **fields):
    with Log(folder / "events.jsonl") as log:
        log.append("starting", pid=1)
        log.append("finished", steps=9, tokens_per_second=speed, place=HERE, **fields)
