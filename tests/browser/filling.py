"""A studio that is ready to train, and what a person does on the form of the Train page."""

from __future__ import annotations

import json
import shutil

import pytest
from playwright.sync_api import expect

from studio.datasets.importing.steps import import_file
from studio.settings.flags import flags
from studio.settings.importing import ImportSettings
from studio.settings.train import TrainSettings
from studio.workspace import Workspace


def add_rows(workspace: Workspace, name: str, rows: int = 100) -> None:
    source = workspace.root.parent / f"{name}.jsonl"
    lines = [{"prompt": f"Is {number} a number?", "completion": f"yes {number}"} for number in range(rows)]
    source.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    import_file(workspace, ImportSettings(source=str(source), name=name))


@pytest.fixture(scope="module")
def ready(studio_of_file, tiny):
    """The file's studio with a dataset and the tiny model."""
    shutil.copytree(tiny, studio_of_file.workspace.models / "tiny")
    add_rows(studio_of_file.workspace, "questions")
    return studio_of_file


def choose_tiny(page):
    page.locator("[data-slot=model] [data-change]").click()
    page.get_by_role("button", name="Use tiny").click()
    expect(page.locator(".pf-good")).to_be_visible()


def field(page, path):
    return page.locator(f'[data-path="{path}"]')


def typed(page, path):
    """The input of a field, by the label a person reads."""
    title = {".".join(flag.path): str(flag.field.title) for flag in flags(TrainSettings)}[path]
    return page.get_by_role("textbox", name=title, exact=True)
