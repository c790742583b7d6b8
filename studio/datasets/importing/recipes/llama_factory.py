"""LLaMA-Factory's dataset_info.json: {name: {file_name, formatting, ranking, columns, tags, …}}.

Source: the project's data/README.md and `DatasetAttr`, versions 0.8 to 0.9.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.datasets.importing.mapping import Mapping
from studio.datasets.importing.recipes import Part, mapping_of, renamed
from studio.errors import BadInput

PLACES = ("file_name", "hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name")
MEDIA = ("images", "videos", "audios")
COLUMNS = {
    "alpaca": {"prompt": "instruction", "query": "input", "response": "output"},
    "sharegpt": {"messages": "conversations"},
    "openai": {"messages": "messages"},
}
TAGS = {
    "role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt",
    "observation_tag": "observation", "function_tag": "function_call", "system_tag": "system",
}  # fmt: skip
OPENAI_TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
MEANT = {
    "user_tag": "user", "assistant_tag": "assistant", "observation_tag": "tool", "function_tag": "function_call",
    "system_tag": "system",
}  # fmt: skip


def fits(said: Any) -> bool:
    """Whether a JSON value is a dataset_info.json."""
    if not isinstance(said, dict) or not said:
        return False
    return all(isinstance(about, dict) and any(place in about for place in PLACES) for about in said.values())


def parts(path: Path, said: dict[str, Any], entry: str) -> list[Part]:
    """The dataset of that name, or the only one. Raises BadInput when it is open which, or can't be translated."""
    if entry and entry not in said:
        raise _open(path, said, f"It describes no dataset “{entry}”.")
    if not entry and len(said) > 1:
        raise _open(path, said, f"It describes {len(said)} datasets.")
    name = entry or next(iter(said))
    about = said[name]
    if not about.get("file_name"):
        place = next(place for place in PLACES if place in about)
        raise BadInput(
            f"“{name}” of {path.name} lies on a hub.",
            f"It names {about[place]} ({place}); only files of this machine are read from here.",
            f"Import it from the Hugging Face hub: hub:{about[place]}."
            if place == "hf_hub_url"
            else "Download its file, and name it as file_name.",
            field="source",
        )
    most = about.get("num_samples")
    notes = (f"the first {most:,} rows, as num_samples says",) if isinstance(most, int) else ()
    return [_part(path, name, about, most if isinstance(most, int) else None, notes)]


def _part(path: Path, name: str, about: dict[str, Any], most: int | None, notes: tuple[str, ...]) -> Part:
    style = str(about.get("formatting") or "alpaca")
    if style not in COLUMNS:
        raise _strange(path, name, f"it has the formatting “{style}”; alpaca, sharegpt and openai are known")
    columns = dict(about.get("columns") or COLUMNS[style])
    media = [kind for kind in MEDIA if columns.get(kind)]
    if media:
        raise _strange(path, name, f"its rows come with {media[0]}, and only text can be learned")
    if style == "alpaca":
        return Part(about["file_name"], _alpaca(path, name, about, columns), None, most, notes)
    tags = {**TAGS, **(OPENAI_TAGS if style == "openai" else {}), **(about.get("tags") or {})}
    roles = {str(tags[tag]): meant for tag, meant in MEANT.items() if tags.get(tag)}
    turned = [columns[key] for key in ("messages", "chosen", "rejected") if columns.get(key)]

    def rewrite(values: dict[str, Any]) -> dict[str, Any]:
        turns = {
            column: renamed(values[column], tags["role_tag"], tags["content_tag"], roles)
            for column in turned
            if column in values
        }
        return values | turns

    return Part(about["file_name"], _turns(path, name, about, columns), rewrite, most, notes)


def _alpaca(path: Path, name: str, about: dict[str, Any], columns: dict[str, str]) -> Mapping:
    prompt, query = columns.get("prompt"), columns.get("query")
    if not prompt:
        raise _strange(path, name, "it names no column for the prompt")
    asks: dict[str, Any] = {"user": (prompt, query) if query else prompt, "system": columns.get("system")}
    asks |= {"history": columns.get("history"), "tools": columns.get("tools")}
    if about.get("ranking"):
        return mapping_of("preference", asks | _ranked(path, name, columns))
    if not columns.get("response"):
        return mapping_of("text", {"text": prompt})
    asks["assistant"] = columns["response"]
    if columns.get("kto_tag"):
        return mapping_of("feedback", asks | {"label": columns["kto_tag"]})
    return mapping_of("alpaca", asks)


def _turns(path: Path, name: str, about: dict[str, Any], columns: dict[str, str]) -> Mapping:
    if not columns.get("messages"):
        raise _strange(path, name, "it names no column for the messages")
    roles: dict[str, Any] = {role: columns.get(role) for role in ("messages", "system", "tools")}
    if about.get("ranking"):
        return mapping_of("preference", roles | _ranked(path, name, columns))
    if columns.get("kto_tag"):
        return mapping_of("feedback", roles | {"label": columns["kto_tag"]})
    return mapping_of("sharegpt", roles)


def _ranked(path: Path, name: str, columns: dict[str, str]) -> dict[str, Any]:
    if not columns.get("chosen") or not columns.get("rejected"):
        raise _strange(path, name, "it is a ranking, and names no columns chosen and rejected")
    return {"chosen": columns["chosen"], "rejected": columns["rejected"]}


def _open(path: Path, said: dict[str, Any], why: str) -> BadInput:
    names = ", ".join(list(said)[:20]) + (" …" if len(said) > 20 else "")
    return BadInput(
        f"It is open which dataset of {path.name} is meant.",
        f"{why} There are: {names}.",
        "Name one of them with --entry.",
        field="entry",
    )


def _strange(path: Path, name: str, why: str) -> BadInput:
    return BadInput(
        f"“{name}” of {path.name} can't be taken over as it stands.",
        f"{why[:1].upper()}{why[1:]}.",
        "Import its file itself, and say with --map what its columns mean.",
        field="source",
    )
