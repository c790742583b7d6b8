"""studio/models/folder.py: what a model's folder tells, and what is said about one that can't be used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from studio.errors import BadInput, Broken, NotFound, StudioError
from studio.models import BrokenModel, Model, list_models, read_model
from studio.models.folder import known_architectures, wanted
from studio.workspace import Workspace
from tests.tiny import tiny_model

ROOT = Path(__file__).resolve().parents[3]


def change(folder: Path, **fields: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_the_facts_are_those_of_the_files(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "tiny")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\nlanguage:\n- en\n- de\n---\n")
    model = read_model(folder)
    weights = load_file(folder / "model.safetensors")
    assert model.parameters == sum(weight.size for weight in weights.values())
    assert (model.layers, model.hidden, model.vocabulary, model.context) == (2, 32, 512, 512)
    assert (model.architecture, model.dtype, model.tied) == ("LlamaForCausalLM", "float32", True)
    assert (model.licence, model.languages) == ("apache-2.0", ("en", "de"))
    assert model.size == sum(file.stat().st_size for file in folder.iterdir())
    assert model.chat_template
    assert not read_model(tiny_model(tmp_path / "base", template=None)).chat_template
    json.dumps(model.as_dict())


def test_other_names_for_the_same_figures_are_read(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "gpt")
    config = {"architectures": ["GPT2LMHeadModel"], "n_layer": 3, "n_embd": 64, "n_positions": 1024, "vocab_size": 9}
    (folder / "config.json").write_text(json.dumps(config))
    model = read_model(folder)
    assert (model.layers, model.hidden, model.context, model.vocabulary) == (3, 64, 1024, 9)


def test_the_text_part_of_a_model_that_sees_is_read(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "sees")
    change(folder, architectures=["Gemma3ForConditionalGeneration"], text_config={"num_hidden_layers": 7})
    assert read_model(folder).layers == 7


def test_a_head_of_its_own_is_not_tied(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "untied")
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {"lm_head.weight": np.zeros((512, 32), np.float32)}, folder / "model.safetensors")
    change(folder, tie_word_embeddings=False)
    model = read_model(folder)
    assert not model.tied
    assert model.parameters == sum(weight.size for weight in weights.values()) + 512 * 32


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def adapter(folder: Path) -> None:
    (folder / "config.json").rename(folder / "adapter_config.json")


def old_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")


def cut(folder: Path) -> None:
    with open(folder / "model.safetensors", "r+b") as file:
        file.truncate(5000)


BAD: list[tuple[Callable[[Path], object], type[StudioError], str]] = [
    (lambda folder: (folder / "config.json").unlink(), BadInput, "no config.json"),
    (adapter, BadInput, "is an adapter, not a model"),
    (lambda folder: (folder / "config.json").write_text("{"), Broken, "not valid JSON"),
    (lambda folder: (folder / "config.json").write_text("[]"), Broken, "no object"),
    (lambda folder: (folder / "tokenizer.json").unlink(), BadInput, "no tokenizer"),
    (old_tokenizer, BadInput, "only tokenizer.model, an older form"),
    (pickled, BadInput, "pickle, which can run any code"),
    (lambda folder: (folder / "model.safetensors").unlink(), BadInput, "has no weights"),
    (cut, Broken, "cut short"),
    (lambda folder: change(folder, architectures=["MadeUpForCausalLM"]), BadInput, "not a language model that"),
    (lambda folder: change(folder, architectures=["BertForMaskedLM"]), BadInput, "not a language model that"),
    (lambda folder: change(folder, architectures=["MineForCausalLM"], auto_map={"a": "b"}), BadInput, "no code of"),
    (lambda folder: change(folder, architectures=None), BadInput, "names no architecture"),
    (lambda folder: change(folder, quantization_config={"quant_method": "gptq"}), BadInput, "quantised before"),
]


@pytest.mark.parametrize(("spoil", "kind", "says"), BAD, ids=[says for _, _, says in BAD])
def test_what_can_not_be_used_is_explained(
    workspace: Workspace, spoil: Callable[[Path], object], kind: type[StudioError], says: str
) -> None:
    tiny_model(workspace.models / "good")
    spoil(tiny_model(workspace.models / "bad"))
    with pytest.raises(kind) as caught:
        Model.open(workspace, "bad")
    assert says in str(caught.value)
    assert caught.value.what and caught.value.why and caught.value.next
    shown = {model.name: model for model in list_models(workspace)}
    assert isinstance(shown["good"], Model)
    assert isinstance(shown["bad"], BrokenModel)
    assert says in " ".join(shown["bad"].as_dict()["error"].values())


def test_code_that_comes_along_is_no_harm_where_it_is_not_needed(tmp_path: Path) -> None:
    """Phi-4-mini names code of its own for an architecture that Transformers has."""
    folder = tiny_model(tmp_path / "phi")
    change(folder, architectures=["Phi3ForCausalLM"], auto_map={"AutoConfig": "configuration_phi3.Phi3Config"})
    assert read_model(folder).architecture == "Phi3ForCausalLM"


def test_known_architectures_are_those_of_transformers() -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    names: set[str] = set()
    for value in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values():
        names |= {value} if isinstance(value, str) else set(value)
    assert known_architectures() == names


def test_a_missing_model_is_not_found(workspace: Workspace) -> None:
    with pytest.raises(NotFound):
        Model.open(workspace, "nothing")


def test_the_hash_is_kept_and_made_anew_when_the_weights_change(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "tiny")
    first = read_model(folder).weights_hash()
    note = json.loads((folder / "model.json").read_text())
    assert note["weights"]["hash"] == first
    note["weights"]["hash"] = "kept"
    (folder / "model.json").write_text(json.dumps(note | {"licence": "mit"}))
    assert read_model(folder).weights_hash() == "kept"  # not computed again
    os.utime(folder / "model.safetensors", ns=(1, 1))
    assert read_model(folder).weights_hash() == first
    assert read_model(folder).licence == "mit"  # what else the note says stays
    shutil.copyfile(tiny_model(tmp_path / "other", seed=5) / "model.safetensors", folder / "model.safetensors")
    assert read_model(folder).weights_hash() != first


def test_only_what_a_model_needs_is_wanted() -> None:
    names = [
        "config.json", "model.safetensors", "model.safetensors.index.json", "consolidated.safetensors", "README.md",
        "pytorch_model.bin", "modeling.py", "tokenizer.model", "chat_template.jinja", "LICENSE", "LICENSE.py",
        "onnx/model.onnx", "original/params.json", ".gitattributes", "merges.txt", "model.json", "a\\b.json", "x.pt",
    ]  # fmt: skip
    assert wanted(names) == [
        "LICENSE", "README.md", "chat_template.jinja", "config.json", "merges.txt", "model.safetensors",
        "model.safetensors.index.json", "tokenizer.model",
    ]  # fmt: skip
    assert wanted(["weights.safetensors", "other.safetensors"]) == ["other.safetensors", "weights.safetensors"]


def test_no_heavy_library_is_loaded(workspace: Workspace) -> None:
    tiny_model(workspace.models / "tiny")
    code = (
        "import sys; from studio.models import *; from studio.workspace import Workspace; from pathlib import Path\n"
        "list_models(Workspace(Path(sys.argv[1]))); catalogue()\n"
        "print([name for name in ('torch', 'transformers', 'numpy', 'tokenizers', 'gradio') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(workspace.root)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
