"""Settings of an import: a file of examples becomes a version of a dataset."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import field_validator, model_validator

from studio.errors import BadInput
from studio.files import check_name
from studio.settings.base import Settings, setting

if TYPE_CHECKING:
    from studio.datasets.reading.records import Reading
    from studio.settings.splitting import SplitSettings

PROMPT_BYTES = 1 << 20
HUB = "hub:"
HUB_ID = re.compile(r"[\w][\w.-]{0,95}/[\w][\w.-]{0,95}|[\w][\w.-]{0,95}", re.ASCII)
HUB_PAGE = re.compile(r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/datasets/([^/?#]+/[^/?#]+)(?:[/?#].*)?")


def hub_id(name: str) -> str | None:
    """`hub:OWNER/NAME` for a hub dataset's id or the address of its page; None for what is a path."""
    name = name.strip()
    if page := HUB_PAGE.fullmatch(name):
        return HUB + page[1]
    if not name.startswith(HUB):
        return None
    if not HUB_ID.fullmatch(name.removeprefix(HUB)):
        raise ValueError(f"“{name}” is no hub dataset; it has the form hub:OWNER/NAME (hub:tatsu-lab/alpaca)")
    return name


class ImportSettings(Settings):
    """A file of examples becomes rows with ids, in a frozen version of a dataset."""

    source: list[str] = setting(
        title="Files",
        help="What to import: a file (csv, tsv, json, jsonl, parquet, arrow, xlsx, txt, md, html, pdf, docx, pptx, or "
        "a zip of these), several files, a folder, or hub:OWNER/NAME for a dataset of the Hugging Face hub.",
        min_length=1,
    )
    name: str = setting(
        title="Name", help="What the dataset is called; under a name there is already, a new version is made."
    )
    append: bool = setting(
        False,
        title="Add to the dataset",
        help="Adds the rows to those of the dataset of that name, which keep their ids and sides; without it the new "
        "version has the new rows alone.",
        group="Rows",
    )
    keep_equal: bool = setting(
        False,
        title="Keep equal rows",
        help="Takes rows in again that the dataset has already.",
        group="Rows",
        level="advanced",
    )
    split: str | None = setting(
        None,
        title="Split",
        help="Which share of the rows is trained on, which watches over the training, and which is held out.",
        group="Rows",
        auto="the file's split column if it has one; else rows stay on the side they had in the version before, and "
        "new ones fill up its shares, at first train=0.8,validation=0.1,test=0.1",
    )
    group_by: str | None = setting(
        None,
        title="Kept together",
        help="A column, such as a patient or a customer, whose equal values stay on one side; what else would tell "
        "too much, as near-duplicates, does then too, as with launch.py split.",
        group="Rows",
    )
    stratify: str | None = setting(
        None,
        title="In balance",
        help="Every side gets the same shares of each value of this: label, a tag, or a column with few values; rows "
        "are kept together as for --group-by.",
        group="Rows",
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
    entry: str = setting(
        "",
        title="Which dataset",
        help="Which dataset is meant, where the file is LLaMA-Factory's dataset_info.json or an Axolotl configuration "
        "with several.",
        group="File",
        level="advanced",
    )
    config: str = setting(
        "",
        title="Configuration",
        group="Hub",
        auto="the only one, or “default”",
        help="Which configuration (subset) of a hub dataset.",
    )
    hub_split: str = setting(
        "", title="Hub split", group="Hub", help="Which split of a hub dataset; without it all, each on its own side."
    )
    revision: str = setting(
        "", title="Revision", group="Hub", level="advanced",
        help="Which branch, tag or commit of a hub dataset; without it the newest.",
    )  # fmt: skip
    chunk: int = setting(
        4000,
        title="Size of a piece",
        help="How long the rows cut from documents and plain texts are at most; about four characters are a token.",
        group="Documents",
        unit="characters",
        ge=50,
        le=1_000_000,
    )
    overlap: int = setting(
        200,
        title="Overlap",
        help="How much of one piece the next repeats where a long section of a document is cut.",
        group="Documents",
        unit="characters",
        ge=0,
        le=500_000,
    )
    chunk_by: Literal["characters", "words"] = setting(
        "characters",
        title="Counted in",
        help="Whether size and overlap count characters or words.",
        group="Documents",
        level="advanced",
    )
    origin: str = setting(
        "",
        title="Origin",
        help="Where the rows come from, in your words; kept with the version.",
        group="File",
        level="advanced",
        max_length=1000,
    )
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

    @field_validator("source", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        """One path alone may be given as a text."""
        return [value] if isinstance(value, str) else value

    @field_validator("source")
    @classmethod
    def _absolute(cls, value: list[str]) -> list[str]:
        """The worker's working folder is another one; the address of a hub page becomes the id it shows."""
        if any(not name.strip() for name in value):
            raise ValueError("a path is empty")
        found = [hub_id(name) or str(Path(name).expanduser().absolute()) for name in value]
        if len(found) > 1 and any(name.startswith(HUB) for name in found):
            raise ValueError("a dataset of the hub is imported by itself")
        return found

    @model_validator(mode="after")
    def _cut_well(self) -> ImportSettings:
        if self.overlap > self.chunk // 2:
            raise ValueError("the overlap is more than half the size of a piece")
        return self

    @field_validator("group_by", "stratify")
    @classmethod
    def _none_for_empty(cls, value: str | None) -> str | None:
        return (value or "").strip() or None

    @model_validator(mode="after")
    def _splits_anew(self) -> ImportSettings:
        if self.append and self.splitting:
            raise ValueError(
                "the rows that are there keep their sides; add first, then split the dataset anew, on its Split page "
                "or with launch.py split"
            )
        return self

    @property
    def splitting(self) -> SplitSettings | None:
        """How the rows are split where a column is kept together or in balance, None for the usual draw."""
        from studio.settings.splitting import SHARES, SplitSettings

        if not (self.group_by or self.stratify):
            return None
        return SplitSettings(
            dataset=self.name,
            by="group" if self.group_by else "random",
            column=self.group_by,
            stratify=self.stratify,
            shares=self.split or SHARES,
            seed=self.seed,
        )

    @property
    def hub(self) -> str:
        """The hub dataset's id, "" for files."""
        return self.source[0].removeprefix(HUB) if self.source[0].startswith(HUB) else ""

    def reading(self, scratch: Path | None = None) -> Reading:
        """How the source is read."""
        from studio.datasets.reading.records import Cut, Reading

        cut = Cut(self.chunk, self.overlap, self.chunk_by == "words")
        return Reading(self.encoding, cut, self.entry, scratch)

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
        from studio.datasets.splitting.sides import read_fractions

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
        from studio.datasets.importing.mapping import split_role

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
