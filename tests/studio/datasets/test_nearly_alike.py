"""Which rows are nearly alike: the doctor, a split and the pictures go by one rule and count the same."""

from __future__ import annotations

import pytest

from studio.datasets.browsing.pictures import pictures
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.splitting import plans
from studio.doctor.examination import Round
from studio.settings.doctor import DoctorSettings
from studio.settings.splitting import SplitSettings
from tests.sets import make_set
from tests.studio.datasets.test_likeness import texts


def pair(number: int, text: str) -> list[dict]:
    """Two rows with nearly the same words: by turns another number, another label, another case, or one word more."""
    other, label = {
        0: (f"{text} order 4711", "late"),
        1: (text, "lost"),
        2: (text.upper(), "late"),
        3: (f"{text} please", "late"),
    }[number % 4]
    first = f"{text} order 4712" if number % 4 == 0 else text
    sides = ("train", "test") if number % 3 == 0 else ("train", "train")
    return [
        {"kind": "label", "messages": [{"role": "user", "content": said}], "label": label, "split": side}
        for said, label, side in ((first, "late", sides[0]), (other, label, sides[1]))
    ]


@pytest.fixture
def dataset(workspace):
    several = texts(40, 30)
    twins = [row for number, text in enumerate(several[:12]) for row in pair(number, text)]
    others = [
        {"kind": "label", "messages": [{"role": "user", "content": text}], "label": "late"} for text in several[12:]
    ]
    return make_set(workspace, "twins", [*twins, *others])


def doctor(dataset):
    examined = Round(dataset, DoctorSettings(dataset=dataset.name), None, lambda *_: None, lambda: False).examine()
    found = {finding.kind: finding for finding in examined.findings}["alike"]
    return found.count, found.facts["groups"]


def split(dataset):
    settings = SplitSettings(dataset=dataset.name, check=True)
    found = plans.plan(dataset, settings, lambda *_: None).about["leaks"]["alike"]
    return found["rows"], found["groups"]


def charts(dataset):
    sizes = pictures(dataset, dataset.latest).clusters
    return sum(sizes), len(sizes)


def test_doctor_split_and_charts_count_the_same(dataset):
    assert doctor(dataset) == split(dataset) == charts(dataset) == (24, 12)


def test_they_agree_on_rows_that_were_changed_and_left_out(dataset):
    rows = list(dataset.rows())
    reviews = Reviews(dataset)
    reviews.exclude(rows[0].row_id)
    reviews.edit(rows[2].row_id, [{"of": "messages", "at": 0, "text": "Something else is said in this one."}])
    assert doctor(dataset) == split(dataset) == charts(dataset) == (20, 10)
