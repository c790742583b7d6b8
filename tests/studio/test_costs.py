"""What the ladder may offer instead of a model."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from studio import costs
from studio.files import read_json
from studio.shape import Shape
from studio.workspace import Workspace


def test_a_smaller_model_that_can_not_be_read_hides_no_other(workspace: Workspace, tiny: Path) -> None:
    for name in ("plain", "odd"):
        shutil.copytree(tiny, workspace.models / name)
    path = workspace.models / "odd" / "config.json"
    shape = Shape.read(read_json(path), 10**9)
    path.write_text(json.dumps(read_json(path) | {"num_key_value_heads": [1, 2]}))
    assert [(name, replace(one, parameters=10**9)) for name, one in costs._smaller(workspace, shape)] == [
        ("plain", shape)
    ]
