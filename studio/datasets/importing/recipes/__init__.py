"""Descriptions of datasets that other trainers read, taken as they stand: which files, and what their columns mean.

LLaMA-Factory's `dataset_info.json` and Axolotl's `datasets:` block. What can't be translated is refused with words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from studio.datasets.importing.drafts import Draft, Drafter
from studio.datasets.importing.mapping import Format, Guess, Mapping, Role, Source
from studio.datasets.importing.turns import BadRow
from studio.datasets.reading.readers import open_reader
from studio.datasets.reading.records import FileReader, Reader, Reading, Record
from studio.errors import BadInput

LARGEST = 1 << 20
# What the canonical fields of each kind of row are, and the format they are.
FIELDS: dict[str, tuple[Format, tuple[Role, ...]]] = {
    "chat": ("messages", ("messages", "tools")),
    "preference": ("preference", ("messages", "chosen", "rejected", "tools")),
    "feedback": ("feedback", ("messages", "label", "tools")),
    "text": ("text", ("text",)),
}


@dataclass(frozen=True)
class Part:
    """One file of a recipe.

    Args:
        name: the file as the recipe names it.
        mapping: what its columns mean.
        rewrite: makes turns with names of their own into turns everybody knows; None when they are.
        most: how many of its rows are wanted, None for all.
        notes: what is read in another way than there.
    """

    name: str
    mapping: Mapping
    rewrite: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    most: int | None = None
    notes: tuple[str, ...] = ()


def mapping_of(name: Format, roles: dict[str, str | tuple[str, ...] | None], system: str = "") -> Mapping:
    """A mapping out of role -> column (or columns, joined by newlines); roles without one are left out."""
    sources = {
        role: Source(columns=(value,) if isinstance(value, str) else value) for role, value in roles.items() if value
    }
    return Mapping(format=name, roles=sources, system=system)  # type: ignore[arg-type]


def read(path: Path) -> Any:
    """The JSON or YAML of a small file; None when it is none."""
    if path.suffix.lower() not in (".json", ".yml", ".yaml") or not path.is_file() or path.stat().st_size > LARGEST:
        return None
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            return json.loads(text)
        import yaml

        return yaml.safe_load(text)
    except Exception:  # damaged files are told of by their own readers; yaml raises whatever its parts do
        return None


def is_recipe(path: Path) -> bool:
    return bool(_kind(read(path)))


def _kind(said: Any) -> str:
    from studio.datasets.importing.recipes import axolotl, llama_factory

    return "LLaMA-Factory" if llama_factory.fits(said) else "Axolotl" if axolotl.fits(said) else ""


def parts_of(path: Path, entry: str) -> tuple[str, list[Part]]:
    """(whose recipe it is, its parts). Raises BadInput for what can't be translated."""
    from studio.datasets.importing.recipes import axolotl, llama_factory

    said = read(path)
    kind = _kind(said)
    return kind, (llama_factory if kind == "LLaMA-Factory" else axolotl).parts(path, said, entry)


def named_files(path: Path, entry: str) -> list[tuple[str, Path]]:
    """The files that a recipe names, each with its name below the recipe's folder."""
    found = []
    for part in parts_of(path, entry)[1]:
        file = beside(path, part.name)
        found.append((file.relative_to(path.parent).as_posix(), file))
    return found


def entries(named: list[str]) -> list[str]:
    """The names of the datasets that a recipe among these files describes; [] when it is one or none."""
    for path in map(Path, named):
        said = read(path / "dataset_info.json" if path.is_dir() else path)
        if _kind(said) == "LLaMA-Factory":
            return list(said) if len(said) > 1 else []
    return []


def beside(recipe: Path, name: str) -> Path:
    """The file of that name in the folder of the recipe; another trainer may have looked from another folder.

    Raises:
        BadInput: there is none, or it lies elsewhere.
    """
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", ".", "..")]
    root = recipe.parent.resolve()
    for start in range(len(parts)):
        file = recipe.parent.joinpath(*parts[start:])
        if file.is_file() and root in file.resolve().parents:
            return file
    raise BadInput(
        f"{recipe.name} names a file that is not there.",
        f"It says “{name}”, and no such file lies in the folder {recipe.parent}.",
        f"Put the file beside {recipe.name} (on the page: choose both together), and import again.",
        field="source",
    )


def open_recipe(path: Path, reading: Reading) -> Reader:
    """The rows of all its parts, translated."""
    kind, parts = parts_of(path, reading.entry)
    return Translated(path, kind, parts, reading)


class Translated(FileReader):
    """What a recipe describes, as rows with the fields everybody knows: messages, chosen, rejected, label, text."""

    unit = "line"

    def __init__(self, path: Path, kind: str, parts: list[Part], reading: Reading) -> None:
        super().__init__(path)
        self.kind = kind.lower()
        self.parts = parts
        self.reading = reading
        kinds = sorted({part.mapping.kind for part in parts})
        if len(kinds) > 1:
            raise BadInput(
                f"{path.name} describes datasets of several kinds.",
                f"They make rows of the kinds {', '.join(kinds)}, which can't stand in one dataset.",
                "Import them one by one: name the one that is meant with --entry.",
                field="entry",
            )
        self.files = [beside(path, part.name) for part in parts]
        self.size = sum(file.stat().st_size for file in self.files)
        self.notes = [f"read as {kind} reads {', '.join(file.name for file in self.files[:5])}"]
        self.notes += [note for part in parts for note in part.notes]
        name, fields = FIELDS[kinds[0]]
        mapping = mapping_of(name, {field: field for field in fields})
        self.known = Guess(name, mapping, [f"{path.name} says what the columns mean"])
        self.unit = open_reader(self.files[0], reading).unit

    def records(self) -> Iterator[Record]:
        before = 0
        for part, file in zip(self.parts, self.files, strict=True):
            reader = open_reader(file, self.reading)
            drafter = Drafter(part.mapping)
            for number, record in enumerate(reader.records()):
                if number == part.most:
                    break
                self.done = before + reader.done
                yield _translated(record, part, drafter)._replace(file=file.name)
            self.unread = self.unread or reader.unread
            before += file.stat().st_size
            self.done = before


def _translated(record: Record, part: Part, drafter: Drafter) -> Record:
    if record.values is None:
        return record
    try:
        draft = drafter.draft(part.rewrite(record.values) if part.rewrite else record.values)
    except BadRow as error:
        return Record(record.line, None, str(error))
    return Record(record.line, {**draft.extra, **draft.tags, **_canonical(draft)})


def _canonical(draft: Draft) -> dict[str, Any]:
    made: dict[str, Any] = {name: getattr(draft, name) for name in FIELDS[draft.kind][1]}
    if draft.kind == "feedback":
        made["label"] = draft.label == "true"
    return {name: value for name, value in made.items() if value is not None}


def renamed(turns: Any, role: str, content: str, roles: dict[str, str], trained: str = "") -> Any:
    """Turns with names of their own as `{role, content}`, whatever else they hold kept; no turns as they are.

    Args:
        role, content: the fields that say who speaks and what.
        roles: what the speakers are called -> what they are called everywhere.
        trained: the field that says whether a turn is learned, if one does.
    """
    if isinstance(turns, dict):
        return renamed([turns], role, content, roles, trained)[0]
    if not isinstance(turns, list):
        return turns
    made = []
    for turn in turns:
        if not isinstance(turn, dict) or role not in turn:
            made.append(turn)
            continue
        rest = {name: value for name, value in turn.items() if name not in (role, content, trained)}
        new = {**rest, "role": roles.get(str(turn[role]), turn[role]), "content": turn.get(content)}
        if trained and turn.get(trained) is False:
            new["weight"] = 0
        made.append(new)
    return made
