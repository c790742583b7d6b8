"""A model's folder: its facts, read without torch, and the reasons why one can't be used.

models/NAME/  config.json  tokenizer.json  tokenizer_config.json  *.safetensors  README.md
              model.json   where it came from, and the hash of its weights
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio import migrate
from studio.errors import BadInput, Broken, NotFound, StudioError
from studio.files import disk_use
from studio.models import card
from studio.models.weights import Weights, hash_weights, read_weights
from studio.workspace import Workspace, broken

NOTE = "model.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
KEPT_KINDS = (".safetensors", ".json", ".txt", ".md", ".jinja", ".model")
KEPT_NAMES = ("LICENSE", "LICENCE", "NOTICE", "USE_POLICY")
ANOTHER = "Choose another model; “models” lists some that work."


@dataclass(frozen=True)
class Model:
    """The facts about a model. `size` is bytes on the disk; `context` tokens; `source` where it came from."""

    name: str
    path: Path
    architecture: str
    parameters: int
    dtype: str
    size: int
    layers: int | None
    hidden: int | None
    vocabulary: int | None
    context: int | None
    tied: bool
    chat_template: bool
    licence: str
    languages: tuple[str, ...]
    source: dict[str, Any]
    weight_files: tuple[Path, ...]

    @classmethod
    def open(cls, workspace: Workspace, name: str) -> Model:
        """The model `name` of the workspace.

        Raises:
            NotFound: there is none of that name.
            BadInput, Broken: its folder can't be used; see `read_model`.
        """
        return read_model(workspace.folder("models", name))

    def weights_hash(self) -> str:
        """A hash of the weights' contents, the same wherever and under whatever name they are kept.

        Kept in model.json with the files' sizes and times, and computed again when these change (1 to 2 s per GB).
        """
        stamp = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in self.weight_files]
        note = read_note(self.path)
        kept = note.get("weights")
        if isinstance(kept, dict) and kept.get("files") == stamp and isinstance(kept.get("hash"), str):
            return kept["hash"]
        value = hash_weights(self.weight_files)
        with contextlib.suppress(PermissionError):  # in a folder that may only be read it is computed each time
            migrate.save(self.path / NOTE, "model", note | {"weights": {"hash": value, "files": stamp}})
        return value

    def as_dict(self) -> dict[str, Any]:
        """For lists and JSON output."""
        fields = asdict(self) | {"path": str(self.path), "languages": list(self.languages)}
        del fields["weight_files"]
        return fields


@dataclass(frozen=True)
class BrokenModel:
    """A folder under models/ that can't be used, with the reason."""

    name: str
    path: Path
    error: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "path": str(self.path), "error": self.error}


def list_models(workspace: Workspace) -> list[Model | BrokenModel]:
    """Every model of the workspace by name; one that can't be read is listed with its reason."""
    found: list[Model | BrokenModel] = []
    for name in workspace.names("models"):
        try:
            found.append(Model.open(workspace, name))
        except (StudioError, OSError) as error:
            found.append(BrokenModel(name, workspace.models / name, broken(error)))
    return found


def read_model(folder: Path) -> Model:
    """The facts about the model in any folder.

    Raises:
        BadInput: the folder holds no model the studio can train, and what it lacks.
        Broken: a file in it is damaged.
    """
    if not folder.is_dir():
        raise NotFound(f"There is no folder {folder}.", "", "Check the path.")
    config = read_config(folder)
    check_tokenizer(folder)
    weights = check_weights(folder)
    check_architecture(folder, config)
    text = config.get("text_config")
    inner = text if isinstance(text, dict) else {}
    note, head = read_note(folder), card.read_card(folder / "README.md")
    tied = "lm_head.weight" not in weights.shapes or bool(config.get("tie_word_embeddings"))
    return Model(
        name=folder.name,
        path=folder,
        architecture=str(config["architectures"][0]),
        parameters=weights.parameters(tied=tied),
        dtype=weights.dtype,
        size=disk_use(folder),
        layers=_whole(config, inner, "num_hidden_layers", "n_layer", "num_layers"),
        hidden=_whole(config, inner, "hidden_size", "n_embd", "d_model"),
        vocabulary=_whole(config, inner, "vocab_size"),
        context=_whole(config, inner, "max_position_embeddings", "n_positions", "n_ctx", "seq_length"),
        tied=tied,
        chat_template=has_chat_template(folder),
        licence=str(note.get("licence") or card.licence(head)),
        languages=tuple(note.get("languages") or card.languages(head)),
        source=note.get("source") or {},
        weight_files=weights.files,
    )


def wanted(names: list[str]) -> list[str]:
    """Those files of a model's folder that the studio keeps: weights, tokenizer, texts; no pickles and no code.

    Where there are model*.safetensors, other safetensors are the same weights once more in another layout.
    """
    kept = [name for name in names if not re.search(r"[/\\]|^\.", name) and name != NOTE]
    kept = [name for name in kept if name.endswith(KEPT_KINDS) or (name.startswith(KEPT_NAMES) and "." not in name)]
    main = any(name.startswith("model") and name.endswith(".safetensors") for name in kept)
    return sorted(name for name in kept if not main or not name.endswith(".safetensors") or name.startswith("model"))


def _whole(config: dict[str, Any], inner: dict[str, Any], *names: str) -> int | None:
    """The first whole number under one of these names: architectures call the same thing differently."""
    for name in names:
        value = inner.get(name, config.get(name))
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def read_note(folder: Path) -> dict[str, Any]:
    """model.json, {} where there is none: a folder put there by hand is a model too."""
    try:
        return migrate.load(folder / NOTE, "model")
    except FileNotFoundError:
        return {}


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a language model."""
    path = folder / "config.json"
    if not path.exists():
        if (folder / "adapter_config.json").exists():
            raise BadInput(
                f"{folder.name} is an adapter, not a model.",
                "It holds only what was changed on top of another model.",
                "Add that other model; its name stands in adapter_config.json as base_model_name_or_path.",
            )
        raise BadInput(
            f"{folder.name} is no model.",
            f"There is no config.json in {folder}, which says how a model is built.",
            "Name the folder that has config.json, tokenizer.json and *.safetensors in it.",
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        config = error
    if not isinstance(config, dict):
        raise Broken(
            f"The config.json of {folder.name} can't be read.",
            f"It is not valid JSON with fields ({config if isinstance(config, Exception) else 'no object'}).",
            "Copy or download it again.",
        )
    return config


def check_tokenizer(folder: Path) -> None:
    """Raises BadInput when the folder has no tokenizer.json."""
    if (folder / "tokenizer.json").is_file():
        return
    old = [name for name in ("tokenizer.model", "vocab.json", "vocab.txt", "spiece.model") if (folder / name).exists()]
    if old:
        why = f"It has only {old[0]}, an older form; the studio reads tokenizer.json."
        todo = "Load it with Transformers’ AutoTokenizer, save it with save_pretrained, and copy tokenizer.json here."
    else:
        why = f"There is no tokenizer.json in {folder}; without it no text can be turned into what the model reads."
        todo = "Copy tokenizer.json and tokenizer_config.json from where the model came from, or add it by its hub id."
    raise BadInput(f"{folder.name} has no tokenizer.", why, todo)


def check_weights(folder: Path) -> Weights:
    """The weights; raises BadInput when there are none the studio would open."""
    weights = read_weights(folder)
    if weights.shapes:
        return weights
    pickles = sorted(file.name for pattern in PICKLES for file in folder.glob(pattern))
    if pickles:
        raise BadInput(
            f"{folder.name} has no weights that are safe to open.",
            f"It has {pickles[0]}: a Python pickle, which can run any code when it is opened. The studio opens only "
            "safetensors.",
            "Look for a version with .safetensors files (most models on the hub have one), or have the maker convert "
            "it.",
        )
    raise BadInput(
        f"{folder.name} has no weights.",
        f"There is no .safetensors file with tensors in {folder}.",
        "Copy the missing files there, or add the model by its hub id.",
    )


def check_architecture(folder: Path, config: dict[str, Any]) -> None:
    """Raises BadInput for what is not a language model of this studio's Transformers, or was quantised before."""
    names = config.get("architectures")
    name = str(names[0]) if isinstance(names, list) and names else ""
    known = known_architectures()
    if not name:
        why = "Its config.json names no architecture."
    elif known and name not in known and config.get("auto_map"):
        why = f"“{name}” needs Python code that comes with the model, and the studio runs no code of strangers."
    elif known and name not in known:
        why = f"“{name}” is not a language model that the installed Transformers knows."
    elif config.get("quantization_config"):
        why = "Its weights were quantised before; training starts from whole weights."
    else:
        return
    raise BadInput(f"{folder.name} can't be trained.", why, ANOTHER)


@lru_cache
def known_architectures() -> frozenset[str]:
    """Classes of causal language models in the installed Transformers; empty when it is not installed.

    Read from its list as text: importing it takes seconds.
    """
    spec = importlib.util.find_spec("transformers")
    if spec is None or not spec.submodule_search_locations:
        return frozenset()
    source = Path(spec.submodule_search_locations[0]) / "models" / "auto" / "modeling_auto.py"
    try:
        text = source.read_text(encoding="utf-8")
    except OSError:
        return frozenset()
    block = re.search(r"MODEL_FOR_CAUSAL_LM_MAPPING_NAMES = OrderedDict\(\s*\[(.*?)\n    \]", text, re.DOTALL)
    return frozenset(re.findall(r'"(\w+)"\s*\)', block[1])) if block else frozenset()


def has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").exists() or (folder / "chat_template.json").exists():
        return True
    try:
        fields = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(fields, dict) and bool(fields.get("chat_template"))
