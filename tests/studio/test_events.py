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
