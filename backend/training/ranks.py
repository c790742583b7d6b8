"""The processes that train together. Alone, everything here does nothing and costs nothing.

Each update's rows are divided over the processes; a process makes the gradient of its rows, weighted by the learned
tokens of the whole update, so that the sum over all is the gradient one process would have had. With ddp that sum is
taken here, once an update, because the shares may differ in their number of passes; FSDP and DeepSpeed take theirs
inside each pass.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from backend.training.launching import MEETING
from studio.settings.train import Sharded, Spread

T = TypeVar("T")
# One process measures and writes while the others wait; whether it still lives the keeper knows better than a clock.
PATIENCE = timedelta(days=2)
# Processes started together have loaded their libraries and found one another by then.
MEETING_PATIENCE = timedelta(minutes=10)


class Ranks:
    """This process among those of its run.

    Attributes:
        index, count: which one this is, from 0, and how many there are.
        sharded: whether the model's weights are divided over them (FSDP, DeepSpeed), so that each forward pass needs
            all of them at once.
    """

    def __init__(self, spread: Spread | None = None, device: str = "cpu") -> None:
        self.index, self.count = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        self.sharded = self.count > 1 and isinstance(spread, Sharded)
        if self.count == 1:
            return
        if device == "cuda":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        if not dist.is_initialized():
            self._meet("nccl" if device == "cuda" else "gloo")
        self._talk = dist.new_group(backend="gloo", timeout=PATIENCE)

    def _meet(self, backend: str) -> None:
        """By a file: torch's other ways listen on every interface and run what anybody sends."""
        store = dist.FileStore(os.environ[MEETING], self.count)
        store.set_timeout(MEETING_PATIENCE)
        dist.init_process_group(backend, store=store, rank=self.index, world_size=self.count, timeout=PATIENCE)

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.index == 0

    @property
    def scale(self) -> int:
        """What losses are multiplied with where the library means gradients over the processes instead of summing."""
        return self.count if self.sharded else 1

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            dist.barrier(group=self._talk)

    def gather(self, mine: T) -> list[T]:
        """Everybody's, in their order, for everybody."""
        if self.count == 1:
            return [mine]
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, mine, group=self._talk)
        return found

    def agree(self, mine: T) -> T:
        """The first one's, for everybody."""
        if self.count == 1:
            return mine
        told = [mine]
        dist.broadcast_object_list(told, src=0, group=self._talk)
        return told[0]

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """The others do the same once the first is done with it, and find what it left on the disk."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    def sum_gradients(self, model: torch.nn.Module) -> None:
        """Adds up the gradients of all processes, those of all weights in one message for each format."""
        if self.count == 1 or self.sharded:
            return
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        for weight in weights:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        for kind in sorted({weight.dtype for weight in weights}, key=str):
            slopes = [weight.grad for weight in weights if weight.dtype == kind and weight.grad is not None]
            line = torch._utils._flatten_dense_tensors(slopes)
            dist.all_reduce(line)
            for slope, summed in zip(slopes, torch._utils._unflatten_dense_tensors(line, slopes), strict=True):
                slope.copy_(summed)

    def write(self, save: Callable[[Callable[[Path], None]], Path], own: Callable[[Path], None]) -> Path:
        """A folder that all write into and the first one makes whole.

        Args:
            save: makes the folder, calls what it is given with its path while it is not whole yet, and ends it.
            own: puts this process's files into it.
        """
        if self.count == 1:
            return save(own)

        def together(folder: Path | None) -> None:
            place = self.agree(folder)
            assert place is not None
            own(place)
            self.wait()

        if self.first:
            return self.agree(save(together))
        together(None)
        return self.agree(Path())
