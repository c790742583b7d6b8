"""One tokenizer for all who ask, until its files change."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from studio.batches.kept_tokenizers import kept_tokenizer


def test_all_get_the_same_one_until_a_file_changes(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "tiny")
    with ThreadPoolExecutor(4) as many:
        first, *others = many.map(kept_tokenizer, [folder] * 8)
    assert all(one is first for one in others)
    assert kept_tokenizer(folder, "chatml") is not first
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"model_max_length": 77, "x": "new"}))
    assert kept_tokenizer(folder) is not first
