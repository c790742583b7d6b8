"""Ask base and tuned the same question, side by side."""

from __future__ import annotations

import argparse
from typing import Any

from studio import runs, work
from studio.commands.frame import Context
from studio.engine_client import EngineClient
from studio.jobs import folder as job_folder
from studio.jobs import local, queue
from studio.settings.answering import ChatSettings, EngineSettings, Generation
from studio.settings.base import check
from studio.settings.flags import add_flags, collect

SIDES = ("base", "tuned")
# Why an answer ended, where it did not by itself.
ENDED = {"length": "(cut off at the longest answer)", "repeats": "(ended, as it began to repeat itself)"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_flags(parser, ChatSettings)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    settings = check(ChatSettings, collect(args, ChatSettings))
    folder = runs.open_run(context.workspace, settings.run)
    runs.weights(folder)
    holder = queue.holder(context.workspace)
    if holder:
        context.terminal.say(
            f"The machine is {work.told(context.workspace, holder).words}, so the answers take longer."
        )
    engine = job_folder.create(
        context.workspace,
        "engine",
        EngineSettings(run=folder.name, device=settings.device, threads=settings.threads).model_dump(mode="json"),
        "chat",
    )
    local.start(engine)
    try:
        client = EngineClient.wait(engine)
        answers = client.pair(messages(settings), settings.model_dump(include=set(Generation.model_fields)))
    finally:
        local.stop(engine)
    keys = ("text", "tokens", "weights", "finish")
    return {"run": folder.name, **{side: {key: answers[side][key] for key in keys} for side in SIDES}}


def messages(settings: ChatSettings) -> list[dict[str, str]]:
    """The conversation that is asked."""
    system = [{"role": "system", "content": settings.system}] if settings.system is not None else []
    return [*system, {"role": "user", "content": settings.prompt}]


def show(result: dict[str, Any]) -> str:
    lines = []
    for side in SIDES:
        ended = ENDED.get(result[side]["finish"])
        lines += [f"{side.capitalize()} ({result[side]['weights']}):", result[side]["text"], *filter(None, [ended]), ""]
    return "\n".join(lines).rstrip()
