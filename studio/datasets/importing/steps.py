"""The import, step by step: a file becomes a frozen version of a dataset, or nothing is left of it."""

from __future__ import annotations

import hashlib
import shutil
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.datasets.importing import parting
from studio.datasets.importing.carrying import Carried, dismissed
from studio.datasets.importing.drafts import Drafter
from studio.datasets.importing.earlier import astray
from studio.datasets.importing.formats import take_for
from studio.datasets.importing.intake import Intake
from studio.datasets.importing.mapping import Guess
from studio.datasets.importing.reworded import reworded
from studio.datasets.importing.sources import Source, find
from studio.datasets.importing.standing import UNREADABLE, Standing, standing_of
from studio.datasets.importing.written import Written, written
from studio.datasets.reading.readers import columns_of, sample
from studio.datasets.reading.records import Reader
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.splitting.sides import DEFAULT, SIDES, read_fractions
from studio.datasets.store import Dataset, read_info
from studio.datasets.versions.publishing import Progress, Watch, flush_all, hold, publish
from studio.datasets.versions.writer import VersionWriter
from studio.errors import BadInput, NoRoom, NotFound
from studio.files import check_name
from studio.settings.importing import ImportSettings
from studio.settings.splitting import SHARES
from studio.workspace import Workspace

COPY_BYTES = 4 << 20
SPARE_BYTES = 64 << 20
EVERY = 256


@dataclass(frozen=True)
class Imported:
    """What an import made."""

    name: str
    version: int
    info: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The fields of the command's JSON."""
        keys = ("format", "kind", "rows", "bad_rows", "counts", "reasons", "notes")
        return {"name": self.name, "version": self.version, **{key: self.info[key] for key in keys}}


def import_file(
    workspace: Workspace,
    settings: ImportSettings,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Imported:
    """Imports one source: a file, several, or a folder.

    Args:
        progress: called now and then with bytes done, bytes in all, and what is being done.
        should_stop: asked as often; True ends the import with Stopped.

    Raises:
        BadInput: the source can't be read or recognised, or (BadRows) rows of it can't be used.
        Busy: another import is at work on that name.
        NoRoom: the disk has not enough space.
    """
    watch = Watch(progress, should_stop)
    source = find(settings.source, settings.entry)
    with hold(workspace, check_name(settings.name, "dataset name")) as scratch:
        source.open(settings.reading(scratch))  # what can't be read is refused before it is copied
        folder = workspace.datasets / settings.name
        before = read_info(folder) if folder.exists() else None
        older = _older(folder, before, settings)
        version = 1 + max((entry["version"] for entry in before["versions"]), default=0) if before else 1
        _check_room(source, workspace.datasets, older)
        copy, digest = _copy(source, scratch / "source" / f"{version:04}", watch)
        reader = copy.open(settings.reading(scratch))
        guess = _recognise(reader, source.label, settings)
        _check_kind(guess, older, settings)
        path = scratch / "versions" / f"{version:04}.parquet"
        standing, unread = _standing(folder, before, guess, settings, watch)
        split, seed = (standing.split, standing.seed) if standing else (settings.split, settings.seed)
        made = _fill(reader, source.label, guess, settings, path, watch, older, standing)
        added = Written(0)
        if before and older is None:
            added = written(Dataset(folder, before), path, {guess.mapping.kind})
        entry: dict[str, Any] = {
            "version": version,
            "made": round(time.time(), 3),
            "rows": len(made.sides),
            "counts": {side: made.sides.count(place) for place, side in enumerate(SIDES)},
            "format": guess.format,
            "kind": guess.mapping.kind,
            "reasons": guess.reasons,
            "mapping": guess.mapping.model_dump(exclude_defaults=True),
            "split": split,
            "seed": seed,
            "source": _told(copy, reader.kind, digest, settings),
            "notes": reader.notes + made.notes + unread + added.notes(),
            "bad_rows": made.intake.bad_count,
            "bad": [item.as_dict() for item in made.intake.bad],
        }  # fmt: skip
        if settings.splitting:
            entry |= {"group_by": settings.group_by, "stratify": settings.stratify}
        lost = []
        if before and older is None:
            lost = astray(Dataset(folder, before), Dataset(scratch, {"versions": [entry]}), guess.mapping.key)
        if told := added.notes() + lost:
            entry |= {"written": told, "notes": entry["notes"] + lost}
        checked = None
        if splitting := settings.splitting:
            if standing:
                splitting = splitting.model_copy(update={"shares": split or SHARES, "seed": seed})
            checked = parting.part(scratch, entry, splitting, watch, standing.of_id if standing else None)
        if older is not None:
            about = older.version_info()
            entry |= {"added_to": about["version"], "added": made.intake.rows, "reviews": about.get("reviews", 0)}
            entry |= {name: about[name] for name in ("split", "seed") if name in about}  # of the whole, not of these
        del reader  # and with it what it unpacked
        added.keep(folder)
        if before and older is None:
            _publish_anew(Reviews(Dataset(folder, before)), path, scratch, entry)
        else:
            publish(folder, scratch, entry, before)
        if checked is not None:
            checked.remember(Dataset(folder, read_info(folder)))
    return Imported(settings.name, version, entry)


def _publish_anew(reviews: Reviews, path: Path, scratch: Path, entry: dict[str, Any]) -> None:
    """Publishes a version that begins anew, and nobody reviews meanwhile; before it rows with other words are put back,
    as no acceptance is to stand on words that nobody saw."""
    flush_all(scratch)  # of a large source it takes long, and reviewers are not to wait for it
    with reviews.closed():
        changed = reworded(reviews, path)
        entry["notes"] = entry["notes"] + changed.notes()
        changed.put_back(reviews)
        publish(reviews.dataset.folder, scratch, entry, reviews.dataset.info)


def _older(folder: Path, before: dict[str, Any] | None, settings: ImportSettings) -> Dataset | None:
    """The dataset whose rows the new version begins with, None when it begins anew."""
    if not settings.append:
        return None
    if before is None:
        raise NotFound(
            f"There is no dataset “{settings.name}” to add to.",
            "",
            "Check the name, or leave --append out to make a new dataset.",
            field="name",
        )
    return Dataset(folder, before)


def _standing(
    folder: Path, before: dict[str, Any] | None, guess: Guess, settings: ImportSettings, watch: Watch
) -> tuple[Standing | None, list[str]]:
    """Where the rows of the version before stand and so stay, None where they are given sides anew; and what is to be
    said of it."""
    standing = standing_of(before, settings)
    if before is None or (guess.mapping.split and settings.split is None and not settings.splitting):
        return None, []
    if standing is None:
        drawn = "the sides of all rows are drawn anew, as other shares, groups or another seed are asked for"
        return None, [] if settings.append or not before["versions"] else [drawn]
    try:
        standing.take(Dataset(folder, before), watch)
    except UNREADABLE:
        return None, [f"version {standing.version} can't be read, so the sides of all rows are drawn anew"]
    return standing, _apart(Dataset(folder, before), settings)


def _apart(older: Dataset, settings: ImportSettings) -> list[str]:
    """That new rows may stand elsewhere than those they belong with, where a split before kept them together."""
    from studio.datasets.splitting import leaks  # it brings the search for near-duplicates, which few imports need

    columns = [f"“{name}”" for name in leaks.kept_columns(older) if name != settings.group_by]
    if not columns:
        return []
    return [
        f"a split before kept rows with the same {', '.join(columns)} on one side, and new rows are drawn without; "
        f"check it with launch.py split {settings.name} --check, or import with --group-by"
    ]


def _check_kind(guess: Guess, older: Dataset | None, settings: ImportSettings) -> None:
    kind = older.version_info()["kind"] if older else guess.mapping.kind
    if kind != guess.mapping.kind:
        raise BadInput(
            f"These rows can't be added to “{settings.name}”.",
            f"That has rows of the kind “{kind}”; the source makes rows of the kind “{guess.mapping.kind}”.",
            "Import them under a name of their own, or say with --map what their columns mean.",
            field="append",
        )


def _told(source: Source, kind: str, digest: str, settings: ImportSettings) -> dict[str, Any]:
    """What dataset.json says of a source."""
    told = {
        "file": source.label, "kind": kind, "bytes": source.size, "sha256": digest, "encoding": settings.encoding,
    }  # fmt: skip
    if len(source.files) > 1:
        told |= {"files": len(source.files)}
    return told | ({"origin": settings.origin} if settings.origin else {})


def _check_room(source: Source, place: Path, older: Dataset | None) -> None:
    needed = 2 * source.size + SPARE_BYTES + (2 * older.path().stat().st_size if older else 0)
    free = shutil.disk_usage(place).free
    if free < needed:
        raise NoRoom(
            "The disk has not enough space for this import.",
            f"It needs about {needed / 1e9:.1f} GB; {free / 1e9:.1f} GB are free.",
            "Free some space (empty the trash, delete old runs) and try again.",
        )


def _copy(source: Source, folder: Path, watch: Watch) -> tuple[Source, str]:
    """The source as it came, copied, and its SHA-256 (of several files that of their names and digests)."""
    done, total = 0, source.size
    digests = []
    for name, original in source.files:
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with open(original, "rb") as file, open(copy, "wb") as target:
            while block := file.read(COPY_BYTES):
                watch(done, total, "copying the file" if len(source.files) == 1 else f"copying {name}")
                target.write(block)
                digest.update(block)
                done += len(block)
        digests.append(digest.hexdigest())
    if len(digests) == 1:
        return source.at(folder), digests[0]
    lines = "".join(f"{one}  {name}\n" for one, (name, _) in zip(digests, source.files, strict=True))
    return source.at(folder), hashlib.sha256(lines.encode()).hexdigest()


def _recognise(reader: Reader, label: str, settings: ImportSettings) -> Guess:
    records = sample(reader)
    columns = columns_of(records)
    if not columns:
        problem = next((record for record in reader.records()), None)
        raise BadInput(
            f"{label} has no rows.",
            f"{reader.unit.capitalize()} {problem.line:,}: {problem.problem}." if problem else "It has names at most.",
            "Choose a file with examples, each with named fields.",
            field="source",
        )
    return take_for(reader, columns, records, settings.mapping, settings.read_as)


@dataclass(frozen=True)
class Filled:
    """What was written: the account of the new rows, the side of every row as a place in SIDES, notes."""

    intake: Intake
    sides: array[int]
    notes: list[str]


def _fill(
    reader: Reader,
    label: str,
    guess: Guess,
    settings: ImportSettings,
    path: Path,
    watch: Watch,
    older: Dataset | None,
    standing: Standing | None,
) -> Filled:
    """Reads every record, and writes the version: the rows of an older one first, if it goes on with one."""
    if settings.split is not None or settings.splitting:  # what is asked for wins over a column of the file
        guess.mapping = guess.mapping.model_copy(update={"split": None})
    writer = VersionWriter(path.parent.parent / "rows.arrow")
    try:
        carried = Carried(writer)
        if older is not None:
            carried.take(older, watch)
            carried.ids.dismissed = dismissed(older)
        intake = Intake(
            Drafter(guess.mapping), writer, reader.unit, label,
            ids=carried.ids, again=settings.keep_equal or older is None, standing=standing,
        )  # fmt: skip
        carried.fix(intake.belonging)
        for number, record in enumerate(reader.records()):
            if number % EVERY == 0:
                watch(reader.done, reader.size, "reading rows")
            intake.take(record)
        intake.refuse(label, settings.skip_bad)
        watch(reader.size, reader.size, "drawing the split and writing")
        split, seed = (standing.split, standing.seed) if standing else (settings.split, settings.seed)
        sides = intake.sides(read_fractions(split) if split else dict(DEFAULT), seed)
        sides = carried.sides() + sides
        writer.finish(path, sides)
    finally:
        writer.close()
    return Filled(intake, sides, carried.notes() + intake.notes())
