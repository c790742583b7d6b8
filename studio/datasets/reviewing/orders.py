"""In which order rows come to a reviewer: as they came, the shortest, or those a run found hardest, first.

A run's `rows.parquet` has the loss of each row in each pass. Two orders are read from it:

    loss        the mean loss of a token in the last pass that saw the row, the highest first: what was never learned
    uncertain   how much the probability of a token (exp -loss) varied between passes, the most first: the “ambiguous”
                rows of Swayamdipta et al. 2020, “Dataset Cartography”
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

from studio import runs
from studio.datasets.store import Dataset, connect
from studio.errors import NotFound, Refused
from studio.workspace import Workspace

Order = Literal["file", "shortest", "loss", "uncertain", "disagreement"]
ORDERS = get_args(Order)
OF_A_RUN = ("loss", "uncertain")
LOSSES = "rows.parquet"
LEAST_PASSES = 2
SQL = {
    "loss": "SELECT row_id FROM (SELECT row_id, arg_max(loss, step) AS worth FROM read_parquet(?) GROUP BY row_id) "
    "WHERE NOT isnan(worth) ORDER BY worth DESC, row_id",
    "uncertain": "SELECT row_id FROM (SELECT row_id, stddev_pop(exp(-loss)) AS worth, count(*) AS n "
    f"FROM read_parquet(?) WHERE NOT isnan(loss) GROUP BY row_id) WHERE n >= {LEAST_PASSES} "
    "ORDER BY worth DESC, row_id",
}


def in_file(dataset: Dataset) -> tuple[str, ...]:
    """The ids of the latest version's rows, in the file's order."""
    sql = "SELECT row_id FROM read_parquet(?, file_row_number = true) ORDER BY file_row_number"
    return tuple(_first(dataset.path(), sql))


def shortest(dataset: Dataset) -> list[str]:
    """The same, rows with the fewest characters first."""
    columns = ("messages", "chosen", "rejected", "label", "text")
    length = " + ".join(f"coalesce(length({column}), 0)" for column in columns)
    sql = f"SELECT row_id FROM read_parquet(?, file_row_number = true) ORDER BY {length}, file_row_number"
    return _first(dataset.path(), sql)


def by_run(workspace: Workspace, name: str, run: str) -> list[str]:
    """Row ids as a run ranks them; rows it did not train on are not among them.

    Raises:
        NotFound: the run is not there, or left no losses.
        Refused: it saw no row twice, so nothing can have varied.
    """
    path = runs.open_run(workspace, run) / LOSSES
    if not path.is_file():
        raise NotFound(
            f"Run {run} has no losses of rows.",
            "They are written when a run finishes.",
            "Choose a finished run, or another order.",
            field="run",
        )
    found = _first(path, SQL[name])
    if not found and name == "uncertain":
        raise Refused(
            "This run can't say what it was uncertain of.",
            "It made one pass over the rows, and uncertainty is how much a row varied between passes.",
            "Choose a run with two passes or more, or order by its loss.",
            field="run",
        )
    return found


def runs_with_losses(workspace: Workspace, dataset: str) -> list[dict[str, str]]:
    """The runs on this dataset that can order its rows, newest first: `id` and `name`."""
    found = []
    for name in reversed(workspace.names("runs")):
        folder = workspace.runs / name
        if (folder / LOSSES).is_file():
            told = runs.summary(folder)
            if told.dataset == dataset:
                found.append({"id": name, "name": told.title})
    return found


def _first(path: Path, sql: str) -> list[Any]:
    with connect() as connection:
        return [value for (value,) in connection.execute(sql, [str(path)]).fetchall()]
