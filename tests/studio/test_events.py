"""Folding events into a state, and reading steps."""

from studio import events
from studio.logs import Log


def lines(*kinds, **fields):
    return [{"type": kind, "time": float(at), **fields} for at, kind in enumerate(kinds, 1)]


def test_the_life_of_a_job():
    assert events.fold([]).phase == "waiting"
    state = events.fold(lines("created", "starting", "training", total_steps=9))
    assert (state.phase, state.created, state.started, state.total_steps) == ("working", 1.0, 2.0, 9)
    state = events.fold(lines("created", "starting", "stopping", "stopped", step=4))
    assert state.phase == "stopped" and state.result["step"] == 4 and state.ended == 4.0
    state = events.fold(lines("created", "starting", "failed", what="a", why="b", next="c"))
    assert state.error == {"what": "a", "why": "b", "next": "c"}


def test_taking_it_up_again_forgets_the_end():
    state = events.fold(lines("created", "starting", "failed", "queued", what="a"))
    assert (state.phase, state.error, state.ended) == ("waiting", None, None)
    state = events.fold(lines("created", "starting", "failed", "queued", "starting", what="a"))
    assert state.phase == "working" and state.error is None


def test_what_is_logged_again_after_a_resume_supersedes(tmp_path):
    with Log(tmp_path / events.METRICS) as log:
        for step, loss in ((1, 3.0), (2, 2.0), (3, 1.5), (2, 1.9), (3, 1.4), (4, 1.3)):
            log.append("step", step=step, loss=loss)
    steps, offset = events.steps(tmp_path)
    assert [(line["step"], line["loss"]) for line in steps] == [(1, 3.0), (2, 1.9), (3, 1.4), (4, 1.3)]
    assert events.steps(tmp_path, offset) == ([], offset)
    evals = [{"type": "eval", "step": 5, "loss": loss} for loss in (2.0, 1.0)]
    assert events.fold(evals).evals == {5: 1.0}


def test_an_unknown_event_changes_nothing():
    assert events.fold(lines("created", "starting", "aurora")).phase == "working"


def test_work_is_counted_without_the_pauses():
    state = events.fold(lines("created", "starting", "stopped", "queued", "starting", "training"))
    assert (state.worked, state.started) == (1.0, 5.0)
    assert state.take({"type": "finished", "time": 9.0}).worked == 5.0
    # A life that was killed counts until its last word.
    killed = events.fold(lines("created", "starting", "training", "eval"))
    assert killed.take({"type": "queued", "time": 99.0}).worked == 2.0


def test_a_resumed_run_takes_back_what_it_will_do_again(tmp_path):
    with Log(tmp_path / events.METRICS) as log:
        for step in (1, 2, 3, 4, 5, 3):
            log.append("step", step=step)
    assert [line["step"] for line in events.steps(tmp_path)[0]] == [1, 2, 3]
