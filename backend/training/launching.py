"""How the processes of a training are started: one as it is, several by torch.distributed.run on loopback."""

from __future__ import annotations

import sys
from pathlib import Path

from studio.settings.train import Single, Spread

# Gloo and the rendezvous listen on every interface unless they are told; nothing here is for other machines.
LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
WORKER = "backend.training"


def of(folder: Path, spread: Spread | None) -> tuple[list[str], dict[str, str]]:
    """The command line that trains the run in `folder`, and what its environment needs besides."""
    count = processes(spread)
    if count == 1:
        return [sys.executable, "-m", WORKER, str(folder)], {}
    launcher = ["torch.distributed.run", "--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]
    options = ["--local-addr", "127.0.0.1", "--nproc-per-node", str(count), "--max-restarts", "0"]
    command = [sys.executable, "-m", *launcher, *options, "-m", WORKER, str(folder)]
    return command, {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": LOOPBACK, "TORCH_CPP_LOG_LEVEL": "ERROR"}


def processes(spread: Spread | None) -> int:
    """How many train together."""
    return 1 if spread is None or isinstance(spread, Single) else spread.processes or 1
