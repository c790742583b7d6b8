"""Names and notes that people give: one that is too long is refused, in words, and never cut.

Names that become folders are checked in files.py.
"""

from __future__ import annotations

from studio.errors import BadInput


def fitting(text: str, longest: int, what: str, field: str = "name") -> str:
    """`text`, when there is room for it.

    Args:
        longest: characters there is room for.
        what: what the text is, to be said (“The name of a version”).

    Raises:
        BadInput: it is longer.
    """
    if len(text) > longest:
        raise BadInput(
            f"{what} is too long.",
            f"It has {len(text):,} characters; there is room for {longest:,}.",
            "Shorten it. Nothing was saved, and nothing is cut off by itself.",
            field=field,
        )
    return text
