"""Has the page's process give back what it no longer needs.

Left alone, each thread of the server gets a heap of its own, and what a look at a large dataset took is kept for the
next one: some 100 MB after every tab was opened.
"""

from __future__ import annotations

import ctypes
import sys

# From glibc's malloc.h: how many heaps there may be, and from which size on memory is taken from the system and given
# back to it at once.
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
LARGE = 128 * 1024


def be_thrifty() -> None:
    """Called before there are threads. Other systems' libraries are left as they are."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(M_ARENA_MAX, 1)
            mallopt(M_MMAP_THRESHOLD, LARGE)


def plain_arrow() -> None:
    """Arrow's tables by the same rules; its own pool holds on to what it has once taken."""
    import pyarrow

    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
