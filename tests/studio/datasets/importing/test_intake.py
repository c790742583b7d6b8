"""Ids and sides of an import are those that stand on users' disks, whatever they are kept in meanwhile.

`OldIds` and `old_sides` are how they were first made, in dicts and lists: what is made otherwise must give the same.
"""

from __future__ import annotations

import json
import re
import tracemalloc
from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from studio.datasets.importing.drafts import Drafter
from studio.datasets.importing.formats import take_for
from studio.datasets.importing.intake import BadRow, Dismissed, Ids, Intake, Known
from studio.datasets.importing.preview import FirstRows
from studio.datasets.reading.readers import columns_of, open_reader, sample
from studio.datasets.rows import key_id, row_id
from studio.datasets.splitting.sides import DEFAULT, SIDES, assign, targets


class OldIds:
    def __init__(self, dismissed):
        self.sizes, self.keys, self.others, self.carried, self.dismissed = {}, {}, set(), 0, dismissed

    def carry(self, row):
        base, _, number = row.partition("-")
        if row.startswith("k"):
            ordinal, found = 1, row
            while found in self.others:
                ordinal += 1
                found = f"{row}-{ordinal}"
            self.others.add(found)
            return found
        digest = bytes.fromhex(base)
        size = self.sizes.setdefault(digest, 0)
        self.carried = len(self.sizes)
        self.sizes[digest] = max(size + 1, int(number or 1)) if int(number or 1) > size else size + 1
        return row if int(number or 1) > size else row_id(digest, self.sizes[digest])

    def give(self, digest, key, line, again):
        has = key is not None and key_id(key) in self.others
        there = digest in list(self.sizes)[: self.carried] or has
        if there and not again:
            raise Known
        if not there and (row_id(digest, 1) if key is None else key_id(key)) in self.dismissed:
            raise Dismissed
        if has:
            raise BadRow("in the dataset")
        if key is not None and self.keys.setdefault(key, line) != line:
            raise BadRow(f"at {self.keys[key]}")
        self.sizes[digest] = self.sizes.get(digest, 0) + 1
        while key is None and row_id(digest, self.sizes[digest]) in self.dismissed:
            self.sizes[digest] += 1
        return row_id(digest, self.sizes[digest]) if key is None else key_id(key), list(self.sizes).index(digest)


DIGESTS = st.integers(0, 8).map(lambda n: blake2b(bytes([n]), digest_size=10).digest())
KEYS = st.none() | st.sampled_from("abcde")
IDS = st.tuples(DIGESTS, st.integers(1, 4)).map(lambda two: row_id(*two)) | st.sampled_from("abc").map(key_id)


def given_by(ids, *asked):
    try:
        return ids.give(*asked)
    except (Known, Dismissed) as left_out:
        return type(left_out)
    except BadRow as bad:
        return re.findall(r"in the dataset|at \d+", str(bad))


@given(
    carried=st.lists(IDS, max_size=20),
    rows=st.lists(st.tuples(DIGESTS, KEYS), max_size=40),
    again=st.booleans(),
    dismissed=st.sets(IDS, max_size=4),
)
def test_ids_are_those_they_always_were(carried, rows, again, dismissed):
    old, new = OldIds(dismissed), Ids()
    new.dismissed = dismissed
    assert [new.carry(row) for row in carried] == [old.carry(row) for row in carried]
    for line, (digest, key) in enumerate(rows, 1):
        assert given_by(new, digest, key, line, again) == given_by(old, digest, key, line, again)


def old_sides(digests, sizes, fractions, seed):
    salt = seed.to_bytes(16, "big", signed=True)
    ranked = sorted(range(len(digests)), key=lambda group: blake2b(digests[group], key=salt, digest_size=8).digest())
    room = targets(sum(sizes), fractions, len(digests))
    sides = ["train"] * len(digests)
    for group in ranked:
        fitting = [side for side in ("test", "validation", "train") if sizes[group] <= room[side]]
        sides[group] = fitting[0] if fitting else max(("test", "validation", "train"), key=lambda side: room[side])
        room[sides[group]] -= sizes[group]
    for side in SIDES if len(digests) >= 3 else ():
        if fractions[side] > 0 and side not in sides:
            spare = [group for group in ranked if sides.count(sides[group]) > 1]
            sides[min(spare, key=lambda group: sizes[group])] = side
    return sides


@given(
    sizes=st.lists(st.integers(1, 4) | st.integers(1, 200), max_size=150),
    seed=st.integers(0, 2**63 - 1),
    fractions=st.sampled_from([DEFAULT, {"train": 1.0, "validation": 0.0, "test": 0.0}]),
)
def test_sides_are_those_they_always_were(sizes, seed, fractions):
    digests = [n.to_bytes(10, "big") for n in range(len(sizes))]
    found = [SIDES[place] for place in assign(digests, sizes, fractions, seed)]
    assert found == old_sides(digests, sizes, fractions, seed)


def test_what_is_kept_of_a_row_is_some_bytes(tmp_path):
    """An import of a file larger than memory must not need more memory than there is."""
    source = tmp_path / "many.jsonl"
    count = 15_000
    source.write_text("".join(json.dumps({"prompt": f"q {n}", "completion": f"a {n}"}) + "\n" for n in range(count)))
    reader = open_reader(source)
    records = sample(reader)
    guess = take_for(reader, columns_of(records), records, [], "auto")
    intake = Intake(Drafter(guess.mapping), FirstRows(1), reader.unit, source.name)
    tracemalloc.start()
    try:
        for record in reader.records():
            intake.take(record)
        sides = intake.sides(DEFAULT, 0)
        ours = tracemalloc.Filter(True, "*/importing/*")  # the JSON reader keeps the last texts it read, never more
        kept = sum(one.size for one in tracemalloc.take_snapshot().filter_traces([ours]).traces)
    finally:
        tracemalloc.stop()
    assert len(sides) == intake.rows == count
    assert kept / count < 40, f"{kept / count:.0f} bytes a row"
