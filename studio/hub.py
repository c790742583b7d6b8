"""What the Hugging Face hub and the network answer, in words for people."""

from __future__ import annotations

import os

os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

import threading
from collections.abc import Callable
from typing import TypeVar

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from studio.errors import NotFound, Offline, Refused, StudioError

PROBE_SECONDS = 3.0
ANSWER_SECONDS = 10.0
T = TypeVar("T")


def in_time(ask: Callable[[], T]) -> T:
    """Runs `ask`, at most ANSWER_SECONDS: looking up a host in a dead network has no time limit of its own."""
    result: list[T] = []
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


def in_words(error: Exception, repo: str, revision: str | None, kind: str = "model") -> StudioError:
    """What the hub or the network said about a repository; `kind` is model or dataset."""
    page = f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{repo}"
    if isinstance(error, OfflineModeIsEnabled):
        return Offline(
            f"{repo} can't be fetched.",
            "This machine is told to stay offline (HF_HUB_OFFLINE is set).",
            f"Unset HF_HUB_OFFLINE, or take the {kind} from a folder.",
        )
    if isinstance(error, GatedRepoError):
        return Refused(
            f"{repo} asks for consent first.",
            "Its makers give it only to people who are signed in on the hub and have agreed to its terms.",
            f"Open {page}, agree there, make an access token under Settings, put it into the environment as HF_TOKEN, "
            "and try again.",
        )
    if isinstance(error, RevisionNotFoundError):
        return NotFound(
            f"{repo} has no revision “{revision}”.",
            f"The hub knows the {kind}, but no branch, tag or commit of that name.",
            f"Leave the revision out for the newest, or see {page}/commits/main.",
        )
    if isinstance(error, DisabledRepoError):
        return Refused(f"{repo} is switched off.", "The hub gives it out no more.", f"Choose another {kind}.")
    if isinstance(error, RepositoryNotFoundError):
        return NotFound(
            f"There is no {kind} {repo} on the hub.",
            f"The name may be misspelt (capital letters count), or the {kind} is private.",
            f"Look at {page}; for a private {kind} put an access token into the environment as HF_TOKEN.",
        )
    if isinstance(error, HfHubHTTPError):
        return _answered(error, repo, kind)
    if isinstance(error, httpx2.HTTPError):
        return Offline(
            f"{repo} can't be fetched: the hub can't be reached.",
            f"{constants.ENDPOINT} gave no answer ({short(error)}).",
            f"Check the network (or the proxy), or take the {kind} from a folder; the starter and what is in the "
            "workspace work without.",
        )
    return error if isinstance(error, StudioError) else _strange(error, repo)


def _answered(error: HfHubHTTPError, repo: str, kind: str) -> StudioError:
    status = error.response.status_code
    if status in (401, 403):
        return Refused(
            f"The hub does not give {repo} to you.",
            f"It answered {status}: the access token is wrong, expired, or has no right to this {kind}.",
            "Make a new access token on the hub with the right to read, and put it into the environment as HF_TOKEN.",
        )
    if status == 429:
        return Offline(
            "The hub asks to slow down.",
            "Too many requests came from this address (answer 429).",
            "Wait some minutes and try again; what was fetched is kept.",
        )
    return Offline(
        f"{repo} can't be fetched: the hub has a problem.",
        f"It answered {status} ({short(error)}).",
        "Try again later; what was fetched is kept.",
    )


def _strange(error: Exception, repo: str) -> StudioError:
    return Offline(
        f"{repo} can't be fetched.",
        f"The answer of {constants.ENDPOINT} makes no sense ({short(error)}); a proxy or firewall may have made it.",
        "Check the network, and try again.",
    )


def short(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:160]}" if lines else type(error).__name__
