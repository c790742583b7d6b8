"""The settings of publishing a dataset on the Hugging Face hub."""

from __future__ import annotations

import re

from pydantic import field_validator

from studio.settings.base import Settings, setting

REPO = re.compile(r"[\w][\w.-]{0,95}/[\w][\w.-]{0,95}", re.ASCII)


class PublishSettings(Settings):
    """Which version goes where, and who may see it."""

    dataset: str = setting(
        title="Dataset", group="Dataset", min_length=1, max_length=64, help="Which dataset is published."
    )  # fmt: skip
    version: int | None = setting(
        None, title="Version", group="Dataset", ge=1, auto="the latest", help="Which of its versions."
    )  # fmt: skip
    repo: str = setting(
        title="Repository", group="Hub", min_length=3, max_length=193,
        help="Where it goes: your name on the hub and a name for the dataset, as in anna/support-desk.",
    )  # fmt: skip
    public: bool = setting(
        False, title="Public", group="Hub",
        help="Everybody may see a new repository; otherwise only you and whom you let in.",
    )  # fmt: skip
    replace: bool = setting(
        False, title="Replace what is there", group="Hub",
        help="Writes over a repository whose files the studio did not write; otherwise that is refused.",
    )  # fmt: skip
    licence: str = setting(
        "", title="Licence", group="Hub", max_length=60, auto="none is stated",
        help="A licence the hub knows, as in cc-by-4.0 or apache-2.0.",
    )  # fmt: skip

    @field_validator("repo")
    @classmethod
    def _a_repo(cls, value: str) -> str:
        value = value.strip().removeprefix("https://huggingface.co/datasets/").rstrip("/")
        if not REPO.fullmatch(value) or ".." in value or "--" in value:
            raise ValueError(f"“{value}” is no name of a repository: it has the form owner/name")
        return value

    @field_validator("licence")
    @classmethod
    def _a_licence(cls, value: str) -> str:
        if value and not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", value):
            raise ValueError(f"“{value}” is no licence of the hub: those are written as in cc-by-4.0")
        return value
