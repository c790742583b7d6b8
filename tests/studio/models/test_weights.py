"""studio/models/weights.py: safetensors as the library writes them, and damaged ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save, save_file

from studio.errors import Broken
from studio.models.weights import hash_weights, read_header, read_weights, weight_files

KINDS = {"float32": np.float32, "float16": np.float16, "int64": np.int64, "uint8": np.uint8}


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20),
        st.tuples(st.sampled_from(sorted(KINDS)), st.lists(st.integers(0, 5), max_size=3)),
        max_size=5,
    ).filter(lambda tensors: "__metadata__" not in tensors)
)
def test_every_header_the_library_writes_is_read(tmp_path_factory: pytest.TempPathFactory, tensors: dict) -> None:
    file = tmp_path_factory.getbasetemp() / "any.safetensors"
    file.write_bytes(save({name: np.zeros(shape, KINDS[kind]) for name, (kind, shape) in tensors.items()}))
    assert {name: found["shape"] for name, found in read_header(file).items()} == {
        name: shape for name, (_, shape) in tensors.items()
    }


def two(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    save_file({"a": np.zeros((3, 4), np.float32)}, folder / "model-00001-of-00002.safetensors")
    save_file({"b": np.zeros(5, np.float16)}, folder / "model-00002-of-00002.safetensors")
    named = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": named}))
    return folder


def test_several_files_count_together(tmp_path: Path) -> None:
    weights = read_weights(two(tmp_path))
    assert weights.parameters(tied=False) == 17
    assert weights.dtype == "float32"  # of most numbers
    assert [file.name for file in weights.files] == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ]


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    (two(tmp_path) / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(Broken, match=r"1 are missing, first model-00002-of-00002\.safetensors"):
        read_weights(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": "../x.safetensors"}}'])
def test_a_strange_index_is_refused(tmp_path: Path, text: str) -> None:
    two(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(Broken):
        weight_files(tmp_path)


def test_a_tied_head_is_not_counted_twice(tmp_path: Path) -> None:
    tensors = {name: np.zeros((4, 2), np.float32) for name in ("model.embed_tokens.weight", "lm_head.weight")}
    save_file(tensors, tmp_path / "model.safetensors")
    weights = read_weights(tmp_path)
    assert (weights.parameters(tied=True), weights.parameters(tied=False)) == (8, 16)


@given(cut=st.integers(0, 200), longer=st.booleans())
def test_every_cut_file_is_found(tmp_path_factory: pytest.TempPathFactory, cut: int, longer: bool) -> None:
    whole = save({"a": np.ones((4, 4), np.float32)})
    file = tmp_path_factory.getbasetemp() / "cut.safetensors"
    file.write_bytes(whole + b"x" * (cut + 1) if longer else whole[: min(cut, len(whole) - 1)])
    with pytest.raises(Broken, match=r"cut\.safetensors can't be read"):
        read_header(file)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any-bytes.safetensors"
    file.write_bytes(data)
    with pytest.raises(Broken):
        read_header(file)


@pytest.mark.parametrize(
    "header",
    [
        [], {"a": 3}, {"a": {}}, {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": "ab", "data_offsets": [0, 8]}},
    ],
)  # fmt: skip
def test_a_header_that_lies_is_refused(tmp_path: Path, header: object) -> None:
    text = json.dumps(header).encode()
    file = tmp_path / "x.safetensors"
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    with pytest.raises(Broken):
        read_header(file)


def test_the_hash_is_of_the_contents(tmp_path: Path) -> None:
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    save_file({"a": np.zeros(3, np.float32)}, one)
    save_file({"a": np.ones(3, np.float32)}, two)
    assert hash_weights((one,)) != hash_weights((two,))
    two.write_bytes(one.read_bytes())
    assert hash_weights((one,)) == hash_weights((two,))
