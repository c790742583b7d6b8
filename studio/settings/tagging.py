"""Settings of tagging by rule: which rows get which tag."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import field_validator, model_validator

from studio.settings.base import Settings, setting

LONGEST = 200


class TagSettings(Settings):
    """Gives a tag to the rows in which some words stand, or each row the value of a column."""

    dataset: str = setting(title="Dataset", help="The dataset whose rows are tagged.", min_length=1)
    tag: str = setting(
        title="Tag",
        help="The name of the tag: domain, tone, task or one of your own.",
        min_length=1,
        max_length=LONGEST,
    )
    value: str | None = setting(
        None,
        title="Value",
        help="What the tag says, as billing; left out with --from-column.",
        max_length=LONGEST,
    )
    find: list[str] = setting(
        default_factory=list,
        title="Words",
        help="Words of which at least one must stand in the row, in any case; one a flag.",
        group="Which rows",
    )
    pattern: bool = setting(
        False,
        title="As patterns",
        help="Takes what is to be found as regular expressions (RE2) instead of words.",
        group="Which rows",
    )
    where: Literal["anywhere", "prompt", "answer", "column"] = setting(
        "anywhere", title="Where", help="In which part of the row the words must stand.", group="Which rows"
    )
    column: str | None = setting(
        None, title="Column", help="The column to look in, with --where column.", group="Which rows"
    )
    rows: list[str] = setting(
        default_factory=list,
        title="Rows",
        help="By hand: the id of a row that gets the tag; may be given many times.",
        flag="row",
        group="By hand",
    )
    from_column: str | None = setting(
        None,
        title="From a column",
        help="Gives each row the value it has in this column, instead of looking for words.",
        group="From a column",
    )

    @field_validator("value", "column", "from_column")
    @classmethod
    def _none_for_empty(cls, value: str | None) -> str | None:
        return (value or "").strip() or None

    @field_validator("tag")
    @classmethod
    def _trimmed(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("a tag needs a name")
        return value.strip()

    @field_validator("find")
    @classmethod
    def _without_empty(cls, value: list[str]) -> list[str]:
        return [words.strip() for words in value if words.strip()]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.from_column or (self.rows and self.value):
            return self
        if not self.value:
            raise ValueError("say what the tag says (--value), or from which column it is taken (--from-column)")
        if not self.find:
            raise ValueError("name the words to find (--find), or the column to take the tag from (--from-column)")
        if self.where == "column" and not self.column:
            raise ValueError("name the column to look in (--column)")
        return self
