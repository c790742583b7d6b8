"""Jobs with a real worker that needs no torch: queue, locks, stop, resume, kill -9."""

import itertools
import os
import signal
import threading
import time

import psutil
import pytest

from studio import events, headroom, logs, runs
from studio.errors import JobFailed, Refused
from studio.jobs import folder as job_folder
from studio.jobs import follow, local, queue
from studio.workspace import Workspace


@pytest.fixture
def space(tmp_path):
    space = Workspace.open(tmp_path / "w")
    yield space
    for name in space.names("runs"):
        if job_folder.alive(space.runs / name):
            local.stop(space.runs / name)
    wait(lambda: not any(job_folder.alive(space.runs / name) for name in space.names("runs")))


def wait(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        local.reap()
        time.sleep(0.01)


def rehearse(space, steps=20, seconds=0.0, **more):
    return job_folder.create(space, "rehearsal", {"steps": steps, "seconds": seconds, **more})


def pid(folder):
    return next(line["pid"] for line in reversed(logs.read(folder / "events.jsonl")[0]) if line["type"] == "starting")


def test_a_job_runs_to_its_end_and_tells_it(space):
    folder = rehearse(space)
    assert job_folder.status(folder) == "queued"
    assert queue.advance(space) == folder
    state = follow.follow(space, folder)
    assert follow.result(folder, state)["steps"] == 20
    assert job_folder.status(folder) == "finished" and not job_folder.alive(folder)
    assert [line["step"] for line in events.steps(folder)[0]] == list(range(1, 21))


def test_one_at_a_time_in_order_and_the_next_is_started_by_the_one_that_ends(space):
    first, second, third = (rehearse(space, steps=5, seconds=0.05) for _ in range(3))
    order = [item.folder for item in queue.waiting(space)]
    assert order == [first, second, third]
    queue.advance(space)
    assert queue.advance(space) is None and queue.holder(space) == first
    assert job_folder.status(second) == "queued"
    wait(lambda: job_folder.status(third) == "finished")  # nobody but the workers called advance
    spans = []
    for folder in (first, second, third):
        state = events.read_state(folder)
        spans.append((state.started, state.ended))
    assert spans == sorted(spans) and all(a[1] <= b[0] + 0.05 for a, b in itertools.pairwise(spans))


def test_a_job_knows_the_one_whose_memory_it_waits_for(space):
    first, second = rehearse(space, steps=2), rehearse(space, steps=40, seconds=0.05)
    queue.advance(space)
    wait(lambda: events.steps(second)[0])
    assert not psutil.pid_exists(pid(first))  # collected by the wait
    assert psutil.Process(pid(second)).environ()[headroom.AFTER] == str(pid(first))
    local.stop(second)


def test_many_at_once_start_a_job_once(space):
    folder = rehearse(space, steps=10, seconds=0.02)
    threads = [threading.Thread(target=queue.advance, args=(space,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    follow.follow(space, folder)
    kinds = [line["type"] for line in logs.read(folder / "events.jsonl")[0]]
    assert kinds.count("starting") == 1 and kinds.count("finished") == 1


def test_stop_saves_and_resume_goes_on(space):
    folder = rehearse(space, steps=400, seconds=0.01)
    queue.advance(space)
    wait(lambda: events.last_metric(folder).get("step", 0) >= 3)
    assert queue.stop(space, folder) in ("stopping", "stopped")
    wait(lambda: job_folder.status(folder) == "stopped")
    stopped_at = events.read_state(folder).result["step"]
    assert stopped_at >= 3
    with pytest.raises(JobFailed):
        follow.result(folder, events.read_state(folder))
    queue.requeue(space, folder)
    wait(lambda: events.last_metric(folder).get("step", 0) > stopped_at)
    resumed = [line for line in logs.read(folder / "events.jsonl")[0] if line["type"] == "resumed"]
    assert resumed[0]["from_step"] == stopped_at
    with pytest.raises(Refused):
        queue.requeue(space, folder)


def test_a_killed_worker_is_interrupted_frees_the_device_and_resumes(space):
    folder = rehearse(space, steps=60, seconds=0.01)
    queue.advance(space)
    wait(lambda: events.last_metric(folder).get("step", 0) >= 25)
    os.kill(pid(folder), signal.SIGKILL)
    wait(lambda: job_folder.status(folder) == "interrupted")
    assert queue.holder(space) is None
    state = follow.follow(space, folder)
    with pytest.raises(JobFailed) as caught:
        follow.result(folder, state)
    assert "interrupted" in caught.value.what
    queue.requeue(space, folder)
    assert follow.result(folder, follow.follow(space, folder))["steps"] == 60
    assert [line["step"] for line in events.steps(folder)[0]] == list(range(1, 61))


def test_a_waiting_job_is_stopped_without_a_worker(space):
    busy, waiting = rehearse(space, steps=200, seconds=0.02), rehearse(space)
    queue.advance(space)
    assert queue.stop(space, waiting) == "stopped"
    assert [item.folder for item in queue.waiting(space)] == []
    queue.stop(space, busy)
    wait(lambda: job_folder.status(busy) == "stopped")
    assert job_folder.status(waiting) == "stopped"


def test_a_resumed_run_stopped_while_it_waits_is_where_it_would_have_gone_on(space):
    folder = rehearse(space)
    with logs.Log(folder / "events.jsonl") as log:
        log.append("starting", pid=0)
        log.append("training", total_steps=100)
        log.append("checkpoint", step=40)
        with logs.Log(folder / "metrics.jsonl") as metrics:
            metrics.append("step", step=57, loss=1.0)
        log.append("queued")
    assert runs.summary(folder).step == 40
    assert queue.stop(space, folder) == "stopped"
    assert events.read_state(folder).result["step"] == runs.summary(folder).step == 40


def test_sigterm_saves_like_stop(space):
    folder = rehearse(space, steps=400, seconds=0.01)
    queue.advance(space)
    wait(lambda: events.last_metric(folder).get("step", 0) >= 1)
    os.kill(pid(folder), signal.SIGTERM)
    wait(lambda: job_folder.status(folder) == "stopped")
    assert (folder / "checkpoints" / "rehearsal.json").exists()


def test_a_failure_carries_its_words(space):
    folder = rehearse(space, fail_at=4)
    queue.advance(space)
    with pytest.raises(JobFailed) as caught:
        follow.result(folder, follow.follow(space, folder))
    assert (caught.value.what, caught.value.next) == ("Step 4 failed.", "Start again without it.")
    assert job_folder.status(folder) == "failed"


def test_a_worker_that_can_not_start_fails_and_the_next_one_runs(space):
    bad, good = rehearse(space), rehearse(space, steps=3)
    (bad / "settings.json").write_text('{"format": 1, "job": "rehearsal"}')  # no steps: it starts and fails
    queue.advance(space)
    wait(lambda: job_folder.status(good) == "finished")
    assert job_folder.status(bad) == "failed"


def test_a_broken_folder_is_shown_with_its_reason_and_hides_nothing(space):
    good, bad, odd = rehearse(space), rehearse(space), space.runs / "odd"
    (bad / "settings.json").write_text("{")
    odd.mkdir()
    found = {item.id: item for item in runs.list_runs(space)}
    assert found[good.name].status == "queued"
    for name in (bad.name, "odd"):
        assert found[name].status == "broken" and found[name].error["why"]
    assert queue.advance(space) == good
    follow.follow(space, good)


def test_a_running_run_is_not_deleted_and_a_deleted_one_comes_back(space):
    folder = rehearse(space, steps=300, seconds=0.02)
    queue.advance(space)
    with pytest.raises(Refused):
        runs.delete(space, folder.name)
    queue.stop(space, folder)
    wait(lambda: job_folder.status(folder) == "stopped")
    wait(lambda: not job_folder.alive(folder))
    assert runs.delete(space, folder.name[-4:]) == folder.name
    assert runs.list_runs(space) == []
    assert runs.restore(space, folder.name) == folder.name
    assert runs.list_runs(space)[0].status == "stopped"


def test_the_starting_command_may_die_and_the_run_goes_on(space):
    import subprocess
    import sys

    folder = rehearse(space, steps=100, seconds=0.02)
    code = (
        "import sys, time\nfrom studio.jobs import queue\nfrom studio.workspace import Workspace\n"
        f"queue.advance(Workspace.open({str(space.root)!r}))\nprint('started', flush=True)\ntime.sleep(60)\n"
    )
    command = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert command.stdout.readline() == "started\n"
    command.kill()
    command.wait()
    command.stdout.close()
    before = events.last_metric(folder).get("step", 0)
    wait(lambda: events.last_metric(folder).get("step", 0) > before + 3)
    assert job_folder.status(folder) == "running"
