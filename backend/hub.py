"""Models from the Hugging Face hub: what a repository holds, and its files, byte by byte, into a folder.

huggingface_hub answers and downloads; since its own download forgets a file it has half (2.4), each file here goes
through a `.part` beside its place, which the next attempt goes on with, also after kill -9.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.errors import (
    OfflineModeIsEnabled,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers

from studio.errors import BadInput, Broken, Offline
from studio.files import inside
from studio.hub import ANSWER_SECONDS, PROBE_SECONDS, in_time, in_words, short
from studio.models.folder import wanted

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

# How much is gathered before it is written: decides how soon a stop is seen and how little a kill costs.
constants.DOWNLOAD_CHUNK_SIZE = 1 << 18
BLOCK = 1 << 22


@dataclass(frozen=True)
class HubFile:
    """One file of a repository; `digest` is its SHA-256 (large files) or its git blob's SHA-1.

    It is kept under the name `kept`, its own when that is "".
    """

    name: str
    size: int
    digest: str
    kept: str = ""

    @property
    def place(self) -> str:
        return self.kept or self.name


@dataclass(frozen=True)
class Listing:
    """What is to be downloaded: `revision` is the commit that the name asked for stands for; kind: model or dataset."""

    repo: str
    revision: str
    files: tuple[HubFile, ...]
    licence: str
    languages: tuple[str, ...]
    kind: str = "model"

    @property
    def again(self) -> str:
        """What to do to have it downloaded once more."""
        return f"Add {self.repo} again" if self.kind == "model" else "Try again"

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
        info = in_time(lambda: _ask(repo, revision))
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


def _ask(repo: str, revision: str | None) -> ModelInfo:
    timeout: Any = httpx2.Timeout(ANSWER_SECONDS, connect=PROBE_SECONDS)
    return HfApi().model_info(repo, revision=revision, timeout=timeout, files_metadata=True)


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

    Raises:
        Refused: a file's name leads out of `folder`.
    """
    before = 0
    checked = False
    for file in sorted(listing.files, key=lambda file: (file.name.endswith(".safetensors"), file.name)):
        if file.name.endswith(".safetensors") and not checked:
            check()
            checked = True
        if not inside(folder, file.place).exists():
            _fetch_file(listing, file, folder, lambda there, base=before, name=file.name: tick(base + there, name))  # type: ignore[misc]
        before += file.size
        tick(before, file.name)


def _fetch_file(listing: Listing, file: HubFile, folder: Path, tick: Callable[[int], None]) -> None:
    target = inside(folder, file.place)
    part = target.with_name(f"{target.name}.part")
    url = hf_hub_url(listing.repo, file.name, revision=listing.revision, repo_type=listing.kind)
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
                raise in_words(error, listing.repo, listing.revision, listing.kind) from error
            except OSError as error:
                if error.errno is not None:  # the disk's, not the hub's
                    raise
                part.unlink()  # http_get: of another length than announced
                raise _damaged(listing, file) from error
    if file.digest and digest(part, file.digest) != file.digest:
        part.unlink()
        raise _damaged(listing, file)
    os.replace(part, target)


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


def _broke_off(listing: Listing, file: HubFile, there: int, error: Exception) -> Offline:
    return Offline(
        f"The connection broke off while {file.name} was fetched.",
        f"{there / 1e6:.0f} of {file.size / 1e6:.0f} MB have arrived ({short(error)}).",
        f"{listing.again}: it goes on where it stopped.",
    )


def _damaged(listing: Listing, file: HubFile) -> Broken:
    return Broken(
        f"{file.name} of {listing.repo} arrived damaged.",
        "Its length or checksum is not the one the hub gives for it.",
        f"{listing.again}: this file is fetched anew, the others are kept.",
    )
