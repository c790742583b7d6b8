"""Settings files: what `train --config` reads and the page saves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio import migrate
from studio.errors import BadInput, Broken, NotFound
from studio.files import read_json


def read_config(path: Path) -> dict[str, Any]:
    """The settings in a file: a run's settings.json as it is, or any part of one; `format` may be left out.

    Raises:
        BadInput: it is no settings file of a run.
    """
    if not path.is_file():
        raise NotFound(f"There is no settings file {path}.", "", "Check the path.")
    try:
        data = read_json(path)
    except (Broken, UnicodeDecodeError) as error:
        why = error.why if isinstance(error, Broken) else "It is not UTF-8 text."
        raise BadInput(
            f"{path.name} can't be used as settings.", why, "Give a JSON file such as a settings.json."
        ) from None
    if "format" in data:
        data = migrate.upgrade(data, "settings", path)
    job = data.pop("job", "train")
    if job != "train":
        raise BadInput(
            f"{path.name} holds no settings of a run.",
            f"It belongs to a job of the kind “{job}”.",
            "Take a run's file.",
        )
    # A run's file names every setting; what is empty there means the default.
    return {key: value for key, value in data.items() if value is not None}
