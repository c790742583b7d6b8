"""The settings of writing more rows: after which rows, in what way, by whom."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from studio.settings.answering import Machine
from studio.settings.base import setting

Way = Literal["paraphrase", "back-translation", "in-style", "questions"]


class WriteSettings(Machine):
    """More rows, written by a model after rows that are trained on."""

    dataset: str = setting(
        title="Dataset", group="Rows", min_length=1, max_length=64, help="The dataset whose rows are written after."
    )  # fmt: skip
    way: Way = setting(
        "paraphrase", title="Way", group="Rows",
        help="Paraphrase says a question in other words; back-translation goes through another language; in-style "
        "makes new examples like those there; questions asks and answers about passages of documents.",
    )  # fmt: skip
    writer: str = setting(
        "starter", title="Writer", group="Writer", min_length=1, max_length=200,
        help="A model of the workspace, the run of a tuned one, or, with an address, the model's name there.",
    )  # fmt: skip
    address: str = setting(
        "", title="Address", group="Writer", max_length=500, auto="the writer is on this machine",
        help="An OpenAI-compatible address (https://…/v1) that writes instead; the rows are sent there. Its key is "
        "taken from the environment, from FLEXTUNE_API_KEY.",
    )  # fmt: skip
    rows: list[str] | None = setting(
        None, title="After these rows", group="Rows", max_length=10_000,
        auto="rows drawn by chance from the side of training",
        help="Row ids; only rows that are trained on are written after.",
    )  # fmt: skip
    count: int = setting(
        50, title="After how many rows", group="Rows", ge=1, le=10_000,
        help="After how many rows others are written, where no rows are named.",
    )  # fmt: skip
    each: int = setting(
        1, title="Each", group="Rows", ge=1, le=10, help="How many new rows are tried after each row."
    )  # fmt: skip
    language: str = setting(
        "German", title="By way of", group="Rows", max_length=40,
        help="The language that a back-translation goes through.",
    )  # fmt: skip
    guidance: str = setting(
        "", title="Guidance", group="Rows", max_length=2000,
        help="What the writer shall mind, in a sentence or two.",
    )  # fmt: skip
    into: str = setting(
        "", title="Into", group="Rows", max_length=64,
        auto="the same dataset; for questions about documents NAME-questions",
        help="The dataset whose review queue the new rows wait in.",
    )  # fmt: skip
    temperature: float = setting(
        0.8, title="Temperature", group="Writer", ge=0.0, le=2.0, help="Higher values vary more."
    )  # fmt: skip
    seed: int = setting(
        1, title="Seed", group="Writer", ge=0, lt=2**31,
        help="Draws the rows that are written after, and what is written; another seed gives others.",
    )  # fmt: skip

    @field_validator("address")
    @classmethod
    def _an_address(cls, value: str) -> str:
        value = value.strip().rstrip("/").removesuffix("/chat/completions")
        if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError(f"“{value}” is no address: it begins with https:// (or http://)")
        if "@" in urlsplit(value).netloc:
            raise ValueError("a key or password does not belong in an address: put it into FLEXTUNE_API_KEY")
        return value

    @model_validator(mode="after")
    def _something_varies(self) -> WriteSettings:
        if self.each > 1 and self.temperature == 0:
            raise ValueError("at temperature 0 every try is the same: raise the temperature, or try once each")
        return self
