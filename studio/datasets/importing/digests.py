"""Digests in flat memory: which of millions were met before, for some 20 bytes each where a dict takes 200."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np

FIRST = 1 << 10  # places of an empty table
BLOCK = 1 << 16  # digests put into a larger table in one go


class Digests:
    """Distinct digests of one width, numbered from 0 as they come.

    They stand one behind the other in a block of bytes. A table of their numbers finds them: a digest's own bytes say
    at which place to begin to look, and where another one has that place the next is its (open addressing with linear
    probing, Knuth 6.4). It doubles when it is two thirds full.

    Args:
        width: bytes of a digest, eight at least.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.block = bytearray()
        self.count = 0
        self.table = array("I", [0]) * FIRST  # numbers from 1, 0 for a place that is free

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[bytes]:
        return self.since(0)

    def since(self, number: int) -> Iterator[bytes]:
        """Those with this number and higher ones, in order."""
        for at in range(number * self.width, self.count * self.width, self.width):
            yield bytes(self.block[at : at + self.width])

    def find(self, digest: bytes) -> int:
        """Its number, -1 for one that did not come yet."""
        return self.table[self._place(digest)] - 1

    def add(self, digest: bytes) -> int:
        """Its number, the next one where it comes for the first time."""
        place = self._place(digest)
        number = self.table[place]
        if number:
            return number - 1
        self.block += digest
        self.count += 1
        self.table[place] = self.count
        if 3 * self.count >= 2 * len(self.table):
            self._grow()
        return self.count - 1

    def _place(self, digest: bytes) -> int:
        """Where in the table it stands, or would."""
        table, block, width = self.table, self.block, self.width
        mask = len(table) - 1
        place = int.from_bytes(digest[:8], "little") & mask
        while (number := table[place]) and block[(number - 1) * width : number * width] != digest:
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        size = 2 * len(self.table)
        self.table = array("I")  # the old one goes first: its numbers follow from the block
        self.table = array("I", [0]) * size
        table = np.frombuffer(self.table, np.uint32)
        stored = np.frombuffer(self.block, np.uint8).reshape(-1, self.width)
        for start in range(0, self.count, BLOCK):
            starts = np.ascontiguousarray(stored[start : start + BLOCK, :8]).view("<u8")[:, 0]
            numbers = np.arange(start + 1, start + 1 + len(starts), dtype=np.uint32)
            places = (starts & np.uint64(size - 1)).astype(np.intp)
            while len(numbers):
                free = table[places] == 0
                table[places[free]] = numbers[free]
                left = table[places] != numbers  # another one has that place: on to the next
                numbers, places = numbers[left], (places[left] + 1) & (size - 1)
