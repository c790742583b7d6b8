"""How the processes of a training are started: one as it is, several that know of one another."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from studio import estimate
from studio.gpus import VISIBLE, order
from studio.settings.train import Spread, TrainSettings, processes

WORKER = "backend.training"
# Gloo and NCCL listen on every interface unless they are told; nothing here is for other machines.
LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
# The file by which the processes find one another, new in every life; torch's own way would be an open port.
MEETING = "FLEXTUNE_MEETING"
MEETINGS = ".meeting-*"
# What tells a process which of several it is.
RANKS = ("WORLD_SIZE", "LOCAL_WORLD_SIZE", "RANK", "LOCAL_RANK", MEETING)
OWN_BLOCKS = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20)}


def of(folder: Path, spread: Spread | None) -> tuple[list[str], list[dict[str, str]]]:
    """The command line that trains the run in `folder`, and what the environment of each process needs besides."""
    command, count = [sys.executable, "-m", WORKER, str(folder)], processes(spread)
    if count == 1:
        return command, [{}]
    together = {
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        MEETING: str(folder / MEETINGS.replace("*", secrets.token_hex(8))),
        "GLOO_SOCKET_IFNAME": LOOPBACK,
        "NCCL_SOCKET_IFNAME": LOOPBACK,
        # DeepSpeed looks for MPI without them; nobody listens there.
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29500",
        "OMP_NUM_THREADS": "1",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
    }
    return command, [together | {"RANK": str(index), "LOCAL_RANK": str(index)} for index in range(count)]


def environment(given: dict[str, str]) -> dict[str, str]:
    """That of a process that is started with `given`: a shell or a cluster's ranks around it are not this run's."""
    return {name: value for name, value in os.environ.items() if name not in RANKS} | given


def one_gpu() -> dict[str, str]:
    """What the environment of a process that trains alone needs: of the GPUs it may see it sees the first."""
    return {VISIBLE: os.environ.get(VISIBLE, order() or "0").split(",")[0]}


def allocation(settings: TrainSettings) -> dict[str, str]:
    """What the environment of a process that trains needs for its memory.

    Where memory is short, every large block is one of its own and given back at once. Otherwise glibc puts blocks of
    up to 32 MB into its heap, where what stays leaves holes of what goes: quicker, and with half as much again. It is
    much more with the layers of PEFT that DoRA and QLoRA take, which make many copies. What the user has set stays.
    """
    set_by_user = OWN_BLOCKS.keys() & os.environ.keys()
    return OWN_BLOCKS if estimate.saves_memory(settings) and not set_by_user else {}


def forget_meetings(folder: Path) -> None:
    """Removes the files by which processes that are gone found one another."""
    for meeting in folder.glob(MEETINGS):
        meeting.unlink(missing_ok=True)
