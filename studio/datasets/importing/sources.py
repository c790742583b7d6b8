"""What a person named to import: one file, several, a folder, or a file that describes others."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.datasets.reading.readers import open_reader
from studio.datasets.reading.records import Reader, Reading, refuse
from studio.errors import BadInput, NotFound

MOST_FILES = 20_000


@dataclass(frozen=True)
class Source:
    """The files of one import.

    Args:
        label: how it is called for people: the file's name, or “mails and 2 more”.
        path: the file or folder, or the first of several files.
        files: of each file its name within the source (with / between folders), and where it lies.
        recipe: the name of the one that describes the others, "" when none does.
    """

    label: str
    path: Path
    files: tuple[tuple[str, Path], ...]
    recipe: str = ""

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(path.stat().st_size for _, path in self.files)

    def at(self, folder: Path) -> Source:
        """The same where its files were copied to."""
        files = tuple((name, folder / name) for name, _ in self.files)
        return Source(self.label, files[0][1] if len(files) == 1 else folder, files, self.recipe)

    def open(self, reading: Reading) -> Reader:
        """Its records. Raises BadInput as `open_reader` does, and for files that don't go together."""
        if self.recipe:
            from studio.datasets.importing.recipes import open_recipe

            return open_recipe(dict(self.files)[self.recipe], reading)
        if len(self.files) == 1 and self.path.is_file():
            return open_reader(self.path, reading)
        from studio.datasets.reading.collection import Collection, Member

        members = [Member(name, path.stat().st_size, path) for name, path in self.files]
        return Collection(Path(self.label), "folder" if self.path.is_dir() else "files", members, reading)


def find(named: list[str], entry: str = "") -> Source:
    """The source that paths stand for.

    Args:
        entry: which dataset, when one of them describes several.

    Raises:
        NotFound: there is no such file.
        BadInput: a folder has no files, or holds a link that leads out of it.
    """
    from studio.datasets.importing.recipes import is_recipe, named_files

    paths = [Path(name) for name in named]
    for path in paths:
        if not path.exists():
            raise NotFound(f"There is no file {path}.", "", "Check the path and the spelling of the name.")
    if len(paths) == 1 and paths[0].is_dir():
        source = _folder(paths[0])
    else:
        files = list(_distinct(paths))
        label = paths[0].name + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
        source = Source(label, paths[0], tuple(files))
    recipe = next((path for name, path in source.files if "/" not in name and is_recipe(path)), None)
    if recipe is None:
        return source
    described = ((name, path) for name, path in named_files(recipe, entry) if path != recipe)
    return Source(source.label, recipe, ((recipe.name, recipe), *described), recipe.name)


def listed(named: list[str]) -> tuple[str, int]:
    """How a source is called, and its bytes, without looking into it; a folder's are those of the files in it."""
    first = Path(named[0])
    label = first.name + (f" and {len(named) - 1} more" if len(named) > 1 else "")
    files = [file for name in named for file in ([Path(name)] if not Path(name).is_dir() else _plain(Path(name)))]
    return label, sum(file.stat().st_size for file in files if file.is_file())


def _plain(root: Path) -> list[Path]:
    found = [Path(place) / name for place, _, names in os.walk(root) for name in names]
    return [path for path in found[:MOST_FILES] if not path.is_symlink()]


def _distinct(paths: list[Path]) -> Iterator[tuple[str, Path]]:
    """Each file with a name of its own; those of folders among them below the folder's name."""
    taken: set[str] = set()
    for path in paths:
        inner = [(f"{path.name}/{name}", file) for name, file in _folder(path).files] if path.is_dir() else None
        for name, file in inner or [(path.name, path)]:
            stem, dot, suffix = name.rpartition(".")
            number = 1
            while name in taken:
                number += 1
                name = f"{stem} ({number}){dot}{suffix}" if dot else f"{suffix} ({number})"
            taken.add(name)
            yield name, file


def _folder(root: Path) -> Source:
    files = sorted(_walk(root))
    if not files:
        raise refuse(root, "There is no file in it.", "Name a folder with files of examples.")
    return Source(root.name, root, tuple(files))


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    """The files of a folder and its subfolders. Hidden ones are passed over; links within it, too."""
    whole = root.resolve()
    count = 0
    for place, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in [*folders, *names]:
            path = Path(place) / name
            if path.is_symlink():
                _check_link(root, whole, path)
            elif name in names and not name.startswith(".") and stat.S_ISREG(path.lstat().st_mode):
                count += 1
                if count > MOST_FILES:
                    raise refuse(root, f"It holds more than {MOST_FILES:,} files.", "Name a smaller folder.")
                yield path.relative_to(root).as_posix(), path


def _check_link(root: Path, whole: Path, path: Path) -> None:
    target = path.resolve()
    if target != whole and whole not in target.parents:
        raise BadInput(
            f"{root.name} can't be imported.",
            f"{path.relative_to(root).as_posix()} in it is a link that leads out of the folder, to {target}.",
            "Copy the file into the folder in place of the link, or remove the link.",
            field="source",
        )
