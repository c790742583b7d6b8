"""The ability probes: what is in the file, and that its card says so."""

from __future__ import annotations

import re
from collections import Counter

from studio import probes
from studio.doctor.overlap import SHORTEST, words


def test_each_is_asked_once_and_long_enough_to_be_told_from_chance():
    loaded = probes.load()
    assert len({probe.id for probe in loaded}) == len({" ".join(words(probe.question)) for probe in loaded}) == 62
    assert all(probe.id.startswith(probe.kind) and probe.answers for probe in loaded)
    short = [probe.id for probe in loaded if len(words(probe.question)) < SHORTEST]
    assert not short


def test_the_card_counts_as_the_file():
    card = probes.FILE.with_suffix(".md").read_text(encoding="utf-8")
    said = {kind: int(count) for kind, count in re.findall(r"^\| `(\w+)` \| (\d+) \|", card, re.MULTILINE)}
    assert said == Counter(probe.kind for probe in probes.load()) and sum(said.values()) == 62
    assert "CC0-1.0" in card
