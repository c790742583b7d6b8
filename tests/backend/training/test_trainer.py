"""The loop: its learning rate, when it checks, saves and ends, and what a gradient is made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from backend.training.trainer import rate_share
from studio import events, logs
from studio.batches.tokenizer import load_tokenizer
from tests.worlds import places, told

Train = Callable[[Path], dict[str, Any]]


@given(total=st.integers(1, 200), warmup=st.floats(0, 0.9), schedule=st.sampled_from(["cosine", "linear", "constant"]))
def test_the_rate_rises_once_never_exceeds_one_and_every_update_counts(
    total: int, warmup: float, schedule: str
) -> None:
    shares = [rate_share(step, total, warmup, schedule) for step in range(total)]
    assert all(0 < share <= 1 for share in shares)
    top = shares.index(max(shares))
    assert shares[:top] == sorted(shares[:top])
    assert shares[top:] == sorted(shares[top:], reverse=True)


def test_the_rate_follows_its_schedule() -> None:
    assert [round(rate_share(step, 10, 0.2, "linear"), 4) for step in range(10)] == [
        0.3333, 0.6667, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125,
    ]  # fmt: skip
    assert rate_share(6, 10, 0.2, "cosine") == pytest.approx(0.5)
    assert rate_share(9, 10, 0.2, "constant") == 1.0


def weights(folder: Path) -> dict[str, Any]:
    return load_file(folder / "adapter" / "adapter_model.safetensors")


@pytest.mark.parametrize("tokens_per_pass", [8, 150])
def test_the_result_does_not_depend_on_how_much_goes_through_at_once(
    tokens_per_pass: int, world: Any, train: Train
) -> None:
    """Rows with many and with few learned tokens: the mean is over the tokens of the update, not over its passes."""
    one, other = world.run(tokens_per_pass=4096), world.run(tokens_per_pass=tokens_per_pass)
    train(one), train(other)
    for name, weight in weights(one).items():
        assert (weight - weights(other)[name]).abs().max() < 2e-4, name
    losses = [[line["loss"] for line in events.steps(folder)[0]] for folder in (one, other)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_recomputation_changes_nothing(world: Any, train: Train) -> None:
    one, other = world.run(), world.run(recompute=True)
    train(one), train(other)
    for name, weight in weights(one).items():
        assert (weight - weights(other)[name]).abs().max() < 1e-5, name


def test_a_loss_that_is_no_number_ends_as_diverged(world: Any, train: Train) -> None:
    """One row has a token whose weights are not numbers, so the update it belongs to can't be made."""
    break_token(world.workspace.models / "tiny", "~")
    world.dataset("broken", [*places("train", 20), talk("What is ~?", "train"), *places("validation", 2)])
    folder = world.run(dataset="broken", epochs=1, save_steps=1, seed=3)
    end = train(folder)
    assert end["type"] == "failed" and "diverged" in end["what"] and "lower learning rate" in end["next"]
    (line,) = told(folder, "diverged")
    assert line["loss"] is None and line["step"] > 1
    kept = sorted(path.name for path in (folder / "checkpoints").glob("step-*"))
    assert int(kept[-1][-6:]) == line["step"] - 1


def break_token(model: Path, text: str) -> None:
    """Gives a tiny model an output layer of its own, and one token of its input layer no numbers."""
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
    tensors = load_file(model / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    (number,) = load_tokenizer(model).encode(text)
    tensors["model.embed_tokens.weight"][number] = float("nan")
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})


def talk(text: str, split: str) -> dict[str, Any]:
    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": "Nothing."}]
    return {"messages": turns, "split": split}


def test_it_ends_early_when_nothing_gets_better_and_the_best_is_the_result(world: Any, train: Train) -> None:
    folder = world.run(
        max_steps=40, learning_rate=0.3, eval_steps=1, save_steps=40, patience=3, schedule="constant", samples=0
    )
    end = train(folder)
    checks = {line["step"]: line["loss"] for line in told(folder, "eval")}
    best = min(checks, key=checks.__getitem__)
    assert end["type"] == "finished" and end["steps"] == best + 3 < 40
    assert (end["best_step"], end["validation_loss"]) == (best, checks[best])
    messages = " ".join(line["text"] for line in told(folder, "message"))
    assert "Ended early" in messages and f"weights of step {best} are the result" in messages
    point = folder / "checkpoints" / f"step-{best:06}" / "adapter_model.safetensors"
    assert (folder / "adapter" / "adapter_model.safetensors").read_bytes() == point.read_bytes()


def test_the_last_weights_are_the_result_when_the_best_are_not_wanted(world: Any, train: Train) -> None:
    end = train(world.run(max_steps=8, learning_rate=0.1, eval_steps=1, schedule="constant", keep_best=False))
    assert end["best_step"] == 8


def test_without_validation_rows_it_says_so_and_takes_the_last(world: Any, train: Train) -> None:
    world.dataset("alone", [talk("Where?", "train")] * 8)
    folder = world.run(dataset="alone")
    end = train(folder)
    assert (end["type"], end["best_step"], end["validation_loss"]) == ("finished", 6, None)
    assert "no validation loss" in told(folder, "message")[0]["text"]
    assert not told(folder, "eval") and not (folder / "samples.jsonl").exists()


def test_each_update_is_logged_with_its_figures(world: Any, train: Train) -> None:
    folder = world.run(warmup=0.0, schedule="linear")
    end = train(folder)
    lines, _ = events.steps(folder)
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line["learning_rate"] for line in lines] == pytest.approx([0.01 * (6 - n) / 6 for n in range(6)])
    for line in lines:
        assert line["grad_norm"] > 0 and line["seconds"] > 0 and 0.1 < line["memory_gb"] < 100
        assert 0 < line["trained_tokens"] < line["tokens"]
        assert line["rows"] in (2, 4)
    assert end["train_loss"] == pytest.approx(sum(line["loss"] for line in lines) / 6)
    assert end["train_seconds"] == pytest.approx(sum(line["seconds"] for line in lines), abs=0.01)
    assert [line["step"] for line in told(folder, "eval")] == [0, 3, 6]
    assert [line["step"] for line in told(folder, "checkpoint")][-1] == 6


def test_row_losses_add_up_to_the_loss_of_each_update(world: Any, train: Train) -> None:
    import pyarrow.parquet as pq

    folder = world.run()
    train(folder)
    rows = pq.read_table(folder / "rows.parquet").to_pylist()
    for line in logs.read(folder / events.METRICS)[0]:
        if line["type"] != "step":
            continue
        mine = [row for row in rows if row["step"] == line["step"]]
        tokens = sum(row["tokens"] for row in mine)
        assert (len(mine), tokens) == (line["rows"], line["trained_tokens"])
        assert sum(row["loss"] * row["tokens"] for row in mine) / tokens == pytest.approx(line["loss"], rel=1e-5)
