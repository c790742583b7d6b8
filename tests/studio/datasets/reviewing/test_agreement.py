"""Agreement as published examples have it."""

from __future__ import annotations

import random

import pytest

from studio.datasets.reviewing.agreement import cohen_kappa, krippendorff_alpha, report, span_f1

# Krippendorff 2011, “Computing Krippendorff's Alpha-Reliability”, example C: four observers, twelve units.
OBSERVED = {
    "A": [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    "B": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    "C": [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    "D": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
}
VALUES = {
    by: {str(place): value for place, value in enumerate(given) if value is not None} for by, given in OBSERVED.items()
}


@pytest.mark.parametrize("level, alpha", [("nominal", 0.743), ("ordinal", 0.815)])
def test_alpha_is_the_published_one(level, alpha):
    assert krippendorff_alpha(VALUES, level) == pytest.approx(alpha, abs=0.0006)


def test_kappa_is_the_published_one():
    # Two readers of 50 proposals: both yes 20, both no 15, yes and no 5, no and yes 10: kappa 0.4.
    pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    one, other = zip(*pairs, strict=True)
    assert cohen_kappa(one, other) == pytest.approx(0.4)
    assert cohen_kappa(["a", "b"], ["a", "b"]) == 1
    assert cohen_kappa(["a", "a"], ["a", "a"]) is None


def test_kappa_equals_scikit_learn_s():
    metrics = pytest.importorskip("sklearn.metrics")
    draw = random.Random(1)
    for _ in range(20):
        one = [draw.choice("abcd") for _ in range(30)]
        other = [value if draw.random() < 0.6 else draw.choice("abcd") for value in one]
        assert cohen_kappa(one, other) == pytest.approx(metrics.cohen_kappa_score(one, other))


def judged(**more):
    return {"status": "accepted", **more}


def test_a_report_says_each_question_that_two_answered():
    rows = {
        f"r{place}": {
            "Ann": judged(label="x" if place < 6 else "y", ratings={"": place % 5 + 1, "Polite": 3}),
            "Bob": judged(label="x" if place < 5 else "y", ratings={"": place % 5 + 1}),
        }
        for place in range(10)
    }
    rows["alone"] = {"Ann": judged(label="z")}
    found = report(rows)
    assert found["reviewers"] == [{"by": "Ann", "rows": 11}, {"by": "Bob", "rows": 10}]
    named = {question["name"]: question for question in found["questions"]}
    assert list(named) == ["Keep or discard", "Label", "The whole"]
    assert named["Keep or discard"]["alpha"] is None and "same answer every time" in named["Keep or discard"]["words"]
    assert (named["Label"]["rows"], named["Label"]["same"]) == (10, 0.9)
    assert named["Label"]["kappa"] == pytest.approx(0.8)
    assert (named["The whole"]["alpha"], named["The whole"]["words"]) == (1.0, "good")


def test_spans_agree_by_f1():
    def span(start, label="Person"):
        return {"of": "messages", "at": 0, "start": start, "end": start + 3, "label": label}

    assert span_f1([{1, 2}, set()], [{2, 3}, set()]) == 0.5
    rows = {
        "both": {"Ann": judged(spans=[span(0), span(9)]), "Bob": judged(spans=[span(0), span(9, "Place")])},
        "none": {"Ann": judged(), "Bob": judged()},
    }
    (spans,) = [question for question in report(rows)["questions"] if question["level"] == "spans"]
    assert (spans["rows"], spans["f1"], spans["same"]) == (1, 0.5, 0.0)
