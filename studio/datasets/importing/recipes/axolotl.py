"""Axolotl's configuration: its block `datasets:` (or `pretraining_dataset:`) with path, type and fields.

Source: the project's docs/dataset-formats and `prompt_strategies`, versions 0.4 to 0.13.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.datasets.importing.mapping import Mapping
from studio.datasets.importing.recipes import Part, mapping_of, renamed
from studio.errors import BadInput

BLOCKS = ("datasets", "pretraining_dataset")
# Of each type of instructions the columns that ask, and the one that answers.
ASKED: dict[str, tuple[str | tuple[str, ...], str]] = {
    "alpaca": (("instruction", "input"), "output"),
    "alpaca_chat": (("instruction", "input"), "output"),
    "alpaca_chat.load_qa": ("question", "answer"),
    "alpaca_chat.load_concise": (("instruction", "input"), "output"),
    "alpaca_w_system": (("instruction", "input"), "output"),
    "gpteacher": (("instruction", "input"), "response"),
    "oasst": ("INSTRUCTION", "RESPONSE"),
    "alpaca_chat.load_camel_ai": ("message_1", "message_2"),
    "context_qa": (("context", "question"), "answer"),
    "context_qa.load_v2": (("context", "question"), "answer"),
    "jeopardy": (("category", "question"), "answer"),
    "summarizetldr": ("article", "summary"),
}
# Of each type of preferences: what is asked, the better and the worse answer.
RANKED = {
    "intel": ("question", "chosen", "rejected"),
    "argilla": ("instruction", "chosen_response", "rejected_response"),
    "argilla_chat": ("", "chosen", "rejected"),
    "icr": ("input", "chosen", "rejected"),
    "prompt_pairs": ("prompt", "chosen", "rejected"),
    "ultra": ("prompt", "chosen", "rejected"),
}
KNOWN = "alpaca and its kin, sharegpt, chat_template, completion, input_output, pretrain, and the preferences of dpo"


def fits(said: Any) -> bool:
    """Whether a YAML or JSON value is an Axolotl configuration, or its block alone."""
    blocks = _blocks(said)
    return bool(blocks) and all(isinstance(block, dict) and "path" in block for block in blocks)


def _blocks(said: Any) -> list[Any]:
    if isinstance(said, dict):
        alone = said if "path" in said and "type" in said else []
        said = next((said[name] for name in BLOCKS if said.get(name)), alone)
    if isinstance(said, dict):
        said = [said]
    return said if isinstance(said, list) and all(isinstance(block, dict) for block in said) else []


def parts(path: Path, said: Any, entry: str) -> list[Part]:
    """All datasets of the block, or the one whose path (or number from 1) is `entry`."""
    blocks = _blocks(said)
    if entry:
        blocks = [block for number, block in enumerate(blocks, 1) if entry in (str(block["path"]), str(number))]
        if not blocks:
            raise BadInput(
                f"{path.name} has no dataset “{entry}”.",
                f"Its paths are: {', '.join(str(block['path']) for block in _blocks(said)[:20])}.",
                "Name one of them with --entry.",
                field="entry",
            )
    ranked = bool(isinstance(said, dict) and said.get("rl"))
    whole = isinstance(said, dict) and bool(said.get("pretraining_dataset")) and not said.get("datasets")
    found = [part for block in blocks for part in _parts(path, block, ranked, whole)]
    if isinstance(said, dict) and said.get("test_datasets"):
        found[0] = replace(found[0], notes=(*found[0].notes, _left_out(said["test_datasets"])))
    return found


def _left_out(blocks: Any) -> str:
    """What is said of the datasets that the configuration tests on: of them a version would have no side by itself."""
    named = [str(block.get("path")) for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    names = f" ({', '.join(named[:5])}{', …' if len(named) > 5 else ''})" if named else ""
    return (
        f"test_datasets{names} was left out, and the test side is drawn from the rows that are here; to have those "
        "rows held out, import their file with --append --split test=1"
    )


def _parts(path: Path, block: dict[str, Any], ranked: bool, whole: bool) -> list[Part]:
    name = str(block["path"])
    files = block.get("data_files") or name
    files = [str(file) for file in (files if isinstance(files, list) else [files])]
    if not Path(files[0]).suffix and len(Path(name).parts) == 2 and not Path(name).is_absolute():
        raise BadInput(
            f"“{name}” of {path.name} lies on the Hugging Face hub.",
            "Only files of this machine are read from here.",
            f"Import it from the hub: hub:{name}.",
            field="source",
        )
    kind = block.get("type") or ("completion" if whole else "")
    if whole and kind in ("pretrain", ""):
        kind = "completion"
    mapping, rewrite, notes = _meaning(path, block, kind, ranked)
    return [Part(file, mapping, rewrite, None, notes) for file in files]


Meaning = tuple[Mapping, Callable[[dict[str, Any]], dict[str, Any]] | None, tuple[str, ...]]


def _meaning(path: Path, block: dict[str, Any], kind: Any, ranked: bool) -> Meaning:
    if isinstance(kind, dict):
        return _own(path, block, kind, ranked)
    plain = str(kind).partition(":")[0]
    if ranked or plain.startswith(("chatml.", "llama3.")):
        return _ranked(path, block, plain)
    if plain in ASKED:
        asks, answer = ASKED[plain]
        system = "system" if plain == "alpaca_w_system" else None
        return mapping_of("alpaca", {"user": asks, "assistant": answer, "system": system}), None, ()
    if plain in ("completion", "pretrain", "text"):
        return mapping_of("text", {"text": str(block.get("field") or "text")}), None, ()
    if plain.startswith(("chat_template", "sharegpt", "chatml")):
        return _turns(block, plain)
    if plain == "input_output":
        note = "the segments of input_output became turns: the model's own template stands around them"
        return mapping_of("messages", {"messages": "segments"}), _segments, (note,)
    raise _strange(path, block, f"its type is “{kind}”; known are {KNOWN}")


def _turns(block: dict[str, Any], kind: str) -> Meaning:
    """Conversations: which fields hold them, who speaks, and which turns are learned."""
    old = kind.startswith("sharegpt")
    column = block.get("field_messages") or block.get("field") or ("conversations" if old else "messages")
    named = block.get("message_property_mappings") or {}
    role = named.get("role") or block.get("message_field_role") or ("from" if old else "role")
    content = named.get("content") or block.get("message_field_content") or ("value" if old else "content")
    trained = block.get("message_field_training") or ""
    said: dict[str, str] = {"human": "user", "gpt": "assistant"}
    for meant, names in (block.get("roles") or {}).items():
        said |= {str(name): str(meant) for name in (names if isinstance(names, list) else [names])}
    for field, meant in (("field_human", "user"), ("field_model", "assistant")):
        said |= {str(block[field]): meant} if block.get(field) else {}

    def rewrite(values: dict[str, Any]) -> dict[str, Any]:
        return values | {column: renamed(values.get(column), role, content, said, trained)}

    roles = {"messages": column, "tools": block.get("field_tools"), "system": block.get("field_system")}
    return mapping_of("messages", roles), rewrite, ()


def _segments(values: dict[str, Any]) -> dict[str, Any]:
    """[{label, text}, …]: what is learned as the assistant's turns, what is not as the user's."""
    turns: list[dict[str, Any]] = []
    segments = values.get("segments")
    for segment in segments if isinstance(segments, list) else ():
        text = str(segment.get("text") or "") if isinstance(segment, dict) else ""
        role = "assistant" if isinstance(segment, dict) and segment.get("label") else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += text
        elif text.strip():
            turns.append({"role": role, "content": text})
    return values | {"segments": turns}


def _ranked(path: Path, block: dict[str, Any], kind: str) -> Meaning:
    style = kind.rpartition(".")[2]
    if kind.startswith("chat_template"):
        asks = block.get("field_messages") or "messages"
        named = block.get("message_property_mappings") or {}
        role = named.get("role") or block.get("message_field_role") or "role"
        content = named.get("content") or block.get("message_field_content") or "content"
        columns = {name: block.get(f"field_{name}") or name for name in ("chosen", "rejected")}

        def rewrite(values: dict[str, Any]) -> dict[str, Any]:
            turned = {name: renamed(values.get(name), role, content, {}) for name in (asks, *columns.values())}
            return values | {name: turns for name, turns in turned.items() if turns is not None}

        return mapping_of("preference", {"messages": asks, **columns}), rewrite, ()
    if style in RANKED:
        asked, chosen, rejected = RANKED[style]
        roles: dict[str, str | tuple[str, ...] | None]
        roles = {"user": asked or None, "chosen": chosen, "rejected": rejected, "system": "system" if asked else None}
        return mapping_of("preference", roles), None, ()
    raise _strange(path, block, f"its type is “{kind}” under rl; known are chat_template and {', '.join(RANKED)}")


def _own(path: Path, block: dict[str, Any], kind: dict[str, Any], ranked: bool) -> Meaning:
    """A type written out: the fields, and the form of the prompt."""
    field = {name: kind.get(f"field_{name}") for name in ("system", "prompt", "chosen", "rejected")}
    if ranked:
        roles = {"user": field["prompt"] or "prompt", "system": field["system"]}
        roles |= {name: field[name] or name for name in ("chosen", "rejected")}
        return mapping_of("preference", roles), None, ()
    asks, more = kind.get("field_instruction") or "instruction", kind.get("field_input")
    answer = kind.get("field_output") or "output"
    form = str(kind.get("format") or "")
    if kind.get("field") and not kind.get("field_instruction"):
        return mapping_of("text", {"text": str(kind["field"])}), None, ()
    inner = form.replace("{instruction}", "").replace("{input}", "").strip()
    note = f"the form “{form.strip()[:60]}” was left out: the model's own template stands in its place"
    roles = {"user": (asks, more) if more else asks, "assistant": answer, "system": field["system"]}
    return mapping_of("alpaca", roles, str(kind.get("system_prompt") or "")), None, (note,) if inner else ()


def _strange(path: Path, block: dict[str, Any], why: str) -> BadInput:
    return BadInput(
        f"“{block['path']}” of {path.name} can't be taken over as it stands.",
        f"{why[:1].upper()}{why[1:]}.",
        "Import its file itself, and say with --map what its columns mean.",
        field="source",
    )
