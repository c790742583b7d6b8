"""Every problem and warning of preflight, each on the setting it belongs to, and the figures behind them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.batches import encode
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.splitting import leaks
from studio.datasets.store import Dataset
from studio.datasets.versions.freezing import freeze
from studio.errors import Refused
from studio.gpus import Gpu
from studio.machine import machine
from studio.preflight import preflight
from studio.prospect import Preflight
from studio.settings.base import check
from studio.settings.importing import ImportSettings
from studio.settings.train import TrainSettings
from studio.workspace import Workspace
from tests.tiny import tiny_model

SPLIT = "train=0.8,validation=0.1,test=0.1"


def add(workspace: Workspace, name: str, rows: list[dict[str, Any]], split: str | None = SPLIT) -> None:
    source = workspace.root.parent / f"{name}.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    import_file(workspace, ImportSettings(source=str(source), name=name, split=split))


def pairs(count: int, answer: str = "yes") -> list[dict[str, Any]]:
    return [{"prompt": f"Is {number} a number?", "completion": f"{answer} {number}"} for number in range(count)]


@pytest.fixture
def ready(workspace: Workspace, tiny: Path) -> Workspace:
    """A workspace with a tiny model and a hundred rows."""
    shutil.copytree(tiny, workspace.models / "tiny")
    add(workspace, "questions", pairs(100))
    return workspace


def look(workspace: Workspace, **settings: Any) -> Preflight:
    given = {"dataset": "questions", "model": "tiny", **settings}
    return preflight(workspace, check(TrainSettings, given), settings_free_machine(workspace))


def settings_free_machine(workspace: Workspace) -> Any:
    """This machine without a GPU, whatever it has."""
    return replace(machine(workspace.root), gpus=())


def told(found: Preflight, level: str) -> dict[str | None, str]:
    """The problems of a level by their setting; each says what, why and next."""
    for problem in found.problems:
        assert problem.what and problem.why and problem.next, problem
    return {problem.field: problem.text for problem in found.problems if problem.level == level}


def test_a_good_run_has_no_problem_and_all_its_figures(ready):
    found = look(ready)
    assert found.problems == []
    facts = found.facts
    assert (facts["rows"], facts["validation_rows"], facts["test_rows"]) == (80, 10, 10)
    assert facts["sequences"] == 80 and facts["tokens"] > facts["trained_tokens"] > 80
    assert found.steps == facts["steps"] == 100  # 80 rows in batches of 4 are 20 a pass; 5 passes make enough steps
    assert facts["memory_gb"] > 0.5 and facts["seconds"] > 0 and facts["disk_gb"] >= 0 and facts["free_gb"] > 0
    assert not [name for name, value in found.settings.plain().items() if value is None and name not in LEFT_OPEN]
    assert set(found.reasons) >= {"version", "objective", "cutoff", "batch_size", "learning_rate", "epochs"}
    assert json.loads(json.dumps(found.as_dict()))["settings"]["batch_size"] == 4
    found.refuse_errors()


LEFT_OPEN = {"template", "max_steps"}


def test_nothing_that_was_given_is_changed(ready):
    given = {"epochs": 9.0, "learning_rate": 0.002, "batch_size": 5, "cutoff": 77, "eval_steps": 3, "save_steps": 6}
    found = look(ready, **given)
    assert {name: getattr(found.settings, name) for name in given} == given
    assert not set(given) & set(found.reasons)
    steps = look(ready, max_steps=40)
    assert steps.settings.epochs is None and steps.steps == 40


def test_what_is_missing_is_said_all_at_once(workspace):
    found = look(workspace, dataset="nothing", model="nobody")
    errors = told(found, "error")
    assert set(errors) == {"dataset", "model"} and "models add nobody" in errors["model"]
    with pytest.raises(Refused) as refused:
        found.refuse_errors()
    assert refused.value.what.startswith("2 things") and "nothing" in refused.value.why and "nobody" in str(refused)


def test_a_single_error_keeps_its_own_words(ready):
    with pytest.raises(Refused) as refused:
        look(ready, dataset="nothing").refuse_errors()
    assert refused.value.field == "dataset" and "nothing" in refused.value.what


def test_a_version_that_is_not_there(ready):
    assert "version 7" in told(look(ready, version=7), "error")["dataset"]


def test_a_set_without_training_rows(ready):
    add(ready, "held", [{**row, "split": "test"} for row in pairs(12)], split=None)
    assert "no rows to train on" in told(look(ready, dataset="held"), "error")["dataset"]


def test_a_model_that_can_not_be_read(ready):
    (ready.models / "tiny" / "tokenizer.json").unlink()
    assert "no tokenizer" in told(look(ready), "error")["model"]


def test_a_model_without_a_chat_template(ready):
    tiny_model(ready.models / "base", template=None)
    assert "no chat template" in told(look(ready, model="base"), "error")["template"]
    assert look(ready, model="base", template="chatml").errors == []
    assert "no chat template “fancy”" in told(look(ready, template="fancy"), "error")["template"]


def test_a_gpu_that_is_not_there(ready):
    assert "no GPU" in told(look(ready, device="cuda"), "error")["device"]


def test_a_gpu_that_this_pytorch_can_not_use(ready):
    gpu = Gpu("a GPU", 24 * 10**9, 0, 0, (9, 0))
    here = replace(machine(ready.root), gpus=(gpu,), torch="2.13.0+cpu", apple_silicon=False)

    def on(device: str) -> Preflight:
        return preflight(ready, check(TrainSettings, {"dataset": "questions", "model": "tiny", "device": device}), here)

    for why in ("2.13.0+cpu, is a build for CPUs", "needs a driver for CUDA 13"):
        assert on("auto").facts["device"] == "cpu" and on("auto").errors == []
        assert why in told(on("auto"), "warning")["device"] and why in told(on("cuda"), "error")["device"]
        assert "device" not in told(on("cpu"), "warning")  # who chose it knows
        here = replace(here, torch="2.13.0", torch_cuda="13.0", driver_cuda=12)


def test_what_only_a_gpu_has_is_refused_beside_its_field(ready):
    errors = told(look(ready, kernels="liger", attention="flash"), "error")
    assert set(errors) == {"kernels", "attention"} and "trains on the CPU" in errors["kernels"]


def test_flash_attention_is_refused_beside_its_field_for_a_model_that_it_does_not_suit(ready):
    gpu = Gpu("a GPU", 24 * 10**9, 0, 0, (9, 0))
    here = replace(machine(ready.root), gpus=(gpu,), torch="2.13.0+cu130")
    settings = check(TrainSettings, {"dataset": "questions", "model": "tiny", "attention": "flash"})
    assert preflight(ready, settings, here).errors == []
    path = ready.models / "tiny" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"attention_dropout": 0.1}))
    (error,) = preflight(ready, settings, here).errors
    assert error.field == "attention" and "dropout" in error.why


def test_a_goal_that_does_not_fit_the_rows(ready):
    add(ready, "book", [{"text": f"Chapter {number}. It was a dark night."} for number in range(100)])
    assert "conversations" in told(look(ready, objective={"name": "pretraining"}), "error")["objective"]
    assert "Raw text" in told(look(ready, dataset="book", objective={"name": "sft"}), "error")["objective"]
    book = look(ready, dataset="book")
    assert book.errors == [] and book.settings.objective.name == "pretraining"
    assert book.reasons["objective"] == "The rows are raw text."


def test_a_cut_off_beyond_the_model(ready):
    assert "at most 512 tokens" in told(look(ready, cutoff=600), "error")["cutoff"]


def test_a_cut_off_that_leaves_nothing_to_learn(ready):
    found = look(ready, cutoff=8)
    assert "nothing to learn" in told(found, "error")["cutoff"]


def test_rows_that_are_cut_or_train_nothing(ready):
    rows = pairs(80) + [{"prompt": "word " * 300, "completion": "no"} for _ in range(20)]
    add(ready, "long", [{**row, "split": "train"} for row in rows], split=None)
    found = look(ready, dataset="long", cutoff=100)
    warnings = [problem.text for problem in found.problems if problem.field == "cutoff"]
    assert any("20 rows would train nothing" in text and "beyond the cut-off of 100" in text for text in warnings)
    assert any("20% of the rows are cut off at 100 tokens" in text for text in warnings)
    assert found.facts["sequences"] == 80 and found.facts["rows"] == 100
    (link,) = [problem.link for problem in found.problems if "train nothing" in problem.what]
    assert link[0].startswith("tab=data&dataset=long&row=")


@pytest.mark.parametrize("named", [1000, 1])
def test_rows_that_no_cut_off_helps_are_told_apart(ready, monkeypatch, named):
    """Also where so many of these come first that of no other an example is kept."""
    monkeypatch.setattr(encode, "NAMED", named)
    rows = [*pairs(80), *({"prompt": "word " * 300, "completion": "no"} for _ in range(3))]
    call = {"type": "function", "function": {"name": "find", "arguments": "{}"}}
    asked = {"role": "user", "content": "Find it."}
    lost = {"messages": [asked, {"role": "assistant", "content": "", "tool_calls": [call]}]}
    turns = [(row["prompt"], row["completion"]) for row in rows]
    made = [{"messages": [asked | {"content": one}, {"role": "assistant", "content": two}]} for one, two in turns]
    add(ready, "both", [{**row, "split": "train"} for row in [lost, *made]], split=None)
    texts = {problem.field: problem.text for problem in look(ready, dataset="both", cutoff=100).problems
             if "train nothing" in problem.what}  # fmt: skip
    assert "3 rows" in texts["cutoff"] and "Raise the cut-off" in texts["cutoff"]
    assert "1 row " in texts["dataset"] and "cut-off" not in texts["dataset"]


def test_few_rows_that_are_cut_are_a_fact_and_no_warning(ready):
    rows = [*pairs(59), {"prompt": "Is it so?", "completion": "word " * 60}]
    add(ready, "long", [{**row, "split": "train"} for row in rows], split=None)
    found = look(ready, dataset="long", cutoff=100)
    assert found.facts["cut_rows"] == 1 and "cutoff" not in told(found, "warning")
    assert look(ready, dataset="long").facts["cut_rows"] == 0


def test_a_split_that_was_found_to_leak(ready):
    dataset = Dataset.open(ready, "questions")
    leaks.remember(dataset, 0, {"clean": True, "crossing": 0}, {})
    assert look(ready).problems == []
    leaks.remember(dataset, 0, {"clean": False, "crossing": 2}, {})
    assert "This split is not clean. 2 groups" in told(look(ready), "warning")["dataset"]


def test_a_set_without_held_out_rows(ready):
    add(ready, "only", [{**row, "split": "train"} for row in pairs(60)], split=None)
    texts = [problem.text for problem in look(ready, dataset="only").problems if problem.field == "dataset"]
    assert len(texts) == 2 and "no validation rows" in texts[0] and "no held-out test rows" in texts[1]


def test_few_rows_and_few_updates(ready):
    add(ready, "few", pairs(20))
    found = look(ready, dataset="few").problems
    texts = [problem.text for problem in found if problem.field == "dataset"]
    assert len(texts) == 2 and "16 training rows is very little" in texts[0]
    assert "2 held-out test rows will give no verdict" in texts[1] and "10 rows or more" in texts[1]
    assert [problem.link for problem in found if "verdict" in problem.what] == [
        ("tab=data&dataset=few&part=split", "Split it anew")
    ]
    text = told(look(ready, max_steps=10), "warning")["max_steps"]
    assert "10 steps is too few" in text and "leave this empty" in text and "epochs" not in text
    text = told(look(ready, epochs=1), "warning")["epochs"]
    assert "20 steps" in text and "passes" in text


def test_changes_that_no_version_has_are_told_beside_the_latest_alone(ready):
    first, second, *_ = Dataset.open(ready, "questions").rows()
    Reviews(Dataset.open(ready, "questions")).exclude(first.row_id)
    text = told(look(ready), "warning")["dataset"]
    assert "1 change of this dataset is not trained on" in text and "freeze questions" in text
    freeze(ready, "questions")
    assert look(ready).problems == []
    Reviews(Dataset.open(ready, "questions")).exclude(second.row_id)
    assert look(ready, version=1).problems == []


@pytest.mark.parametrize(("rate", "word"), [(1e-6, "small"), (0.5, "large")])
def test_a_learning_rate_far_from_the_usual(ready, rate, word):
    text = told(look(ready, learning_rate=rate), "warning")["learning_rate"]
    assert f"unusually {word}" in text and "0.001" in text


def test_four_bits_on_a_cpu(ready):
    assert "slow without a GPU" in told(look(ready, method={"name": "qlora"}), "warning")["method"]


def test_too_little_memory_and_disk(ready):
    given = check(TrainSettings, {"dataset": "questions", "model": "tiny"})
    small = replace(settings_free_machine(ready), memory_available=10**8, disk_free=1000)
    found = preflight(ready, given, small)
    assert "memory" in told(found, "warning")["tokens_per_pass"]
    assert "disk" in told(found, "error")["keep_checkpoints"]


def test_a_gpu_is_judged_by_its_own_memory(ready):
    gpu = Gpu(name="Test", memory=3 * 10**8, memory_used=0, used_share=0, capability=(9, 0))
    given = check(TrainSettings, {"dataset": "questions", "model": "tiny"})
    found = preflight(ready, given, replace(settings_free_machine(ready), gpus=(gpu,), torch="2.13.0+cu130"))
    assert found.facts["free_gb"] == 0.3 and found.facts["seconds"] is None
    assert "0.3 GB are free" in told(found, "warning")["tokens_per_pass"]


def test_a_run_of_days(ready, monkeypatch):
    monkeypatch.setattr("studio.estimate.core_speed", lambda: 1e4)  # operations a second
    assert "will take about" in told(look(ready), "warning")["epochs"]
    assert "will take about" in told(look(ready, max_steps=100), "warning")["max_steps"]


def test_asking_again_reads_no_rows_again(ready, monkeypatch):
    look(ready)
    monkeypatch.setattr("studio.batches.survey.survey", lambda *_: pytest.fail("the rows were tokenised again"))
    assert look(ready, cutoff=32, learning_rate=0.003).facts["longest"] <= 32


def test_several_processes_are_held_against_the_machine(ready):
    two = {"spread": {"name": "ddp", "processes": 2}, "batch_size": 1}
    assert look(ready).settings.spread.name == "single"
    found = look(ready, spread={"name": "ddp"})
    assert found.settings.spread.processes == 2 and "spread" in found.reasons
    assert "1 row a step" in told(look(ready, **two), "warning")["batch_size"]
    many = {"spread": {"name": "ddp", "processes": 64}, "batch_size": 64}
    assert "more than this machine can run" in told(look(ready, **many), "error")["spread.processes"]
    for name in ("fsdp", "zero2", "zero3"):
        assert "there are none here" in told(look(ready, spread={"name": name}), "error")["spread"], name


def test_two_gpus_are_both_used_and_can_divide_a_model(ready):
    gpu = Gpu("a GPU", 24 * 10**9, 10**9, 0, (9, 0))
    here = replace(machine(ready.root), gpus=(gpu, gpu), torch="2.13.0+cu130")

    def with_gpus(**given: Any) -> Preflight:
        return preflight(ready, check(TrainSettings, {"dataset": "questions", "model": "tiny", **given}), here)

    found = with_gpus()
    assert (found.settings.spread.name, found.settings.spread.processes) == ("ddp", 2)
    assert found.reasons["spread"] == "This machine has 2 GPUs." and found.facts["free_gb"] == 23.0
    fsdp = {"spread": {"name": "fsdp", "processes": 2}}
    assert with_gpus(**fsdp).errors == []
    here = replace(here, gpus=(replace(gpu, memory_used=gpu.memory - int(found.facts["memory_gb"] * 1e9)),) * 2)
    assert with_gpus().facts["near"] and not with_gpus(**fsdp).facts["near"]
    four_bits = with_gpus(spread={"name": "fsdp"}, method={"name": "qlora"})
    assert "few bits" in told(four_bits, "error")["method"]


def test_a_display_card_beside_a_gpu_is_left_out(ready):
    gpu, small = Gpu("a GPU", 24 * 10**9, 10**9, 0, (9, 0)), Gpu("a display card", 2 * 10**9, 0, 0, (9, 0))
    here = replace(machine(ready.root), gpus=(gpu, small), torch="2.13.0+cu130")
    given = check(TrainSettings, {"dataset": "questions", "model": "tiny"})
    found = preflight(ready, given, here)
    assert found.settings.spread.name == "single" and found.facts["free_gb"] == 23.0
    assert "alone: a GPU." in found.reasons["spread"] and found.facts["gpu"] == "a GPU"
    found = preflight(ready, given, replace(here, gpus=(gpu, gpu, small)))
    assert found.settings.spread.processes == 2 and found.facts["free_gb"] == 23.0
    assert "2 of this machine's 3 GPUs" in found.reasons["spread"]
    flash = check(TrainSettings, given.plain() | {"attention": "flash"})
    older = replace(here, gpus=(gpu, replace(small, capability=(7, 5))))
    assert preflight(ready, flash, older).errors == []
    spread = check(TrainSettings, flash.plain() | {"spread": {"name": "ddp", "processes": 2}})
    assert "is older" in told(preflight(ready, spread, older), "error")["attention"]


def test_what_is_free_is_that_of_the_fullest_gpu_that_is_used(ready):
    """A run in one process takes the first GPU; one that is spread has no more than the fullest of its own."""
    gpus = tuple(Gpu("a GPU", 24 * 10**9, used * 10**9, 0, (9, 0)) for used in (4, 20, 1))
    here = replace(machine(ready.root), gpus=gpus, torch="2.13.0+cu130")

    def free(*shown: Gpu, **spread: Any) -> float:
        given = {"dataset": "questions", "model": "tiny", "spread": spread or None}
        return preflight(ready, check(TrainSettings, given), replace(here, gpus=shown)).facts["free_gb"]

    assert free(*gpus, name="single") == 20 and free(*gpus[::-1], name="single") == 23
    assert free(*gpus) == free(*gpus, name="ddp") == free(*gpus, name="fsdp", processes=2) == 4
    assert free(gpus[2], gpus[0], gpus[1], name="ddp", processes=2) == 20


def test_an_estimate_near_to_what_is_free_asks_for_a_measurement(ready):
    here = settings_free_machine(ready)
    given = check(TrainSettings, {"dataset": "questions", "model": "tiny", "batch_size": 16})
    needed = look(ready, batch_size=16).facts["memory_gb"]

    def with_free(share: float) -> Preflight:
        return preflight(ready, given, replace(here, memory_available=int(needed * share * 1e9)))

    assert not with_free(3).facts["near"] and not with_free(3).facts["too_big"]
    assert with_free(1.1).facts["near"] and not with_free(1.1).facts["too_big"]
    assert with_free(1.1).doubtful and with_free(1.1).to_measure.recompute is None
    small = with_free(0.5)
    assert small.facts["too_big"] and not small.facts["near"]
    assert "GB are free" in told(small, "warning")["tokens_per_pass"]
