"""The heavy libraries, imported faster.

    with heavy_imports():
        import torch

Torch, Transformers, PEFT and Gradio make hundreds of thousands of objects that live as long as their process. Python
looks through all of them for garbage again and again while they are made, and finds none: measured on two cores, a
third of the time a worker needs until its libraries are there (4.7 s against 3.3 s; 2.7 s without bitsandbytes).
"""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heavy_imports() -> Iterator[None]:
    """What is imported within is not looked through for garbage, now or later (`gc.freeze`)."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        atexit.register(gc.unfreeze)  # libraries that look for leaks when Python ends find what is frozen
        if enabled:
            gc.enable()


def do_without_bitsandbytes() -> None:
    """As if it were not installed, for all of this process: what workers begin with that have no use for it.

    PEFT imports it wherever it finds it, and it brings PyTorch's compiler along and looks for kernels to fetch.
    """
    sys.modules["bitsandbytes"] = None  # type: ignore[assignment]
