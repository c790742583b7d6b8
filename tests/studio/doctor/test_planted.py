"""The doctor finds what was planted in a generated set, and hardly anything else."""

from __future__ import annotations

import pytest

from studio.workspace import Workspace
from tests.studio.doctor.planted import alike, found_in, grow, imported, table

LEAST = 0.95


@pytest.fixture(scope="module")
def examined(tmp_path_factory):
    planted = grow(1500, 25, seed=3)
    dataset = imported(Workspace.open(tmp_path_factory.mktemp("planted") / "workspace"), planted)
    found, seconds = found_in(dataset, planted)
    print(f"\n{table(planted, found)}\n{len(planted.rows):,} rows in {seconds:.1f} s")
    return planted, found


KINDS = (
    "duplicates", "near_duplicates", "contradictions", "leaks", "emails", "phones", "cards", "ibans", "ip_addresses",
    "national_ids", "refusals", "echoes", "special_tokens", "encoding", "lost_letters", "languages",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_precision_and_recall(examined, kind):
    planted, found = examined
    precision, recall = alike(planted, kind, found[kind])
    print(f"{kind}: precision {precision:.3f}, recall {recall:.3f}")
    assert precision >= LEAST and recall >= LEAST


def test_every_planted_kind_is_measured(examined):
    planted, found = examined
    assert {kind for kind, rows in planted.truth.items() if rows} == set(KINDS)
    assert set(found) - set(KINDS) <= {"too_few", "openings", "alike"}
