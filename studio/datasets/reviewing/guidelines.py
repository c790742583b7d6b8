"""What reviewers of a dataset go by: words of their own, the labels to choose from, what answers are rated on.

guidelines.json beside the versions; written whole, refused when somebody wrote another one meanwhile.
"""

from __future__ import annotations

from typing import Annotated, Any

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from studio import migrate
from studio.datasets.browsing.listing import Pending
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.errors import BadInput, Refused
from studio.settings.base import problems

GUIDELINES = "guidelines.json"
MOST_TEXT = 100_000
MOST_NAMES = 100
PATIENCE = 10.0
FEEDBACK = ("true", "false")
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Rule(BaseModel):
    """A row that holds one of these words (in any case) is suggested the label."""

    model_config = ConfigDict(extra="forbid")

    words: list[Name] = Field(min_length=1, max_length=MOST_NAMES)
    label: Name


class Guidelines(BaseModel):
    """The guidelines of one dataset.

    Args:
        text: plain text for people.
        labels: the label set; the first nine have the keys 1 to 9.
        requirements: what an answer is rated on, each from 1 to 5, besides the whole.
        entities: labels for marked spans of text.
        rules: suggestions that need no model.
        revision: how often they were saved; 0 when never.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    text: str = Field("", max_length=MOST_TEXT)
    labels: list[Name] = Field(default_factory=list, max_length=MOST_NAMES)
    requirements: list[Name] = Field(default_factory=list, max_length=MOST_NAMES)
    entities: list[Name] = Field(default_factory=list, max_length=MOST_NAMES)
    rules: list[Rule] = Field(default_factory=list, max_length=MOST_NAMES)
    revision: int = 0

    @field_validator("labels", "requirements", "entities")
    @classmethod
    def _each_once(cls, names: list[str]) -> list[str]:
        return list(dict.fromkeys(names))


def guidelines(dataset: Dataset) -> Guidelines:
    """The guidelines as they were saved; never saved, they have the labels that the rows now have."""
    path = dataset.folder / GUIDELINES
    if path.exists():
        return _checked(migrate.load(path, "guidelines"))
    found = Guidelines.model_validate({})
    if dataset.version_info().get("kind") == "label":
        found.labels = _labels(dataset)
    return found


def _labels(dataset: Dataset) -> list[str]:
    """The labels that rows have with what is pending for them, the most frequent of the version first.

    That order changes with a version only: the keys of the frequent labels stay while somebody reviews.
    """
    log = Reviews(dataset)
    last = log.last()  # before the changes: what was decided between the two is asked for again
    rows = dataset.listing(None, Pending(log.pending(), last))
    there = [label for label, _ in rows.now().frequent("label")]
    kept = set(there)
    known = [label for label, _ in rows.columns().frequent("label") if label in kept]
    return list(dict.fromkeys([*known, *there]))[:MOST_NAMES]


def save(dataset: Dataset, given: dict[str, Any], seen: int) -> Guidelines:
    """Saves other guidelines, and returns them with their new revision.

    Args:
        given: the fields of Guidelines.
        seen: the revision they were made from.

    Raises:
        Refused: somebody saved others since.
    """
    folder = dataset.folder
    with FileLock(folder.parent / f".{folder.name}.guidelines.lock", timeout=PATIENCE, is_singleton=False):
        now = guidelines(dataset)
        if now.revision != seen:
            raise Refused(
                "These guidelines were changed meanwhile.",
                "Somebody saved others since you opened them, and neither is overwritten silently.",
                "Copy what you wrote, open the guidelines again and put it in.",
            )
        made = _checked(given | {"revision": seen + 1})
        migrate.save(folder / GUIDELINES, "guidelines", made.model_dump(mode="json"))
    return made


def _checked(data: dict[str, Any]) -> Guidelines:
    try:
        return Guidelines.model_validate(data)
    except ValidationError as error:
        told = "; ".join(f"{name}: {message}" for name, message in problems(error))
        raise BadInput("These guidelines can't be used.", f"{told}.", "Correct what is named and save again.") from None
