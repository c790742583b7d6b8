"""A base in few bits answers on a GPU as it was trained, and takes their memory."""

from __future__ import annotations

from typing import Any

import pytest

from backend.tuned import open_tuned
from studio.settings.answering import Generation, Machine
from tests.worlds import World


@pytest.mark.parametrize("bits", ["4", "8"])
def test_a_run_of_few_bits_answers_on_those(
    bits: str, world: World, train: Any, given: dict[str, Any], capsys: Any
) -> None:
    import torch

    from backend.engine.conversation import Prompt

    folder = world.run(**given, method={"name": "qlora", "bits": bits})
    assert train(folder)["type"] == "finished"
    tuned = open_tuned(world.workspace, folder.name)
    ask, held = [Prompt([{"role": "user", "content": "train 1: what is in Rome?"}])], {}
    for whole in (True, False):
        engine = tuned.engine(Machine(device="cuda"), whole=whole)
        before = torch.cuda.memory_allocated()
        assert engine.pairs(ask, Generation(max_new_tokens=8))[0].tuned.tokens
        assert engine.device == "cuda"
        held[whole] = torch.cuda.memory_allocated() - before
        engine.unload()
    with capsys.disabled():
        print(f"\n{bits} bits: {held[False] / 1e6:.0f} MB on the GPU, whole {held[True] / 1e6:.0f} MB")
    assert held[False] < held[True] * (0.55 if bits == "4" else 0.8)
