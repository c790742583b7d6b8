from __future__ import annotations

import gc
import json
import shutil
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from backend.export import main
from studio import migrate
from studio.errors import JobFailed, NoRoom, Refused
from studio.jobs import folder as job_folder
from studio.models.folder import read_model
from studio.workspace import Workspace
from tests import adapters
from tests.adapters import work


def export(workspace: Workspace, run: Path, to: str) -> Path:
    folder = job_folder.create(workspace, "export", {"run": run.name, "to": to})
    work(main, folder)
    return folder


def parity(folder: Path) -> dict[str, Any]:
    return migrate.load(folder / "parity.json", "parity")


@pytest.mark.parametrize("to", ["adapter", "merged"])
def test_an_export_gives_the_same_answers_and_says_what_it_is(workspace: Workspace, tuned_run: Path, to: str) -> None:
    folder = export(workspace, tuned_run, to)
    report = parity(folder)
    assert report["equal"]
    assert [row["result"] for row in report["rows"]] == ["equal"] * 5
    assert all(row["got"] for row in report["rows"])
    settings = json.loads((folder / to / "settings.json").read_text(encoding="utf-8"))
    assert settings["trained"]["method"]["name"] == "lora"
    assert settings["base"]["name"] == "tiny"
    text = (folder / to / "README.md").read_text(encoding="utf-8")
    assert settings["base"]["weights"] in text
    assert "base_model: tiny" in text
    assert str(workspace.root) not in "".join(
        path.read_text(encoding="utf-8") for path in (folder / to).glob("*config.json")
    )


def test_the_snippet_of_the_card_runs(workspace: Workspace, tuned_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = export(workspace, tuned_run, "merged")
    snippet = (folder / "merged" / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(folder / "merged")
    exec(compile(snippet, "card", "exec"), {})


def test_answers_of_a_merged_model_end_where_the_template_ends_them(workspace: Workspace, tuned_run: Path) -> None:
    model = workspace.models / "tiny"
    (model / "generation_config.json").write_text("{}", encoding="utf-8")
    folder = export(workspace, tuned_run, "merged")
    config = json.loads((folder / "merged" / "generation_config.json").read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(folder / "merged")
    assert tokenizer.convert_tokens_to_ids("<|im_end|>") in config["eos_token_id"]


@pytest.mark.parametrize("config", [{"use_dora": True}, {"use_rslora": True, "r": 8}])
def test_other_methods_merge_too(workspace: Workspace, tuned_run: Path, config: dict[str, Any]) -> None:
    shutil.rmtree(tuned_run / "adapter")
    adapters.adapter(workspace.models / "tiny", tuned_run / "adapter", **config)
    assert parity(export(workspace, tuned_run, "merged"))["equal"]


def test_a_run_of_few_bits_is_exported_on_the_whole_base_and_the_card_says_so(
    workspace: Workspace, tuned_run: Path
) -> None:
    settings = json.loads((tuned_run / "settings.json").read_text())
    (tuned_run / "settings.json").write_text(json.dumps(settings | {"method": {"name": "qlora", "bits": "8"}}))
    folder = export(workspace, tuned_run, "merged")
    assert [row["result"] for row in parity(folder)["rows"]] == ["equal"] * 5
    assert "trained on the base in 8 bits; here it is whole" in (folder / "merged" / "README.md").read_text()


@pytest.mark.parametrize("layer", ["embed_tokens", "lm_head"])
def test_one_of_two_tied_layers_changed_is_merged_alone(workspace: Workspace, tuned_run: Path, layer: str) -> None:
    shutil.rmtree(tuned_run / "adapter")
    targets = ["q_proj", layer]
    adapters.adapter(workspace.models / "tiny", tuned_run / "adapter", target_modules=targets)
    folder = export(workspace, tuned_run, "merged")
    assert parity(folder)["equal"]
    assert not json.loads((folder / "merged" / "config.json").read_text(encoding="utf-8"))["tie_word_embeddings"]


def test_a_full_model_is_exported_whole_and_has_no_adapter(workspace: Workspace, tuned_run: Path) -> None:
    shutil.rmtree(tuned_run / "adapter")
    model = AutoModelForCausalLM.from_pretrained(workspace.models / "tiny")
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights) * 0.05)
    model.save_pretrained(tuned_run / "adapter")
    assert parity(export(workspace, tuned_run, "merged"))["equal"]
    with pytest.raises(Refused, match="has no adapter"):
        export(workspace, tuned_run, "adapter")


def test_a_16_bit_base_stays_16_bit(workspace: Workspace, tuned_run: Path) -> None:
    model = workspace.models / "tiny"
    net = AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16)
    net.save_pretrained(model)
    folder = export(workspace, tuned_run, "merged")
    assert {weights.dtype for weights in load_file(folder / "merged" / "model.safetensors").values()} == {
        torch.bfloat16
    }
    assert parity(folder)["tolerance"] == 0.3


def test_a_model_that_answers_differently_is_not_called_done(
    workspace: Workspace, tuned_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend import export as module

    honest = module.write_merged

    def damage(folder: Path, *args: Any) -> None:
        honest(folder, *args)
        weights = load_file(folder / "model.safetensors")
        weights["model.layers.0.mlp.down_proj.weight"].neg_()
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    monkeypatch.setattr(module, "write_merged", damage)
    with pytest.raises(JobFailed) as error:
        export(workspace, tuned_run, "merged")
    assert "does not answer as the tuned model did" in error.value.what
    folder = workspace.exports / workspace.names("exports")[0]
    assert not (folder / "merged").exists()
    assert not parity(folder)["equal"]
    assert "different" in [row["result"] for row in parity(folder)["rows"]]


def test_a_tokenizer_that_reads_differently_is_found(
    workspace: Workspace, tuned_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend import export as module

    honest = module.write_companions

    def damage(folder: Path, *args: Any) -> None:
        honest(folder, *args)
        template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
        (folder / "chat_template.jinja").write_text(template.replace("assistant", "user"), encoding="utf-8")

    monkeypatch.setattr(module, "write_companions", damage)
    with pytest.raises(JobFailed):
        export(workspace, tuned_run, "adapter")


def test_an_export_needs_room(workspace: Workspace, tuned_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(workspace.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    with pytest.raises(NoRoom, match="enough space for this export"):
        export(workspace, tuned_run, "merged")


@pytest.mark.parametrize(("config", "copies"), [({}, 1), ({"init_lora_weights": "pissa"}, 2)])
def test_an_export_that_the_memory_does_not_hold_is_refused_before_anything_is_loaded(
    workspace: Workspace, tuned_run: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], copies: int
) -> None:
    shutil.rmtree(tuned_run / "adapter")
    adapters.adapter(workspace.models / "tiny", tuned_run / "adapter", **config)
    loaded: list[Any] = []
    needed = 4 * read_model(workspace.models / "tiny").parameters * copies
    with monkeypatch.context() as patch:
        patch.setattr("backend.engine.weights.load_model", lambda *args: loaded.append(args))
        patch.setattr("backend.room.memory", lambda: (64 << 30, needed - 1))
        for to in ("adapter", "merged"):
            with pytest.raises(NoRoom, match="not enough memory for this export"):
                export(workspace, tuned_run, to)
    assert not loaded
    monkeypatch.setattr("backend.room.memory", lambda: (64 << 30, needed))
    assert parity(export(workspace, tuned_run, "merged"))["equal"]


def test_what_was_merged_is_gone_before_what_was_written_is_read(
    workspace: Workspace, tuned_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend import export as module
    from backend.engine import weights

    honest, compare = weights.load_model, module.compare
    held: list[weakref.ref[Any]] = []

    def load(*args: Any) -> Any:
        model = honest(*args)
        model.itself = [model]  # what hooks do: only the collector frees it
        held.append(weakref.ref(model))
        return model

    def look(*args: Any) -> None:
        assert len(held) == 2 and not any(model() for model in held)
        compare(*args)

    monkeypatch.setattr(weights, "load_model", load)
    monkeypatch.setattr(module, "compare", look)
    gc.disable()
    try:
        export(workspace, tuned_run, "merged")
    finally:
        gc.enable()
