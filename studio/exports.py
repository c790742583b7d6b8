"""Exports on disk: what there is, what the replay found, the code to use one, and its files as a stream."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio import migrate, runs
from studio.errors import NotFound, Refused, StudioError
from studio.files import disk_use
from studio.jobs import folder as job_folder
from studio.jobs import local
from studio.settings.answering import ExportSettings
from studio.settings.base import check
from studio.workspace import Workspace, broken

PARITY = "parity.json"
DIFFERS = "-differs"
BLOCK = 1 << 20
LARGE = 1 << 31  # bytes from which on a zip needs longer fields


def start(workspace: Workspace, given: dict[str, Any]) -> Path:
    """Starts an export, which needs no device.

    Raises:
        NotFound, Refused: the run is gone, has no weights, or not that form of them.
    """

    settings = check(ExportSettings, given, "This export can't be started.")
    run = runs.open_run(workspace, settings.run)
    weights = runs.weights(run)
    if settings.to == "adapter" and not has_adapter(weights):
        raise Refused(
            f"“{runs.summary(run).title}” has no adapter.",
            "All weights were trained, so there is nothing to put on the base.",
            "Choose “Complete model”.",
            field="to",
        )
    plain = settings.model_copy(update={"run": run.name}).model_dump(mode="json")
    folder = job_folder.create(workspace, "export", plain, settings.to)
    local.start(folder)
    return folder


def has_adapter(weights: Path) -> bool:
    """Whether trained weights are an adapter and no whole model."""
    return (weights / "adapter_config.json").exists()


def list_exports(workspace: Workspace) -> list[dict[str, Any]]:
    """All exports, newest first; one that can't be read has `error` with the reason, and hides no other."""
    return [summary(workspace, workspace.exports / name) for name in reversed(workspace.names("exports"))]


def summary(workspace: Workspace, folder: Path) -> dict[str, Any]:
    """One export: its run, form, status, size, path, and whether it answered as the tuned model did.

    `same` is None before the comparison; `model` is "" while there is no folder to use.
    """
    try:
        settings = job_folder.read_settings(folder)
        state, status = job_folder.look(folder)
        model = model_folder(folder, str(settings.get("to")))
        report = _parity(folder)
        found: dict[str, Any] = {
            "id": folder.name,
            "run": str(settings.get("run") or ""),
            "to": settings.get("to"),
            "status": status,
            "created": state.created,
            "ended": state.ended,
            "error": state.error,
            "model": str(model) if model else "",
            "bytes": disk_use(model) if model else 0,
            "same": report.get("equal"),
            "replayed": len(report.get("rows", [])),
            "agreed": sum(row.get("result") != "different" for row in report.get("rows", [])),
        }
    except (StudioError, OSError, AttributeError, TypeError) as error:
        return {"id": folder.name, "run": "", "status": "broken", "error": broken(error), "run_name": "An export"}
    run = workspace.runs / found["run"]
    named = runs.summary(run).title if found["run"] and run.is_dir() else ""
    return found | {"run_name": named or runs.spoken(found["run"])}


def model_folder(folder: Path, form: str) -> Path | None:
    """The exported model's folder, also where it answered differently and was put aside."""
    for name in (form, f"{form}{DIFFERS}"):
        if (folder / name).is_dir():
            return folder / name
    return None


def _parity(folder: Path) -> dict[str, Any]:
    try:
        return migrate.load(folder / PARITY, "parity")
    except FileNotFoundError:
        return {}


def replayed(folder: Path) -> dict[str, Any]:
    """What was compared: each prompt with the answer expected and the one the exported model gave, as text."""
    report = _parity(folder)
    model = model_folder(folder, str(job_folder.read_settings(folder).get("to")))
    decode = _decoder(model)
    rows = [
        {"result": row["result"], "prompt": row["prompt"], "gap": row.get("gap"), "expected": decode(row["expected"]),
         "got": decode(row["got"])}
        for row in report.get("rows", [])
    ]  # fmt: skip
    return {"equal": report.get("equal"), "tolerance": report.get("tolerance"), "rows": rows}


def _decoder(model: Path | None) -> Any:
    """Tokens as text by the exported tokenizer, or as numbers where there is none."""
    if model is None or not (model / "tokenizer.json").is_file():
        return lambda ids: " ".join(map(str, ids))
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    return lambda ids: tokenizer.decode(list(ids), skip_special_tokens=True)


def snippet(workspace: Workspace, folder: Path) -> str:
    """The code of the export's own card, with the paths of this machine in it; "" when it has no card."""
    settings = job_folder.read_settings(folder)
    model = model_folder(folder, str(settings.get("to")))
    try:
        text = (model / "README.md").read_text(encoding="utf-8") if model else ""
    except OSError:
        return ""
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    if not found:
        return ""
    code = re.sub(r'folder = "\."[^\n]*', lambda _: f"folder = {str(model)!r}", found[1].rstrip())
    base = re.search(r'base = "([^"]*)"', code)
    if base and base[1] in workspace.names("models"):
        path = str(workspace.models / base[1])
        code = re.sub(r'base = "[^"]*"[^\n]*', lambda _: f"base = {path!r}", code)
    return code


# ---- As a file to take away ----


class _Taken:
    """What zipfile writes into: keeps it until it is taken."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.length = 0

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        self.length += len(data)
        return len(data)

    def flush(self) -> None:
        """There is nothing to flush."""

    def tell(self) -> int:
        return self.length

    def take(self) -> bytes:
        data = b"".join(self.parts)
        self.parts.clear()
        return data


def zipped(folder: Path, name: str) -> Iterator[bytes]:
    """A model's folder as a zip file, block by block, stored as it is: weights do not get smaller by packing.

    Args:
        folder: what goes in.
        name: the folder's name in the zip.

    Raises:
        NotFound: there is nothing to take.
    """
    taken = _Taken()
    with zipfile.ZipFile(taken, "w", zipfile.ZIP_STORED, allowZip64=True) as pack:  # type: ignore[call-overload]
        for path, inside in _entries(folder, name):
            with pack.open(inside, "w", force_zip64=inside.file_size >= LARGE) as target, open(path, "rb") as source:
                while block := source.read(BLOCK):
                    target.write(block)
                    yield taken.take()
    yield taken.take()


def zipped_length(folder: Path, name: str) -> int:
    """The bytes that `zipped` gives, without reading the files: zipfile writes all that stands around them."""
    taken = _Taken()
    with zipfile.ZipFile(taken, "w", zipfile.ZIP_STORED, allowZip64=True) as pack:  # type: ignore[call-overload]
        for _, inside in _entries(folder, name):
            length = inside.file_size
            with pack.open(inside, "w", force_zip64=length >= LARGE):
                taken.length += length
            inside.file_size = inside.compress_size = length
    return taken.length


def _entries(folder: Path, name: str) -> list[tuple[Path, zipfile.ZipInfo]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path, zipfile.ZipInfo.from_file(path, f"{name}/{path.relative_to(folder).as_posix()}")) for path in files]


def to_take(folder: Path) -> Path:
    """The model's folder of a finished export; NotFound when there is none."""
    model = model_folder(folder, str(job_folder.read_settings(folder).get("to")))
    if model is None:
        raise NotFound(
            "There is nothing to download.",
            f"This export is {job_folder.status(folder)}.",
            "Wait until it ends, or export the run again.",
        )
    return model
