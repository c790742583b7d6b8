"""Settings of a split: how the rows of a dataset are parted into training, validation and test."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import field_validator, model_validator

from studio.errors import BadInput
from studio.settings.base import Settings, setting

SHARES = "train=0.8,validation=0.1,test=0.1"


class SplitSettings(Settings):
    """Which rows are trained on, which watch over the training, and which are kept for the score."""

    dataset: str = setting(title="Dataset", help="The dataset to split, by its name in the workspace.", min_length=1)
    by: Literal["random", "group", "date", "column"] = setting(
        "random",
        title="How",
        help="random draws by chance; group too, and keeps all rows with the same value of a column on one side; "
        "date holds the newest out; column takes the sides that a column names.",
    )
    column: str | None = setting(
        None,
        title="Column",
        help="The column, or tag, to go by: what makes a group (a patient, a customer), the date, or the side.",
    )
    stratify: str | None = setting(
        None,
        title="In balance",
        help="Every side gets the same shares of each value of this: label, a tag, or a column with few values.",
    )
    shares: str = setting(SHARES, title="Shares", help="Which share of the rows each side gets; together they make 1.")
    seed: int = setting(0, title="Seed", help="Another seed draws other rows for each side.", ge=0, lt=2**63)
    check: bool = setting(
        False, title="Only check", help="Looks whether the sides as they are now are clean, and changes nothing."
    )
    keep: list[str] = setting(
        default_factory=list,
        title="More columns kept together",
        help="A column, or tag, whose equal values stay on one side; may be given several times.",
        group="Kept on one side",
    )
    near: bool = setting(
        True,
        title="Near-duplicates",
        help="Keeps rows whose texts are nearly the same on one side.",
        group="Kept on one side",
    )
    likeness: float = setting(
        0.8,
        title="Likeness",
        help="From which share of common text on two rows count as near-duplicates.",
        group="Kept on one side",
        level="advanced",
        ge=0.5,
        le=1.0,
    )
    questions: bool = setting(
        True,
        title="Same question",
        help="Keeps rows that ask the very same on one side, whatever they answer.",
        group="Kept on one side",
    )
    documents: bool = setting(
        True,
        title="Same document",
        help="Keeps rows made of one source document on one side (by the column “document”).",
        group="Kept on one side",
    )
    conversations: bool = setting(
        True,
        title="Same conversation",
        help="Keeps rows of one conversation on one side: those with the same conversation id, and those that go on "
        "where another ends.",
        group="Kept on one side",
    )

    @field_validator("shares")
    @classmethod
    def _sums_to_one(cls, value: str) -> str:
        from studio.datasets.splitting.sides import read_fractions

        try:
            read_fractions(value)
        except BadInput as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("column", "stratify")
    @classmethod
    def _none_for_empty(cls, value: str | None) -> str | None:
        return (value or "").strip() or None

    @model_validator(mode="after")
    def _has_its_column(self) -> Self:
        if self.by != "random" and not self.column and not self.check:
            raise ValueError(f"splitting by {self.by} needs a column: name it with --column")
        return self
