"""The settings of a map of rows."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from studio.settings.base import Settings, setting


class MapSettings(Settings):
    """Which rows are mapped, and by what they count as near each other."""

    dataset: str = setting(
        title="Dataset", group="Dataset", min_length=1, max_length=64, help="Which dataset is mapped."
    )  # fmt: skip
    version: int | None = setting(
        None, title="Version", group="Dataset", ge=1, auto="the latest", help="Which of its versions."
    )  # fmt: skip
    by: Literal["words", "model"] = setting(
        "words", title="Near by", group="Map",
        help="Rows are near each other when they share rare words, or when a model reads them alike (slower).",
    )  # fmt: skip
    model: str | None = setting(
        None, title="Model", group="Map", max_length=64, help="The model that reads the rows."
    )  # fmt: skip
    rows: int = setting(
        2000, title="Rows", group="Map", ge=10, le=10_000,
        help="At most so many rows are mapped, evenly spread over the dataset.",
    )  # fmt: skip
    seed: int = setting(
        1, title="Seed", group="Map", ge=0, le=2**31 - 1, help="The same seed gives the same map."
    )  # fmt: skip

    @model_validator(mode="after")
    def _model_for_reading(self) -> MapSettings:
        if (self.by == "model") != (self.model is not None):
            raise ValueError("a model is named when rows are near by how a model reads them, and only then")
        return self
