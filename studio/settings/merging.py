"""Settings of a merge: several datasets become one."""

from __future__ import annotations

from pydantic import field_validator

from studio.errors import BadInput
from studio.files import check_name
from studio.settings.base import Settings, setting


class MergeSettings(Settings):
    """The rows of several datasets, one after the other, in a new one."""

    datasets: list[str] = setting(
        title="Datasets",
        help="The datasets to merge, in the order their rows shall have.",
        min_length=2,
        max_length=100,
    )
    name: str = setting(title="Name", help="What the new dataset is called.")
    keep_equal: bool = setting(
        False,
        title="Keep equal rows",
        help="Keeps rows that several of them have once for each; without it they are taken once.",
    )

    @field_validator("datasets")
    @classmethod
    def _different(cls, value: list[str]) -> list[str]:
        if len(set(value)) < len(value):
            raise ValueError("a dataset is named twice")
        return value

    @field_validator("name")
    @classmethod
    def _named(cls, value: str) -> str:
        try:
            return check_name(value, "dataset name")
        except BadInput as error:
            raise ValueError(str(error)) from None
