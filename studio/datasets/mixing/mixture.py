"""Mixtures: several datasets become one by a recipe, exact and repeatable under its seed.

Which rows are drawn, and how often, depends on the recipe and the rows alone. The sides of rows are kept: what is
held out in one part is not trained on, and neither is what belongs with it (apart.py), in whichever part it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any

from studio.batches.encode import whole_rows
from studio.batches.tokenizer import ModelTokenizer, load_tokenizer
from studio.datasets.mixing.apart import Some, left_out
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.splitting.grouping import Watch
from studio.datasets.splitting.sides import SIDES
from studio.datasets.store import Dataset
from studio.errors import BadInput, Refused, StudioError
from studio.settings.mixing import MixSettings, Part, read_part
from studio.workspace import Workspace

HELD_OUT = SIDES[1:]
BATCH_ROWS = 4096  # read at once; as often it is looked whether to stop
SAMPLE = 200  # rows of a part whose tokens are counted
Found = tuple[str, str, str]  # of a row its id, its side, its kind
# What a model can be trained on in one go; other kinds only mix with their own.
TOGETHER = ({"chat", "label"},)


@dataclass
class Stock:
    """What there is of one part.

    Args:
        rows: of each side the row ids, drawn first to drawn last.
        left_out: how many rows are left out, as they belong with rows that are held out.
    """

    part: Part
    dataset: Dataset
    version: int
    rows: dict[str, list[str]]
    kinds: set[str]
    left_out: int = 0
    general: bool = False

    @property
    def trained(self) -> int:
        return len(self.rows["train"])


@dataclass(frozen=True)
class Share:
    """What is taken of one part: how many `rows` to train on, and how many of each held-out side."""

    stock: Stock
    rows: int
    held_out: dict[str, int]

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each side."""
        return {"train": self.rows, **self.held_out}

    @property
    def times(self) -> float:
        """How often each row is seen, on average."""
        return self.rows / self.stock.trained if self.stock.trained else 0.0

    def copies(self) -> dict[str, int]:
        """How often each row is in the mixture, by row id; rows that are not in it are left out."""
        whole, more = divmod(self.rows, self.stock.trained) if self.stock.trained else (0, 0)
        found = {row: whole + (place < more) for place, row in enumerate(self.stock.rows["train"])}
        for side in HELD_OUT:
            found |= dict.fromkeys(self.stock.rows[side][: self.held_out[side]], 1)
        return {row: count for row, count in found.items() if count}


def take_stock(workspace: Workspace, settings: MixSettings, watch: Watch = lambda *_: None) -> list[Stock]:
    """What there is of each part, the general one last.

    Args:
        watch: called now and then with rows done, rows in all, and what is being done; may raise to stop.

    Raises:
        NotFound: there is no such dataset or version.
        BadInput: a part has no rows, or parts of kinds that don't mix.
    """
    parts = [(part, False) for part in settings.ingredients()]
    if settings.general:
        parts.append((read_part(settings.general), True))
    opened = [Dataset.open(workspace, part.dataset) for part, _ in parts]
    versions = [part.version or dataset.latest for (part, _), dataset in zip(parts, opened, strict=True)]
    lengths = [int(dataset.version_info(version)["rows"]) for dataset, version in zip(opened, versions, strict=True)]
    stocks, taken = [], []
    for place, ((part, general), dataset, version) in enumerate(zip(parts, opened, versions, strict=True)):
        found: list[Found] = []
        for batch in _rows_of(dataset, version, part):
            watch(sum(lengths[:place]) + len(found), sum(lengths), f"reading “{part.dataset}”")
            found += batch
        if not found:
            raise _nothing(part)
        kinds = {kind for *_, kind in found}
        stocks.append(Stock(part, dataset, version, {side: [] for side in SIDES}, kinds, general=general))
        taken.append(found)
    _check_kinds(stocks)
    _keep_apart(stocks, taken, settings, watch)
    return stocks


def _rows_of(dataset: Dataset, version: int, part: Part) -> Iterator[list[Found]]:
    """The rows of a part, a batch at a time."""
    where, values = "", []
    if part.tag:
        where = """WHERE coalesce(json_extract_string(tags, ?), json_extract_string(extra, ?),
            CASE WHEN ? = 'label' THEN label END) = ?"""
        pointer = "/" + part.tag.replace("~", "~0").replace("/", "~1")
        values = [pointer, pointer, part.tag, part.value]
    sql = f"SELECT row_id, split, kind FROM {{}} {where}"
    for batch in dataset.stream(sql, version, BATCH_ROWS, values):
        yield list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _nothing(part: Part) -> BadInput:
    why = f"No row has “{part.value}” as its “{part.tag}”." if part.tag else "This version has no rows."
    return BadInput(f"“{part.dataset}” has nothing to mix in.", why, "Choose another part.", field="parts")


def _check_kinds(stocks: Sequence[Stock]) -> None:
    kinds = set().union(*(stock.kinds for stock in stocks))
    if len(kinds) > 1 and not any(kinds <= together for together in TOGETHER):
        told = "; ".join(f"“{stock.part.dataset}”: {', '.join(sorted(stock.kinds))}" for stock in stocks)
        raise BadInput(
            "These datasets don't mix.",
            f"Their rows teach in different ways ({told}), and one training has one goal.",
            "Mix conversations and labels, or parts of one kind.",
            field="parts",
        )


def _keep_apart(stocks: Sequence[Stock], taken: Sequence[list[Found]], settings: MixSettings, watch: Watch) -> None:
    """Puts the rows of each part on their sides in the order in which they are drawn."""
    some = [
        Some(stock.dataset, stock.version, frozenset(row_id for row_id, *_ in found))
        for stock, found in zip(stocks, taken, strict=True)
    ]
    for stock, found, gone in zip(stocks, taken, left_out(some, settings.near, watch), strict=True):
        stock.left_out = len(gone)
        for row_id, side, _ in found:
            if row_id not in gone:
                stock.rows[side].append(row_id)
        salt = f"{settings.seed} {stock.part.dataset} ".encode()
        stock.rows = {side: sorted(rows, key=partial(_rank, salt)) for side, rows in stock.rows.items()}


def _rank(salt: bytes, row_id: str) -> bytes:
    return blake2b(salt + row_id.encode(), digest_size=8).digest()


def blend(stocks: Sequence[Stock], settings: MixSettings) -> list[Share]:
    """How many rows of each part there will be: whole numbers that add up exactly.

    Proportional: by the rows each has to train on. Temperature T: by their T-th root (as in mT5, Xue and others
    2021). Weights: each row that often. Held-out rows are never repeated; of a part that is thinned out, as many of
    them are kept as of the others.

    Raises:
        Refused: nothing is left to train on.
    """
    own = [stock for stock in stocks if not stock.general]
    general = [stock for stock in stocks if stock.general]
    if not sum(stock.trained for stock in own) or not all(stock.trained for stock in general):
        raise Refused(
            "There is nothing to train on.",
            "The parts have no rows to train on, or all of them belong with rows that are held out.",
            "Choose other parts, or split them anew so that what belongs together stands on one side.",
        )
    weights = {
        "proportional": lambda stock: float(stock.trained),
        "temperature": lambda stock: stock.trained ** (1 / settings.temperature),
        "weights": lambda stock: stock.part.weight * stock.trained,
    }[settings.by]
    shares = [weights(stock) for stock in own]
    natural = sum(shares) if settings.by == "weights" else sum(stock.trained for stock in own)
    total, extra = _totals(max(1, round(natural)), settings, bool(general))
    given = [*apportion(total, shares), *([extra] if general else [])]
    return [_share(stock, rows) for stock, rows in zip([*own, *general], given, strict=True)]


def _totals(natural: int, settings: MixSettings, general: bool) -> tuple[int, int]:
    """Rows to train on of the parts, and of the general part."""
    if not general:
        return settings.rows or natural, 0
    if settings.rows:
        extra = round(settings.rows * settings.general_share)
        return settings.rows - extra, extra
    return natural, round(natural * settings.general_share / (1 - settings.general_share))


def _share(stock: Stock, rows: int) -> Share:
    kept = min(1.0, rows / stock.trained) if stock.trained else 1.0
    held_out: dict[str, int] = {side: math.ceil(len(stock.rows[side]) * kept - 1e-9) for side in HELD_OUT}
    return Share(stock, rows, held_out)


def apportion(total: int, shares: Sequence[float]) -> list[int]:
    """`total` in whole numbers by these shares, by largest remainders; equal ones in their order."""
    whole = sum(shares)
    exact = [total * share / whole for share in shares]
    given = [math.floor(value + 1e-9) for value in exact]
    for place in sorted(range(len(shares)), key=lambda place: given[place] - exact[place])[: total - sum(given)]:
        given[place] += 1
    return given


def preview(shares: Sequence[Share]) -> dict[str, Any]:
    """What comes of a recipe: rows of each part and side, and in all.

    Of each part `waiting` says how many changes its version does not have, where it is the latest.
    """
    parts = [
        {
            "dataset": share.stock.dataset.name,
            "version": share.stock.version,
            "only": f"{share.stock.part.tag}: {share.stock.part.value}" if share.stock.part.tag else "",
            "general": share.stock.general,
            "available": share.stock.trained,
            "left_out": share.stock.left_out,
            "waiting": _waiting(share.stock),
            "times": round(share.times, 3),
            "counts": share.counts,
        }
        for share in shares
    ]
    counts = {side: sum(share.counts[side] for share in shares) for side in SIDES}
    return {"parts": parts, "counts": counts, "rows": sum(counts.values())}


def _waiting(stock: Stock) -> int:
    return Reviews(stock.dataset).unfrozen() if stock.version == stock.dataset.latest else 0


def look(
    workspace: Workspace, settings: MixSettings, model: str | None = None, watch: Watch = lambda *_: None
) -> dict[str, Any]:
    """What would come of a recipe, with tokens; nothing is made.

    Args:
        model: in whose tokens; the first of the workspace when none is named, and no tokens when there is none.
        watch: as of `take_stock`.

    Returns:
        `preview`'s fields; with a model its name, and of each part, and in all, about how many `tokens` there are to
        train on.
    """
    shares = blend(take_stock(workspace, settings, watch), settings)
    told = preview(shares)
    there = [name for name in workspace.names("models") if (workspace.models / name / "tokenizer.json").is_file()]
    name = model or next(iter(there), None)
    if name is None:
        return told | {"model": None}
    tokenizer = load_tokenizer(workspace.folder("models", name))
    samples = [min(SAMPLE, share.stock.trained) for share in shares]
    for place, (part, share) in enumerate(zip(told["parts"], shares, strict=True)):
        watch(sum(samples[:place]), sum(samples), f"counting tokens of “{part['dataset']}”")
        part["tokens"] = round(share.rows * _tokens_a_row(share.stock, tokenizer))
    return told | {"model": name, "tokens": sum(part["tokens"] for part in told["parts"])}


def _tokens_a_row(stock: Stock, tokenizer: ModelTokenizer) -> float:
    """The mean length of the first rows drawn; 0 when none can be encoded."""
    rows = stock.dataset.find(stock.version, stock.rows["train"][:SAMPLE]).values()
    found = [whole for _, whole in whole_rows(tokenizer, rows, "all")]
    lengths = [len(whole[0]) for whole in found if not isinstance(whole, StudioError)]
    return sum(lengths) / len(lengths) if lengths else 0.0
