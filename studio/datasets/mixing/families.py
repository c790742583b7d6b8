"""Rows that a model wrote, in a merge: those that come from a row which another part holds out are not trained on.

Here a row is meant by its dataset and its id there, as two datasets may give one id to different rows.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from studio.datasets.additions import Additions, descended, parents_of
from studio.datasets.importing.carrying import Carried, Named
from studio.datasets.store import Dataset


class Families:
    """The written rows of some datasets, and what each was written after."""

    def __init__(self, datasets: Sequence[Dataset]) -> None:
        self.parents: dict[Named, list[str]] = {}
        self.written: set[Named] = set()
        self.datasets = [dataset.name for dataset in datasets]
        for dataset in datasets:
            rows = {row.row_id: parents_of(row) for row in dataset.written_by_models()}
            self.written |= {(dataset.name, row) for row in rows}
            for row, after in (Additions(dataset.folder).written() | rows).items():
                self.parents[dataset.name, row] = after

    @property
    def watched(self) -> set[str]:
        """The ids of the rows on whose sides it depends."""
        return {row for _, row in self.parents} | {row for after in self.parents.values() for row in after}

    def orphans(self, carried: Carried) -> dict[int, str]:
        """The numbers, among the rows taken, of those that must not be trained on, and of which dataset each is."""
        noted = carried.noted
        held_out = {name for name, (kin, _) in noted.items() if carried.side(kin)}
        after = {name: list(self._meant(name, noted)) for name in self.parents}
        lost = {noted[name][0] for name in descended(after, held_out) if name in noted}
        rows = {name: noted[name] for name in self.written if name in noted}
        return {
            number: name[0]
            for name, (kin, number) in rows.items()
            if number is not None and (kin in lost or carried.side(kin))
        }

    def _meant(self, name: Named, noted: Container[Named]) -> Iterator[Named]:
        """The parents of a row: those of its own dataset, or what has that id elsewhere."""
        for parent in self.parents[name]:
            own = (name[0], parent)
            if own in self.parents or own in noted:
                yield own
            else:
                yield from ((dataset, parent) for dataset in self.datasets)
