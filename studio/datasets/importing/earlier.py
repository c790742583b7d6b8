"""What the imports of a dataset before say to a new one: how the columns were meant, and which reviews go astray."""

from __future__ import annotations

from typing import Any

from studio.datasets.additions import Additions
from studio.datasets.importing.mapping import Mapping
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.datasets.versions.comparing import derived
from studio.wording import count


def last_import(info: dict[str, Any]) -> dict[str, Any] | None:
    """What dataset.json says of the version that was imported last; None where none was, as in a new empty dataset."""
    entries = [entry for entry in info["versions"] if not derived(entry) and entry.get("mapping", {}).get("roles")]
    return dict(max(entries, key=lambda entry: int(entry["version"]))) if entries else None


def choices(info: dict[str, Any]) -> dict[str, Any]:
    """How the columns were meant in the last import, for a form that goes on with it; nothing where there was none."""
    entry = last_import(info)
    if entry is None:
        return {}
    mapping = Mapping.model_validate(entry["mapping"])
    return {
        "version": entry["version"],
        "format": mapping.format,
        "roles": {role: part.model_dump() for role, part in mapping.roles.items()},
        "system": mapping.system,
        "key": mapping.key,
        "split": mapping.split,
        "group_by": entry.get("group_by"),
        "stratify": entry.get("stratify"),
    }


def astray(older: Dataset, made: Dataset, key: str | None) -> list[str]:
    """What is to be said of reviews whose rows a version that is made of its source anew does not have.

    Args:
        made: with the new version alone.
        key: the column that names its rows.
    """
    elsewhere = Additions(older.folder).written()  # of these it is told apart what becomes of them
    reviewed = [row for row, deeds in Reviews(older).log().by_row.items() if deeds and row not in elsewhere]
    lost = int((made.places(None, reviewed) < 0).sum())
    if not lost:
        return []
    said = f"the reviews of {count(lost, 'row')} fit no row of this version"
    before = last_import(older.info)
    named = before["mapping"].get("key") if before else None
    if before and named and named != key:
        return [
            f"{said}, as its rows have other ids: version {before['version']} was imported with the key “{named}”; "
            f'import the file again with that key (--map "key={named}") to have them back'
        ]
    return [
        f"{said}: in the file these rows are changed or gone; the reviews are kept, and count again in a version that "
        "has the rows"
    ]
