"""Models from the Hugging Face hub: what a repository holds, and its files, byte by byte, into a folder.

huggingface_hub answers and downloads; since its own download forgets a file it has half (2.4), each file here goes
through a `.part` beside its place, which the next attempt goes on with, also after kill -9.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers

from studio.errors import BadInput, Broken, NotFound, Offline, Refused, StudioError
from studio.models.folder import wanted

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo, RepoSibling

# How much is gathered before it is written: decides how soon a stop is seen and how little a kill costs.
constants.DOWNLOAD_CHUNK_SIZE = 1 << 18
PROBE_SECONDS = 3.0
ANSWER_SECONDS = 10.0
BLOCK = 1 << 22


@dataclass(frozen=True)
class HubFile:
    """One file of a repository; `digest` is its SHA-256 (large files) or its git blob's SHA-1."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True)
class Listing:
    """What is to be downloaded: `revision` is the commit that the name asked for stands for."""

    repo: str
    revision: str
    files: tuple[HubFile, ...]
    licence: str
    languages: tuple[str, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def look_up(repo: str, revision: str | None) -> Listing:
    """Asks the hub what a repository holds.

    Raises:
        Offline: no answer within PROBE_SECONDS of trying to connect.
        NotFound, Refused: no such repository or revision; it is gated, private or switched off.
        BadInput: it holds no safetensors.
    """
    try:
        info = _in_time(lambda: _ask(repo, revision))
    except Exception as error:
        raise in_words(error, repo, revision) from error
    siblings = {item.rfilename: item for item in info.siblings or []}
    names = wanted(list(siblings))
    if not any(name.endswith(".safetensors") for name in names):
        raise _without_safetensors(repo, list(siblings))
    files = tuple(
        HubFile(
            name, siblings[name].size or 0, lfs.sha256 if (lfs := siblings[name].lfs) else siblings[name].blob_id or ""
        )
        for name in names
    )
    card: Any = info.card_data or {}
    spoken = card.get("language") or []
    return Listing(
        repo=repo,
        revision=str(info.sha),
        files=files,
        licence=str(card.get("license_name") or card.get("license") or ""),
        languages=tuple([spoken] if isinstance(spoken, str) else map(str, spoken)),
    )


def _file(item: RepoSibling) -> HubFile:
    return HubFile(item.rfilename, item.size or 0, item.lfs.sha256 if item.lfs else item.blob_id or "")


def _ask(repo: str, revision: str | None) -> ModelInfo:
    timeout: Any = httpx2.Timeout(ANSWER_SECONDS, connect=PROBE_SECONDS)
    return HfApi().model_info(repo, revision=revision, timeout=timeout, files_metadata=True)


def _in_time(ask: Callable[[], ModelInfo]) -> ModelInfo:
    """Runs `ask`, at most ANSWER_SECONDS: looking up a host in a dead network has no time limit of its own."""
    result: list[ModelInfo] = []
    failure: list[Exception] = []

    def work() -> None:
        try:
            result.append(ask())
        except Exception as error:
            failure.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS)
    if failure:
        raise failure[0]
    if not result:
        raise httpx2.ConnectTimeout(f"no answer within {ANSWER_SECONDS:.0f} seconds")
    return result[0]


def _without_safetensors(repo: str, names: list[str]) -> BadInput:
    pickles = [name for name in names if name.endswith((".bin", ".pt", ".pth"))]
    gguf = [name for name in names if name.endswith(".gguf")]
    if pickles:
        why = f"It has {pickles[0]}: a Python pickle, which can run any code when it is opened."
    elif gguf:
        why = "It has GGUF files, which are made for running a model, not for training it."
    else:
        why = "It has no file of weights in a form the studio opens."
    return BadInput(
        f"{repo} has no safetensors.",
        why,
        "Look for the same model with .safetensors files; “models” lists some that work.",
    )


class Stream:
    """A file that tells how many bytes were written to it in all; what `tell` raises ends the download."""

    def __init__(self, file: BinaryIO, tell: Callable[[int], None]) -> None:
        self.file = file
        self.say = tell

    def write(self, data: bytes) -> int:
        written = self.file.write(data)
        self.say(self.file.tell())
        return written

    def tell(self) -> int:
        return self.file.tell()

    def seek(self, place: int) -> int:
        return self.file.seek(place)

    def truncate(self) -> int:
        return self.file.truncate()


def fetch(listing: Listing, folder: Path, tick: Callable[[int, str], None], check: Callable[[], None]) -> None:
    """Downloads every file of `listing` into `folder`; what is there whole or in part is gone on with.

    Args:
        tick: called with (bytes there, of all files; name of the file); what it raises ends the download.
        check: called once all but the weights are there: what is wrong shows before gigabytes are fetched.
    """
    before = 0
    checked = False
    for file in sorted(listing.files, key=lambda file: (file.name.endswith(".safetensors"), file.name)):
        if file.name.endswith(".safetensors") and not checked:
            check()
            checked = True
        if not (folder / file.name).exists():
            _fetch_file(listing, file, folder, lambda there, base=before, name=file.name: tick(base + there, name))  # type: ignore[misc]
        before += file.size
        tick(before, file.name)


def _fetch_file(listing: Listing, file: HubFile, folder: Path, tick: Callable[[int], None]) -> None:
    part = folder / f"{file.name}.part"
    url = hf_hub_url(listing.repo, file.name, revision=listing.revision)
    with open(part, "ab") as stream:
        if stream.tell() > file.size:
            stream.truncate(0)
        while True:
            start = stream.seek(0, os.SEEK_END)
            try:
                http_get(
                    url,
                    Stream(stream, tick),  # type: ignore[arg-type]
                    resume_size=start,
                    headers=build_hf_headers(),
                    expected_size=file.size,
                    displayed_filename=file.name,
                )
                break
            except httpx2.TransportError as error:
                stream.flush()
                there = stream.seek(0, os.SEEK_END)
                if isinstance(error, httpx2.ReadError) and there > start:  # the one kind http_get does not retry
                    continue
                raise _broke_off(listing, file, there, error) from error
            except (httpx2.HTTPError, OfflineModeIsEnabled) as error:
                raise in_words(error, listing.repo, listing.revision) from error
            except OSError as error:
                if error.errno is not None:  # the disk's, not the hub's
                    raise
                part.unlink()  # http_get: of another length than announced
                raise _damaged(listing, file) from error
    if file.digest and digest(part, file.digest) != file.digest:
        part.unlink()
        raise _damaged(listing, file)
    os.replace(part, folder / file.name)


def digest(path: Path, like: str) -> str:
    """The file's checksum in the form of `like`: SHA-256 (64 digits), or git's SHA-1 of a blob (40)."""
    if len(like) == 64:
        checksum = hashlib.sha256()
    else:
        checksum = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with open(path, "rb") as stream:
        while block := stream.read(BLOCK):
            checksum.update(block)
    return checksum.hexdigest()


def in_words(error: Exception, repo: str, revision: str | None) -> StudioError:
    """What the hub or the network said, for people."""
    page = f"{constants.ENDPOINT}/{repo}"
    if isinstance(error, OfflineModeIsEnabled):
        return Offline(
            f"{repo} can't be fetched.",
            "This machine is told to stay offline (HF_HUB_OFFLINE is set).",
            "Unset HF_HUB_OFFLINE, or add the model from a folder.",
        )
    if isinstance(error, GatedRepoError):
        return Refused(
            f"{repo} asks for consent first.",
            "Its makers give it only to people who are signed in on the hub and have agreed to its terms.",
            f"Open {page}, agree there, make an access token under Settings, put it into the environment as HF_TOKEN, "
            "and add the model again.",
        )
    if isinstance(error, RevisionNotFoundError):
        return NotFound(
            f"{repo} has no revision “{revision}”.",
            "The hub knows the model, but no branch, tag or commit of that name.",
            f"Leave out @{revision} for the newest, or see {page}/commits/main.",
        )
    if isinstance(error, DisabledRepoError):
        return Refused(f"{repo} is switched off.", "The hub gives it out no more.", "Choose another model.")
    if isinstance(error, RepositoryNotFoundError):
        return NotFound(
            f"There is no model {repo} on the hub.",
            "The name may be misspelt (capital letters count), or the model is private.",
            f"Look at {page}; for a private model put an access token into the environment as HF_TOKEN.",
        )
    if isinstance(error, HfHubHTTPError):
        return _answered(error, repo)
    if isinstance(error, httpx2.HTTPError):
        return Offline(
            f"{repo} can't be fetched: the hub can't be reached.",
            f"{constants.ENDPOINT} gave no answer ({_short(error)}).",
            "Check the network (or the proxy), or add the model from a folder; the starter and what is in the "
            "workspace work without.",
        )
    return error if isinstance(error, StudioError) else _strange(error, repo)


def _answered(error: HfHubHTTPError, repo: str) -> StudioError:
    status = error.response.status_code
    if status in (401, 403):
        return Refused(
            f"The hub does not give {repo} to you.",
            f"It answered {status}: the access token is wrong, expired, or has no right to this model.",
            "Make a new access token on the hub with the right to read, and put it into the environment as HF_TOKEN.",
        )
    if status == 429:
        return Offline(
            "The hub asks to slow down.",
            "Too many requests came from this address (answer 429).",
            "Wait some minutes and add the model again; what was fetched is kept.",
        )
    return Offline(
        f"{repo} can't be fetched: the hub has a problem.",
        f"It answered {status} ({_short(error)}).",
        "Try again later; what was fetched is kept.",
    )


def _broke_off(listing: Listing, file: HubFile, there: int, error: Exception) -> Offline:
    return Offline(
        f"The connection broke off while {file.name} was fetched.",
        f"{there / 1e6:.0f} of {file.size / 1e6:.0f} MB have arrived ({_short(error)}).",
        f"Add {listing.repo} again: it goes on where it stopped.",
    )


def _damaged(listing: Listing, file: HubFile) -> Broken:
    return Broken(
        f"{file.name} of {listing.repo} arrived damaged.",
        "Its length or checksum is not the one the hub gives for it.",
        f"Add {listing.repo} again: this file is fetched anew, the others are kept.",
    )


def _strange(error: Exception, repo: str) -> StudioError:
    return Offline(
        f"{repo} can't be fetched.",
        f"The answer of {constants.ENDPOINT} makes no sense ({_short(error)}); a proxy or firewall may have made it.",
        "Check the network, and add the model again.",
    )


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:160]}" if lines else type(error).__name__
