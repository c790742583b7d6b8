"""Every error a user can meet says what happened, why, and what to do next.

StudioError
├── BadInput       a file, a flag or a setting that can't be used as it is
├── NotFound       a name or an id that is not in the workspace
│   └── Missing        an item of the workspace that was deleted, or never was
├── Refused        understood, and not done: it would harm something or is not allowed
├── Busy           another process holds what is needed; trying later may work
├── Broken         a file of the workspace that can't be read
│   └── NewerFormat    written by a newer studio
├── Offline        something outside this machine is needed and out of reach
├── NoRoom         disk or memory ran out
│   └── NoMemory       memory ran out: a ladder of smaller settings stands beside it
└── JobFailed      a job of ours ended as failed; carries the job's own words
"""

from __future__ import annotations

import errno
from typing import Any

MEMORY = "memory"


class StudioError(Exception):
    """An error in words for people.

    Args:
        what: what did not work, one sentence.
        why: the cause as far as it is known, one sentence.
        next: what to do now, one sentence, a command or a button where there is one.
        field: the setting or flag it belongs to, so that a form can show it beside that field.
        settings: the part of the Settings page where it is put right.
    """

    def __init__(
        self,
        what: str,
        why: str = "",
        next: str = "",  # noqa: A002
        *,
        field: str | None = None,
        settings: str = "",
    ) -> None:
        super().__init__(what, why, next)
        self.what = what
        self.why = why
        self.next = next
        self.field = field
        self.settings = settings

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.why, self.next) if part)

    def as_dict(self) -> dict[str, Any]:
        """`what`, `why`, `next`, and `field` and `settings` where there are: for JSON output and for events."""
        more = {"field": self.field, "settings": self.settings}
        words = {"what": self.what, "why": self.why, "next": self.next}
        return words | {name: value for name, value in more.items() if value}


class BadInput(StudioError):
    pass


class NotFound(StudioError):
    pass


class Missing(NotFound):
    """Of which kind and name, and when it was deleted (seconds since 1970) where the trash still has it."""

    def __init__(self, noun: str, kind: str, name: str, deleted: float | None, others: list[str]) -> None:
        there = f"The {noun}s there are: {', '.join(others[:10]) or 'none yet'}."
        if deleted is None:
            super().__init__(
                f"There is no {noun} “{name}”.", "It was deleted for good, or its name is not whole.", there
            )
        else:
            super().__init__(f"The {noun} “{name}” was deleted.", "It is in the trash.", "Restore it from there.")
        self.missing = {"kind": kind, "noun": noun, "name": name, "deleted": deleted}

    def as_dict(self) -> dict[str, Any]:
        """With what is missing, so that a page can offer what helps."""
        return super().as_dict() | {"missing": self.missing}


class Refused(StudioError):
    pass


class Busy(StudioError):
    pass


class Broken(StudioError):
    pass


class NewerFormat(Broken):
    pass


class Offline(StudioError):
    pass


class NoRoom(StudioError):
    pass


class NoMemory(NoRoom):
    def as_dict(self) -> dict[str, Any]:
        """With its cause, so that whoever shows it can offer smaller settings (studio/ladder.py)."""
        return super().as_dict() | {"cause": MEMORY}


class JobFailed(StudioError):
    pass


def explain(error: BaseException) -> StudioError:
    """Any exception as a StudioError: one of ours as it is, the usual ones of the system in plain words."""
    if isinstance(error, StudioError):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoRoom(
            "The disk is full.",
            f"Writing {error.filename or 'a file'} failed with: {error.strerror}.",
            "Free some space (empty the trash, delete old runs) and try again; nothing saved before is harmed.",
            settings="trash",
        )
    if isinstance(error, PermissionError):
        return Refused(
            f"{error.filename or 'A file'} can't be opened.",
            "The system does not allow it for this user.",
            "Change its permissions or choose another place.",
        )
    if isinstance(error, FileNotFoundError):
        return NotFound(f"{error.filename or 'A file'} is not there.", "", "Check the path.")
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return NoMemory(
            "The memory ran out.",
            str(error) or "No more could be had.",
            "Close other programs and try again; a smaller model, batch or cut-off needs less.",
        )
    if isinstance(error, KeyboardInterrupt):
        return StudioError("Interrupted.", "Ctrl+C was pressed.", "Give the command again; finished work is kept.")
    return StudioError(
        "Something went wrong that should not have.",
        f"{type(error).__name__}: {error}",
        "The log beside the job has the details; please report it with them.",
    )
