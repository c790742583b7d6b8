"""Datasets of the Hugging Face hub: which configurations, splits and Parquet files a repository has.

Only Parquet is read, so that no code of a repository ever runs: its own files, or those the hub makes of it by itself
(the branch refs/convert/parquet, as config/split/0000.parquet).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

import httpx2
from huggingface_hub import HfApi

from studio.errors import BadInput
from studio.hub import ANSWER_SECONDS, PROBE_SECONDS, in_time, in_words

CONVERTED = "refs/convert/parquet"
DEFAULT = "default"
SPLIT = re.compile(
    r"(?:^|[/_.-])(train|training|test|testing|validation|valid|val|dev|eval)(?=$|[/_.-])", re.IGNORECASE
)
NAMED = re.compile(r"[\w.-]{1,100}")
PART = re.compile(r"[/_.-]?\d{2,}(?:-of-\d+)?.*$")
MOST_NAMES = 30


@dataclass(frozen=True)
class Part:
    """One Parquet file: its configuration and split, its bytes and checksum."""

    name: str
    config: str
    split: str
    size: int
    digest: str


@dataclass(frozen=True)
class HubDataset:
    """What a repository holds at one commit."""

    repo: str
    revision: str
    licence: str
    parts: tuple[Part, ...]

    def configs(self) -> dict[str, dict[str, int]]:
        """Of each configuration its splits, and how many bytes they have."""
        found: dict[str, dict[str, int]] = {}
        for part in self.parts:
            splits = found.setdefault(part.config, {})
            splits[part.split] = splits.get(part.split, 0) + part.size
        return found

    def choose(self, config: str, split: str) -> tuple[str, list[Part]]:
        """(configuration, its files) as asked; the only configuration, or “default”, when none is named.

        Raises:
            BadInput: there is no such configuration or split, or it is open which is meant.
        """
        configs = self.configs()
        chosen = config or (next(iter(configs)) if len(configs) == 1 else DEFAULT if DEFAULT in configs else "")
        if chosen not in configs:
            why = f"It has no configuration “{config}”." if config else f"It has {len(configs)} configurations."
            raise BadInput(
                f"It is open which part of {self.repo} is meant.",
                f"{why} There are: {_names(list(configs))}.",
                "Name one of them with --config.",
                field="config",
            )
        if split and split not in configs[chosen]:
            raise BadInput(
                f"{self.repo} has no split “{split}”.",
                f"The configuration “{chosen}” has: {_names(list(configs[chosen]))}.",
                "Name one of them, or none for all.",
                field="hub_split",
            )
        return chosen, [part for part in self.parts if part.config == chosen and split in ("", part.split)]


def _names(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")


def look_up(repo: str, revision: str = "") -> HubDataset:
    """Asks the hub.

    Args:
        revision: a branch, tag or commit; CONVERTED for the branch of the files that the hub made; "" for the newest.

    Raises:
        Offline, NotFound, Refused: as for models.
        BadInput: it has no Parquet files, and the hub made none of it, or of another revision only; or a split has a
            name that leads elsewhere.
    """
    try:
        info = in_time(lambda: _ask(repo, revision or None))
        parts = _converted_parts(info) if revision == CONVERTED else _own_parts(info)
        converted = None if parts else in_time(lambda: _converted(repo))
        if converted is not None and not revision:
            info, parts = converted, _converted_parts(converted)
    except Exception as error:
        raise in_words(error, repo, revision or None, "dataset") from error
    if not parts and converted is not None and revision:
        raise BadInput(
            f"{repo} can't be imported from the hub at that revision.",
            f"At “{revision}” it has no Parquet files; the hub made some, but of its newest state only.",
            f"Leave the revision out, or name the branch that has them: {CONVERTED}.",
            field="revision",
        )
    if not parts:
        raise _without_parquet(repo, [item.rfilename for item in info.siblings or []])
    card: Any = info.card_data or {}
    licence = card.get("license") or ""
    return HubDataset(repo, str(info.sha), licence if isinstance(licence, str) else ", ".join(licence), tuple(parts))


def _ask(repo: str, revision: str | None) -> Any:
    timeout: Any = httpx2.Timeout(ANSWER_SECONDS, connect=PROBE_SECONDS)
    return HfApi().dataset_info(repo, revision=revision, timeout=timeout, files_metadata=True)


def _converted(repo: str) -> Any:
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        return _ask(repo, CONVERTED)
    except RevisionNotFoundError:
        return None


def _part(item: Any, config: str, split: str) -> Part:
    """One file. Splits name the files that are written here, so no other characters come through."""
    if not NAMED.fullmatch(split):
        raise BadInput(
            "This dataset can't be imported from the hub.",
            f"Its card calls a split “{split[:80]}”; such names have letters, digits, and . _ - only.",
            "Choose another dataset, or download its files with a browser, and import those.",
            field="source",
        )
    digest = item.lfs.sha256 if item.lfs else item.blob_id or ""
    return Part(item.rfilename, config, split, item.size or 0, digest)


def _converted_parts(info: Any) -> list[Part]:
    found = []
    for item in info.siblings or []:
        pieces = item.rfilename.split("/")
        if len(pieces) == 3 and pieces[2].endswith(".parquet"):
            found.append(_part(item, pieces[0], pieces[1].removeprefix("partial-")))
    return found


def _own_parts(info: Any) -> list[Part]:
    """The repository's own Parquet files: by the configurations of its card, else by their names."""
    items = [item for item in info.siblings or [] if item.rfilename.endswith(".parquet")]
    card: Any = info.card_data or {}
    found = []
    for config in card.get("configs") or []:
        if isinstance(config, dict):
            found += _of_config(config, items)
    return found or [_part(item, DEFAULT, _split_of(item.rfilename)) for item in items]


def _of_config(config: dict[str, Any], items: list[Any]) -> list[Part]:
    """The files of one configuration; `data_files` is a pattern, several, or a list of {split, path}."""
    name = str(config.get("config_name") or DEFAULT)
    given = config.get("data_files")
    if given is None and config.get("data_dir"):
        given = f"{str(config['data_dir']).strip('/')}/*"
    entries = given if isinstance(given, list) else [given] if given else []
    found = []
    for entry in entries:
        paths = entry.get("path") if isinstance(entry, dict) else entry
        for pattern in paths if isinstance(paths, list) else [paths]:
            wanted = [item for item in items if fnmatch(item.rfilename, str(pattern).replace("**/", "*"))]
            named = str(entry["split"]) if isinstance(entry, dict) and entry.get("split") else ""
            found += [_part(item, name, named or _split_of(item.rfilename)) for item in wanted]
    return found


def _split_of(name: str) -> str:
    match = SPLIT.search(PART.sub("", name.removesuffix(".parquet")) or name)
    return match[1].lower() if match else "train"


def _without_parquet(repo: str, names: list[str]) -> BadInput:
    script = next((name for name in names if name.endswith(".py") and "/" not in name), None)
    data = next((name for name in names if re.search(r"\.(jsonl?|csv|tsv|txt|zip|arrow)$", name)), None)
    why = "It has no Parquet files, and the hub made none of it."
    if script:
        why = f"It is made by a program ({script}), and the studio runs no code of a repository."
    advice = "Choose another dataset."
    if data:
        advice = f"Download its files ({data} …) with a browser, and import those."
    return BadInput(f"{repo} can't be imported from the hub.", why, advice, field="source")
