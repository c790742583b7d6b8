"""Settings of a benchmark."""

from __future__ import annotations

from pydantic import ValidationInfo, field_validator

from studio.benchmarks import BENCHMARKS, FEWER_ROWS, ROWS
from studio.settings.base import Settings, setting


class BenchmarkSettings(Settings):
    """What is measured, on which rows, how often."""

    name: str = setting(title="Name", help="Which benchmark.")
    data: str | None = setting(
        None,
        title="Data",
        help="The examples to measure with: a dataset's name, or a file of examples.",
        auto="alpaca_en_demo.json in the folder that FLEXTUNE_REAL_DATA names",
        min_length=1,
        max_length=1000,
    )
    model: str = setting("starter", title="Model", help="The model to measure with.", min_length=1, max_length=300)
    rows: int = setting(
        None,
        title="Rows",
        help="How many rows of the data are taken.",
        unit="rows",
        auto=f"{ROWS}; {', '.join(f'{rows} for {name}' for name, rows in FEWER_ROWS.items())}",
        ge=4,
        le=100_000,
        validate_default=True,
    )
    rounds: int = setting(
        3, title="Rounds", help="How often each side is timed, in turns; the median counts.", ge=1, le=50
    )

    @field_validator("rows", mode="before")
    @classmethod
    def _enough(cls, value: int | None, info: ValidationInfo) -> int:
        return FEWER_ROWS.get(info.data.get("name", ""), ROWS) if value is None else value

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in BENCHMARKS:
            raise ValueError(f"“{value}” is not one of {', '.join(BENCHMARKS)}")
        return value
