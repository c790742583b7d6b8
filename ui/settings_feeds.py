"""What the Settings page reads and asks for.

GET  /studio/settings                    the workspace's path, network, password, versions
GET  /studio/settings/disk               disk use by kind, counted in the background
GET  /studio/settings/trash              what was deleted
POST /studio/settings/trash/restore      one of it comes back
POST /studio/settings/trash/empty        all of it goes for good
POST /studio/settings/network            offline or not
POST /studio/settings/password           sets, changes or (with none) clears the password for other addresses
GET  /studio/settings/support?job=       what a support bundle would hold; `job` once for each, `none` for no job
GET  /studio/settings/support.zip?job=   the bundle itself
"""

from __future__ import annotations

import functools
import platform
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import APIRouter, Body, Query
from starlette.responses import StreamingResponse

from studio import __version__, preferences, support
from studio.disk import DiskUse
from studio.errors import Refused
from studio.jobs import folder as job_folder
from studio.workspace import KINDS, Workspace
from ui.password import PASSWORD_VARIABLE, SHORTEST, Password, is_loopback

Words = dict[str, Any]
LISTED = ("gradio", "torch", "transformers", "peft", "accelerate", "bitsandbytes", "datasets", "tokenizers", "duckdb",
          "plotly", "pandas", "huggingface-hub")  # fmt: skip
OFFERED_JOBS = 20


def router(workspace: Workspace, host: str, password: Password) -> APIRouter:
    """The routes of one workspace, served on `host`; `password` is the one the guard asks for."""
    api = APIRouter(prefix="/studio/settings")
    disk = DiskUse(workspace)

    @api.get("")
    def settings() -> Words:
        return {
            "workspace": str(workspace.root),
            "offline": preferences.read(workspace).offline,
            "password": _password(host, password),
            "versions": [{"name": name, "version": number} for name, number in _versions()],
        }

    @api.get("/disk")
    def disk_use() -> Words:
        return disk.look()

    @api.get("/trash")
    def trash() -> Words:
        found = _trash(workspace)
        disk.forget(unless_counted={item["key"] for item in found["items"]})
        return found

    @api.post("/trash/restore")
    def restore(key: str = Body(embed=True)) -> Words:
        item = next((item for item in workspace.trashed() if item.key == key), None)
        if item is None or item.folder not in KINDS:
            raise Refused("This is not in the trash any more.", "It was restored or deleted for good.", "")
        path = workspace.restore(item.folder, item.name, item.key)
        disk.forget()
        return {"kind": item.folder, "name": path.name} | _trash(workspace)

    @api.post("/trash/empty")
    def empty() -> Words:
        gone = workspace.empty_trash()
        disk.forget()
        return {"gone": gone} | _trash(workspace)

    @api.post("/network")
    def network(offline: bool = Body(embed=True)) -> Words:
        preferences.write(workspace, preferences.Preferences(offline=offline))
        return {"offline": offline}

    @api.post("/password")
    def change_password(given: str = Body("", alias="password", embed=True)) -> Words:
        if password.from_environment:
            raise Refused(
                "The password is not changed here.",
                f"It comes from the environment variable {PASSWORD_VARIABLE}.",
                "Change it there, and start the studio again.",
            )
        if given:
            password.set(given)
        elif not is_loopback(host):
            raise Refused(
                "The password stays.",
                "The studio is open to other machines now, and would be so without one.",
                "Open it without --host first.",
            )
        else:
            password.clear()
        return _password(host, password)

    @api.get("/support")
    def about_support(job: list[str] | None = Query(None)) -> Words:  # noqa: B008
        mask = support.Mask(workspace)
        listed = support.entries(workspace, _chosen(job))
        files = [{"name": mask(entry.name), "about": entry.about, "bytes": _size(entry, mask)} for entry in listed]
        return {"files": files, "jobs": [_told(workspace, one) for one in support.last_jobs(workspace, OFFERED_JOBS)]}

    @api.get("/support.zip")
    def bundle(job: list[str] | None = Query(None)) -> StreamingResponse:  # noqa: B008
        pieces: Iterator[bytes] = support.zipped(support.entries(workspace, _chosen(job)), support.Mask(workspace))
        name = f"flextune-support-{time.strftime('%Y%m%d-%H%M')}.zip"
        return StreamingResponse(
            pieces, 200, {"Content-Disposition": f'attachment; filename="{name}"'}, "application/zip"
        )

    return api


def _chosen(jobs: list[str] | None) -> list[str] | None:
    return [job for job in jobs if job != "none"] if jobs else None


def _size(entry: support.Entry, mask: support.Mask) -> int:
    return len(support.text_of(entry, mask).encode())


def _told(workspace: Workspace, job: str) -> Words:
    """A job as it is offered for the bundle."""
    kind, _, name = job.partition("/")
    folder = workspace.root / kind / name
    try:
        state, status = job_folder.look(folder)
        return {"job": job, "kind": KINDS[kind], "status": status, "created": state.created}
    except OSError:
        return {"job": job, "kind": KINDS[kind], "status": "broken", "created": None}


def _trash(workspace: Workspace) -> Words:
    """What can be restored, and how many things in the trash can only go."""
    items = workspace.trashed()
    places = [place for place in workspace.trash.iterdir() if place.is_dir()]
    return {
        "items": [
            {"key": item.key, "kind": KINDS.get(item.folder, item.folder), "name": item.name, "deleted": item.deleted}
            for item in items
        ],
        "unreadable": len(places) - len(items),
    }


def _password(host: str, password: Password) -> Words:
    return {
        "set": password.is_set(),
        "from_environment": password.from_environment,
        "variable": PASSWORD_VARIABLE,
        "shortest": SHORTEST,
        "beyond": not is_loopback(host),
        "host": host,
    }


@functools.cache
def _versions() -> list[tuple[str, str]]:
    found = [("FlexTune Studio", __version__), ("Python", platform.python_version())]
    for name in LISTED:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            found.append((name, "not installed"))
    return found
