from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from studio.batches.encode import IGNORED, Encoded
from studio.batches.pack import pack


def row(name: str, ids: list[int], learned: list[bool]) -> Encoded:
    numbers = np.array(ids, np.int32)
    labels = np.where(learned, numbers, IGNORED).astype(np.int32)
    return Encoded(name, numbers, labels, 0, np.zeros(len(ids), np.bool_))


rows = st.lists(
    st.lists(st.tuples(st.integers(0, 50_000), st.booleans()), min_size=1, max_size=20), min_size=1, max_size=8
).map(lambda all_rows: [row(str(n), [i for i, _ in one], [b for _, b in one]) for n, one in enumerate(all_rows)])


def test_rows_stand_one_after_another():
    packed = pack([row("a", [7, 8, 9], [True, False, True]), row("b", [5, 6], [True, True])])
    assert packed.input_ids.tolist() == [[7, 8, 9, 5, 6]]
    assert packed.position_ids.tolist() == [[0, 1, 2, 0, 1]]
    assert packed.labels.tolist() == [[IGNORED, IGNORED, 9, IGNORED, 6]]
    assert packed.segments.tolist() == [0, 0, 0, 1, 1]
    assert packed.rows == ["a", "b"]


@given(rows)
def test_every_row_can_be_taken_out_again(encoded):
    packed = pack(encoded)
    assert packed.input_ids.shape == packed.labels.shape == packed.position_ids.shape == (1, len(packed.segments))
    assert packed.input_ids.dtype == packed.labels.dtype == packed.position_ids.dtype == np.int64
    for number, one in enumerate(encoded):
        own = packed.segments == number
        assert packed.rows[number] == one.row_id
        assert packed.input_ids[0, own].tolist() == one.ids.tolist()
        assert packed.labels[0, own].tolist() == [IGNORED, *one.labels[1:].tolist()]
        assert packed.position_ids[0, own].tolist() == list(range(len(one)))
    assert np.count_nonzero(packed.labels != IGNORED) == sum(one.trained for one in encoded)


def test_packing_leaves_the_rows_as_they_are():
    one = row("a", [7, 8], [True, True])
    pack([one])
    assert one.labels.tolist() == [7, 8]
