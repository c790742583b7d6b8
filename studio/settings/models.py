"""The settings of adding a model: where it comes from, and under which name it is kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import field_validator, model_validator

from studio.errors import StudioError
from studio.files import check_name, suggest_name
from studio.settings.base import Settings, setting

STARTER = "starter"
HUB_ID = re.compile(r"(?P<repo>[\w][\w.-]{0,95}/[\w][\w.-]{0,95})(?:@(?P<revision>[\w][\w./-]{0,199}))?", re.ASCII)
HUB_PAGE = re.compile(r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/([^/]+/[^/?#]+)(?:/tree/([^?#]+?))?/?(?:[?#].*)?")


class AddModel(Settings):
    """One model to add to the workspace."""

    source: str = setting(
        title="Source", group="Model", min_length=1, max_length=4096,
        help="“starter”, a folder with a model, or a hub id such as HuggingFaceTB/SmolLM2-360M-Instruct "
        "(with @revision for a certain version).",
    )  # fmt: skip
    name: str = setting(
        "", title="Name", group="Model", max_length=64, auto="the last part of the folder or hub id",
        help="Under which name the model is kept in the workspace.",
    )  # fmt: skip

    @field_validator("source")
    @classmethod
    def _known_source(cls, value: str) -> str:
        """Folders become absolute, as a job runs elsewhere; the address of a hub page becomes the id it shows."""
        value = value.strip()
        if page := HUB_PAGE.fullmatch(value):
            value = page[1] + (f"@{page[2]}" if page[2] else "")
        folder = Path(value).expanduser()
        if value == STARTER:
            return value
        if folder.is_dir():
            return str(folder.absolute())
        if value.startswith(("/", ".", "~", "\\")) or re.match(r"[A-Za-z]:[\\/]", value):
            raise ValueError(f"there is no folder {folder.absolute()}")
        if HUB_ID.fullmatch(value) and ".." not in value:
            return value
        raise ValueError(
            f"“{value}” is neither “starter”, nor a folder that exists, nor a hub id, which has the form owner/name "
            "(HuggingFaceTB/SmolLM2-360M-Instruct)"
        )

    @model_validator(mode="after")
    def _allowed_name(self) -> AddModel:
        try:
            check_name(self.kept_as, "model name")
        except StudioError as error:
            raise ValueError(f"{error.what} {error.why} {error.next}") from None
        if (self.kept_as == STARTER) != (self.kind == "starter"):
            raise ValueError("the name “starter” is for the starter model alone, so that it means one set of weights")
        return self

    @property
    def kind(self) -> Literal["starter", "folder", "hub"]:
        if self.source == STARTER:
            return "starter"
        return "folder" if Path(self.source).is_absolute() else "hub"

    @property
    def repo(self) -> str:
        """The hub id without its revision."""
        return self.source.partition("@")[0]

    @property
    def revision(self) -> str | None:
        """The branch, tag or commit asked for, None for the newest."""
        return self.source.partition("@")[2] or None

    @property
    def kept_as(self) -> str:
        """The name in the workspace."""
        if self.name or self.kind == "starter":
            return self.name or STARTER
        place = Path(self.source).name if self.kind == "folder" else self.repo.split("/")[1]
        return suggest_name(place, "model")
