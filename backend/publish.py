"""Publishes a version of a dataset on the Hugging Face hub: `python -m backend.publish FOLDER`.

Each side becomes a JSONL file in OpenAI's form, which the hub shows and `datasets` loads; a card stands beside them.
All of it arrives in one commit or not at all. The token comes from HF_TOKEN or the hub's own login, and stays there.
"""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.job import Job, StopRequested, run_job
from studio import preferences
from studio.datasets.rows import compact
from studio.datasets.saving import downloads
from studio.datasets.saving.card import MADE, card
from studio.datasets.splitting.sides import SIDES
from studio.datasets.store import Dataset
from studio.errors import NoRoom, Offline, Refused, StudioError
from studio.settings.base import check
from studio.settings.publishing import PublishSettings

if TYPE_CHECKING:
    from huggingface_hub import HfApi

EVERY = 512
# What the hub answers to the wish for a new repository when there is one, or the token may write but not create.
THERE = (401, 402, 403, 409)


def main(job: Job) -> dict[str, Any]:
    """Writes the files, creates the repository where it is missing, uploads; `finished` has its address."""
    given = {key: value for key, value in job.settings.items() if key != "job"}
    settings = check(PublishSettings, given, "This can't be published.")
    preferences.check_online(job.workspace, f"“{settings.dataset}” can't be published.")
    dataset = Dataset.open(job.workspace, settings.dataset)
    version = dataset.version_info(settings.version)["version"]
    with tempfile.TemporaryDirectory(dir=job.folder, prefix="files-") as place:
        folder = Path(place)
        files = write(job, dataset, version, folder)
        (folder / "README.md").write_text(card(dataset, version, settings.licence, files), encoding="utf-8")
        job.message(f"Uploading {sum(path.stat().st_size for path in folder.rglob('*')) / 1e6:.1f} MB")
        address = upload(settings, folder, version)
    return {"dataset": dataset.name, "version": version, "repo": settings.repo, "address": address}


def write(job: Job, dataset: Dataset, version: int, folder: Path) -> dict[str, str]:
    """The rows of each side that has any as `data/SIDE.jsonl`; the files by side."""
    counts = dataset.counts(version)
    total, done = sum(counts.values()), 0
    files: dict[str, str] = {}
    (folder / "data").mkdir()
    for side in SIDES:
        if not counts[side]:
            continue
        files[side] = f"data/{side}.jsonl"
        with open(folder / files[side], "w", encoding="utf-8") as file:
            for record in downloads.records(dataset.rows(version, side), "messages"):
                file.write(compact(record) + "\n")
                done += 1
                if done % EVERY == 0:
                    job.progress(done, total, "rows", "writing rows")
                    if job.should_stop():
                        raise StopRequested
    return files


def upload(settings: PublishSettings, folder: Path, version: int) -> str:
    """One commit with all files; returns the address of the repository."""
    os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    from huggingface_hub import HfApi

    hub = HfApi()
    try:
        address = _place(hub, settings)
        hub.upload_folder(
            repo_id=settings.repo,
            repo_type="dataset",
            folder_path=folder,
            commit_message=f"Version {version} of {settings.dataset}",
            delete_patterns="data/*.jsonl",
        )
    except Exception as error:
        raise in_words(error, settings.repo) from error
    return address


def _place(hub: HfApi, settings: PublishSettings) -> str:
    """The address of the repository: a new one, or one that is there and may be written to.

    Raises:
        Refused: everybody may see the one that is there, or it holds files of others, and neither was asked for.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return str(hub.create_repo(settings.repo, repo_type="dataset", private=not settings.public, exist_ok=False))
    except HfHubHTTPError as error:
        if error.response.status_code not in THERE:
            raise
        try:
            there = hub.dataset_info(settings.repo)
        except HfHubHTTPError:
            raise error from None
    address = f"{constants.ENDPOINT}/datasets/{settings.repo}"
    if not there.private and not settings.public:
        raise Refused(
            f"{settings.repo} is public: everybody would see what you publish.",
            "It is on the hub already, and publishing there does not make it private.",
            f"Choose another name, make it private at {address}/settings, or say that everybody may see it (--public).",
        )
    names = {item.rfilename for item in there.siblings or []} - {".gitattributes"}
    if names and not settings.replace and not ("README.md" in names and MADE in _readme(settings.repo, there.sha)):
        raise Refused(
            f"{settings.repo} holds files that the studio did not write.",
            f"It has {', '.join(sorted(names)[:3])}{' …' if len(names) > 3 else ''}; publishing replaces its card and "
            "the rows in its folder “data”.",
            "Choose another name, or ask for it with “Replace what is there” (--replace).",
        )
    return address


def _readme(repo: str, revision: str | None) -> str:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    held = io.BytesIO()
    http_get(hf_hub_url(repo, "README.md", repo_type="dataset", revision=revision), held, headers=build_hf_headers())
    return held.getvalue().decode("utf-8", "replace")


def in_words(error: Exception, repo: str) -> StudioError:
    """What the hub or the network said, for people."""
    import httpx2
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    status = error.response.status_code if isinstance(error, HfHubHTTPError) and error.response is not None else 0
    if isinstance(error, OfflineModeIsEnabled):
        return Offline(f"{repo} can't be published.", "HF_HUB_OFFLINE is set.", "Unset it and try again.")
    if isinstance(error, LocalTokenNotFoundError) or status in (401, 403):
        return Refused(
            f"The hub does not let you write to {repo}.",
            "There is no access token, or it may not write there.",
            "Make an access token with the right to write on the hub under Settings, start the studio with it in the "
            "environment as HF_TOKEN, and publish again under your own name.",
        )
    if status == 413 or status == 507:
        return NoRoom(f"The hub has no room for {repo}.", f"It answered {status}.", "Publish fewer rows.")
    if isinstance(error, StudioError):
        return error
    if status or isinstance(error, httpx2.HTTPError | OSError):
        told = str(error).strip().splitlines()
        return Offline(
            f"{repo} can't be published: the hub can't be reached or has a problem.",
            f"{constants.ENDPOINT}: {told[0][:160] if told else type(error).__name__}",
            "Check the network and publish again. No file was changed there; an empty repository may have been made.",
        )
    raise error


if __name__ == "__main__":
    run_job(main)
