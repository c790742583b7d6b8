"""Asks the Hugging Face hub for models by words: only when a person does, and at once an answer when offline."""

from __future__ import annotations

import os
import threading
from dataclasses import asdict, dataclass
from typing import Any

from studio.errors import Offline

SECONDS = 10.0
MOST = 20


@dataclass(frozen=True)
class Found:
    """One repository; `parameters` where the hub knows them."""

    id: str
    parameters: int | None
    downloads: int
    licence: str
    gated: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def offline() -> bool:
    """Whether this machine is told to stay offline."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")


def search(text: str, seconds: float = SECONDS) -> list[Found]:
    """Text models with safetensors whose name fits, the most downloaded first.

    Raises:
        Offline: told to be offline, or no answer in time.
    """
    if offline():
        raise _offline("This machine is told to stay offline (HF_HUB_OFFLINE is set).")
    result: list[list[Found]] = []
    failure: list[Exception] = []

    def work() -> None:
        try:
            result.append(_ask(text))
        except Exception as error:
            failure.append(error)

    # A thread that is left alone: looking up a host in a dead network has no time limit of its own.
    thread = threading.Thread(target=work, name="hub-search", daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        lines = str(failure[0]).strip().splitlines() or [type(failure[0]).__name__]
        raise _offline(f"It gave no usable answer ({lines[0][:160]}).") from failure[0]
    if not result:
        raise _offline(f"It gave no answer within {seconds:.0f} seconds.")
    return result[0]


def _offline(why: str) -> Offline:
    return Offline("The hub can't be searched.", why, "Check the network, or add a model from a folder.")


def _ask(text: str) -> list[Found]:
    from huggingface_hub import HfApi

    found = HfApi().list_models(
        search=text, pipeline_tag="text-generation", filter="safetensors", sort="downloads", limit=MOST,
        expand=["downloads", "gated", "safetensors", "tags"],
    )  # fmt: skip
    return [_found(item) for item in found]


def _found(item: Any) -> Found:
    tags = [str(tag) for tag in item.tags or []]
    licence = next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), "")
    parameters = getattr(item.safetensors, "total", None)
    return Found(str(item.id), parameters, int(item.downloads or 0), licence, bool(item.gated))
