"""A check sees the model as it is and leaves no trace in the training."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from backend.job import Job
from backend.training import load, prepare
from backend.training.watching import Watch, question
from studio import logs
from studio.batches.tokenizer import load_tokenizer
from studio.datasets.rows import Row
from studio.models import Model
from studio.runs import settings_of
from tests.worlds import told


@pytest.fixture
def watch(world: Any) -> Any:
    folder = world.run(tokens_per_pass=130, method={"name": "lora", "dropout": 0.5})
    job = Job(folder)
    with job.log, job.metrics:
        settings = settings_of(folder)
        model = Model.open(world.workspace, "tiny")
        tokenizer = load_tokenizer(model.path)
        torch.manual_seed(0)
        loaded = load.load(settings, model)
        rows = prepare.validation(job, settings, tokenizer, True)
        assert rows is not None
        yield Watch(job, loaded.forward, tokenizer, rows, 4)


def test_the_loss_is_the_mean_over_all_learned_tokens(watch: Watch) -> None:
    watch.forward.model.eval()
    with torch.no_grad():
        losses = torch.cat([watch.forward.losses(line) for line in watch.rows.passes])
    assert len(watch.rows.passes) > 1
    assert watch.loss() == pytest.approx(losses.double().mean().item(), rel=1e-9)


def test_a_check_changes_neither_random_numbers_nor_mode_nor_gradients(watch: Watch) -> None:
    model = watch.forward.model.train()
    before = torch.get_rng_state()
    watch.loss()
    watch.sample(3)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training
    assert all(weight.grad is None for weight in model.parameters())
    line = watch.rows.passes[0]
    watch.forward.losses(line).sum().backward()  # nothing of inference mode is left in the model


def test_samples_are_written_with_what_was_expected(watch: Watch) -> None:
    watch.sample(3)
    lines, _ = logs.read(watch.job.folder / "samples.jsonl")
    assert [line["step"] for line in lines] == [3, 3]
    assert [line["row_id"] for line in lines] == [row.row_id for row in watch.rows.samples]
    assert lines[0]["prompt"].startswith("validation 0") and lines[0]["expected"] == "The capital is Paris."
    assert isinstance(lines[0]["answer"], str)
    assert told(watch.job.folder, "sample")[0]["rows"] == 2


def test_asked_to_stop_a_check_ends_at_once(watch: Watch) -> None:
    (watch.job.folder / "stop").touch()
    assert watch.loss() is None
    watch.sample(3)
    assert logs.read(watch.job.folder / "samples.jsonl")[0] == []


def test_the_question_is_what_stands_before_the_last_answer() -> None:
    turns = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "two"},
        {"role": "assistant", "content": "2"},
    ]
    assert question(Row("r", "chat", messages=turns)) == (turns[:4], "2")
    assert question(Row("r", "label", messages=turns[:2], label="x")) == (turns[:2], "x")
