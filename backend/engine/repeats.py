"""Whether an answer goes round in circles, as small models do that were never taught where to end."""

from __future__ import annotations

from collections.abc import Sequence

# The same piece so many times on end, over so many tokens: half of a chat's longest answer. Fewer may well be meant: a
# tag for each word, an empty table, a row of zeros, ten checks that were all passed.
TIMES = 4
LEAST_TOKENS = 128
LONGEST_PIECE = 64


def repeating(tokens: Sequence[int]) -> bool:
    """Whether `tokens` end in one piece said TIMES over, of at most LONGEST_PIECE tokens."""
    for piece in range(1, min(LONGEST_PIECE, len(tokens) // TIMES) + 1):
        if tokens[-1] != tokens[-1 - piece]:
            continue
        end = tokens[-max(LEAST_TOKENS, TIMES * piece) :]
        if len(end) >= LEAST_TOKENS and end[piece:] == end[:-piece]:
            return True
    return False
