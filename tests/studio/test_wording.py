"""Numbers and events in plain words."""

import pytest

from studio import wording


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (-1, "0.0 s"),
    ],
)
def test_duration(seconds, text):
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (512_300, "512 kB"), (1_500_000_000, "1.5 GB"), (3e15, "3000 TB")],
)
def test_size(count, text):
    assert wording.size(count) == text


def test_events_and_metrics_as_sentences():
    assert wording.event({"type": "eval", "step": 4, "loss": 1.25}) == "Step 4: validation loss 1.2500."
    assert wording.event({"type": "failed", "what": "A.", "why": "", "next": "C."}) == "A. C."
    assert wording.event({"type": "sample"}) is None
    line = {"type": "step", "step": 3, "loss": 1.23456, "tokens_per_second": 99.6}
    assert wording.metric(line, 9) == "step 3 of 9, loss 1.235, 100 tokens/s"
    assert wording.metric({"type": "progress", "done": 5e6, "total": 1e7, "unit": "bytes"}) == "5.0 MB of 10.0 MB"
    uncounted = {"type": "progress", "done": 0, "total": None, "unit": "rows", "message": "laying out 118 rows"}
    assert wording.metric(uncounted) == "laying out 118 rows"
    assert wording.metric(uncounted | {"done": 7, "message": "reading"}) == "reading 7 rows"
