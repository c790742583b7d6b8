"""studio/settings/models.py: where a model comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import BadInput
from studio.settings.base import check
from studio.settings.models import AddModel


@pytest.mark.parametrize(
    ("source", "repo", "revision", "name"),
    [
        ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B", None, "Qwen3-0.6B"),
        (" org/name@v1.0 ", "org/name", "v1.0", "name"),
        ("org/name@refs/pr/1", "org/name", "refs/pr/1", "name"),
        ("https://huggingface.co/org/name", "org/name", None, "name"),
        ("https://hf.co/org/name/", "org/name", None, "name"),
        ("https://huggingface.co/org/name/tree/dev", "org/name", "dev", "name"),
        ("org/_name_", "org/_name_", None, "name"),
    ],
)
def test_hub_ids_and_pages(source: str, repo: str, revision: str | None, name: str) -> None:
    settings = check(AddModel, {"source": source})
    assert (settings.kind, settings.repo, settings.revision, settings.kept_as) == ("hub", repo, revision, name)


def test_folders_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my model").mkdir()
    monkeypatch.chdir(tmp_path)
    settings = check(AddModel, {"source": "my model"})
    assert (settings.kind, settings.source, settings.kept_as) == ("folder", str(tmp_path / "my model"), "my-model")
    assert check(AddModel, settings.model_dump()) == settings


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"source": "gpt2"}, "owner/name"),
        ({"source": "/nowhere/at/all"}, "there is no folder"),
        ({"source": "./nowhere"}, "there is no folder"),
        ({"source": "a/../b"}, "neither"),
        ({"source": "a/b/c"}, "neither"),
        ({"source": "org/name@../../x"}, "neither"),
        ({"source": "https://example.com/org/name"}, "neither"),
        ({"source": ""}, "at least 1"),
        ({"source": "org/name", "name": "../up"}, "can't be used"),
        ({"source": "org/name", "name": "starter"}, "the starter model alone"),
        ({"source": "org/starter"}, "the starter model alone"),
        ({"source": "starter", "name": "mine"}, "the starter model alone"),
        ({"source": "org/name", "token": "hf_x"}, "no such setting"),
    ],
)
def test_what_can_not_be_is_refused(given: dict[str, str], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        check(AddModel, given)
