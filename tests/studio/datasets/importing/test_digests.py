"""Digests in flat memory say what a dict would say, and take little room."""

from __future__ import annotations

import random
from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from studio.datasets.importing.digests import FIRST, Digests


@given(some=st.lists(st.binary(min_size=10, max_size=10) | st.sampled_from([b"\0" * 10, b"\xff" * 10]), max_size=60))
def test_numbers_are_those_of_a_dict(some):
    digests, numbers = Digests(10), {}
    for digest in some:
        assert digests.find(digest) == numbers.get(digest, -1)
        assert digests.add(digest) == numbers.setdefault(digest, len(numbers))
    assert list(digests) == list(numbers) and len(digests) == len(numbers)


def test_it_grows_and_forgets_nothing():
    """Also where many begin to look at one place, at the end of the table."""
    draw = random.Random(3)
    crowd = [b"\xff" * 8 + n.to_bytes(2, "big") for n in range(300)]
    some = crowd + [draw.randbytes(10) for _ in range(20 * FIRST)]
    draw.shuffle(some)
    digests = Digests(10)
    assert [digests.add(digest) for digest in some] == list(range(len(some)))
    assert [digests.find(digest) for digest in some] == list(range(len(some)))
    assert digests.find(b"\xff" * 10) == -1 and list(digests.since(len(some) - 3)) == some[-3:]


def test_a_digest_takes_some_twenty_bytes():
    digests = Digests(10)
    for number in range(100_000):
        digests.add(blake2b(number.to_bytes(8, "big"), digest_size=10).digest())
    assert (digests.block.__sizeof__() + digests.table.__sizeof__()) / len(digests) < 24
