"""Settings of an import: a file of examples becomes a version of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import field_validator

from studio.errors import BadInput
from studio.files import check_name
from studio.settings.base import Settings, setting

PROMPT_BYTES = 1 << 20


class ImportSettings(Settings):
    """A file of examples becomes rows with ids, in a frozen version of a dataset."""

    source: str = setting(
        title="File", help="The file of examples: csv, tsv, json, jsonl, parquet, xlsx or txt.", min_length=1
    )
    name: str = setting(
        title="Name", help="What the dataset is called; under a name there is already, a new version is made."
    )
    split: str | None = setting(
        None,
        title="Split",
        help="Which share of the rows is trained on, which watches over the training, and which is held out.",
        group="Rows",
        auto="the file's split column if it has one, else train=0.8,validation=0.1,test=0.1",
    )
    skip_bad: bool = setting(
        False,
        title="Skip bad rows",
        help="Leaves out the rows that can't be used; without it they are listed and nothing is imported.",
        group="Rows",
    )
    mapping: list[str] = setting(
        default_factory=list,
        title="Columns",
        help="ROLE=VALUE, once for each role: user, assistant, system, messages, history, tools, chosen, rejected, "
        "label, text, key, split or tags; VALUE is a column or a template such as “Subject: {subject}”; a system "
        "prompt may be text or @FILE.",
        group="Columns",
        flag="map",
    )
    read_as: Literal[
        "auto", "alpaca", "sharegpt", "messages", "prompt_completion", "question_answer", "label", "preference",
        "feedback", "text",
    ] = setting(
        "auto",
        title="Format",
        flag="format",
        help="What the columns mean, where the studio takes the file for something else than it is.",
        group="Columns",
        level="advanced",
    )  # fmt: skip
    encoding: str = setting(
        "auto",
        title="Encoding",
        help="How letters are stored; name it (cp1252 for many Windows files) when a file is not UTF-8 or UTF-16.",
        group="File",
        level="advanced",
    )
    seed: int = setting(
        0,
        title="Split seed",
        help="Another seed draws other rows for each side of the split.",
        group="Rows",
        level="advanced",
        ge=0,
        lt=2**63,
    )

    @field_validator("source")
    @classmethod
    def _absolute(cls, value: str) -> str:
        """The worker's working folder is another one."""
        return str(Path(value).expanduser().absolute())

    @field_validator("name")
    @classmethod
    def _named(cls, value: str) -> str:
        try:
            return check_name(value, "dataset name")
        except BadInput as error:
            raise ValueError(str(error)) from None

    @field_validator("split")
    @classmethod
    def _sums_to_one(cls, value: str | None) -> str | None:
        from studio.datasets.split import read_fractions

        try:
            if value is not None:
                read_fractions(value)
        except BadInput as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("mapping")
    @classmethod
    def _with_prompt(cls, value: list[str]) -> list[str]:
        """Roles checked, and `system=@FILE` replaced by what the file says: settings are complete in themselves."""
        from studio.datasets.mapping import split_role

        try:
            return [_read_prompt(*split_role(text)) for text in value]
        except BadInput as error:
            raise ValueError(str(error)) from None


def _read_prompt(role: str, value: str) -> str:
    if role != "system" or not value.startswith("@"):
        return f"{role}={value}"
    path = Path(value[1:]).expanduser()
    try:
        with open(path, "rb") as file:
            text = file.read(PROMPT_BYTES + 1).decode("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadInput(f"The system prompt in {path} can't be read: {reason}.") from None
    if not text or len(text) > PROMPT_BYTES:
        raise BadInput(f"The system prompt in {path} is {'longer than a megabyte' if text else 'empty'}.")
    # What the file says is meant as it stands; the leading space keeps a text that begins with @ from being a path.
    return "system= " + text.replace("\\", "\\\\")
