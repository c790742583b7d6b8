"""Names that are too long are refused in words, wherever one is given."""

from __future__ import annotations

import pytest

from studio import runs
from studio.datasets.reviewing import bulk, tagging
from studio.datasets.reviewing.judgements import Eye
from studio.datasets.versions.history import name_version
from studio.errors import BadInput
from studio.files import check_name
from studio.names import fitting
from studio.settings.tagging import TagSettings
from tests.sets import make_set
from ui.dataset_access import listing

LONG = "a" * 5000


def test_a_text_that_fits_is_given_back_as_it_is():
    assert fitting("  Ann ", 6, "The name") == "  Ann "
    with pytest.raises(BadInput) as told:
        fitting("Hanna", 4, "The name of the reviewer", "by")
    assert (told.value.what, told.value.why) == (
        "The name of the reviewer is too long.",
        "It has 5 characters; there is room for 4.",
    )
    assert told.value.field == "by"


@pytest.fixture
def dataset(workspace):
    return make_set(workspace, "set", [{"messages": [{"role": "user", "content": "a"}], "notes": LONG}])


@pytest.mark.parametrize(
    "give",
    [
        lambda dataset, workspace: check_name(LONG, "dataset name"),
        lambda dataset, workspace: name_version(workspace, "set", 1, LONG),
        lambda dataset, workspace: runs.write_note(workspace.runs, LONG, ""),
        lambda dataset, workspace: Eye.of(LONG),
        lambda dataset, workspace: bulk.bulk(
            listing(dataset, None), bulk.only([]), {"type": "tag", "tag": "tone", "value": LONG}
        ),
        lambda dataset, workspace: bulk.bulk(
            listing(dataset, None), bulk.only([]), {"type": "tag", "tag": LONG, "value": "dry"}
        ),
        lambda dataset, workspace: tagging.look(dataset, TagSettings(dataset="set", tag="note", from_column="notes")),
    ],
    ids=["dataset", "version", "run", "reviewer", "value of a tag", "name of a tag", "tag from a column"],
)
def test_five_thousand_characters_are_said_and_not_cut(dataset, workspace, give):
    with pytest.raises(BadInput) as told:
        give(dataset, workspace)
    assert "5,000 characters" in told.value.why and told.value.next and told.value.field
