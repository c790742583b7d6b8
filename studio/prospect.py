"""What a look at a run before its start has found: problems, figures, and the settings with every choice made."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from studio.errors import Refused, StudioError
from studio.ladder import Rung
from studio.settings.train import TrainSettings

# Choices that are made by how much memory is free.
BY_MEMORY = ("tokens_per_pass", "recompute")


@dataclass(frozen=True)
class Problem:
    """One thing a person should know before Start; an error stands in its way."""

    level: Literal["error", "warning"]
    what: str
    why: str = ""
    next: str = ""
    field: str | None = None
    link: tuple[str, str] | None = None  # a page of the studio that helps: its address, and what the link says

    @property
    def text(self) -> str:
        return " ".join(part for part in (self.what, self.why, self.next) if part)


@dataclass
class Preflight:
    """What was found. `settings` has no open choice any more, `reasons` says why each was made.

    `ladder` has the ways to need less memory; it matters where `facts["too_big"]` is true. `doubtful` says that only a
    measurement of both ways can tell whether parts have to be computed twice. `held` says that memory which counts as
    free is held now, and given back before the run starts. `had` is the memory with which a run of these settings ran
    out: the `device` and its `gb`.
    """

    settings: TrainSettings
    problems: list[Problem] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    steps: int | None = None
    ladder: list[Rung] = field(default_factory=list)
    doubtful: bool = False
    held: bool = False
    had: dict[str, Any] | None = None

    @property
    def to_start(self) -> TrainSettings:
        """The settings a run is made of: what was chosen by memory that is held now is open until the run starts."""
        left = [name for name in BY_MEMORY if self.held and name in self.reasons]
        return self.settings.model_copy(update=dict.fromkeys(left))

    @property
    def to_measure(self) -> TrainSettings:
        """The settings a measurement is made of: what only it can tell is open besides."""
        return self.to_start.model_copy(update={"recompute": None}) if self.doubtful else self.to_start

    def take(self, measured: TrainSettings, why: str) -> None:
        """Goes on with settings that were measured, and `why` parts are computed twice in them or not."""
        for name in [name for name in self.reasons if getattr(measured, name) != getattr(self.settings, name)]:
            del self.reasons[name]
        self.settings, self.held = measured, False
        self.reasons |= {"recompute": why} if why else {}

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.level == "error"]

    def refuse_errors(self) -> None:
        """Raises Refused with all errors, in the words of the first when it is the only one."""
        if not self.errors:
            return
        first = self.errors[0]
        if len(self.errors) == 1:
            raise Refused(first.what, first.why, first.next, field=first.field)
        every = " ".join(f"{number}. {problem.text}" for number, problem in enumerate(self.errors, 1))
        raise Refused(
            f"{len(self.errors)} things stand in the way of this run.",
            every,
            "Correct them and start again.",
            field=first.field,
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "problems": [asdict(problem) for problem in self.problems],
            "facts": self.facts,
            "settings": self.settings.plain(),
            "reasons": self.reasons,
            "steps": self.steps,
            "ladder": [rung.as_dict() for rung in self.ladder],
        }

    def add(self, level: Literal["error", "warning"], error: StudioError) -> None:
        self.problems.append(Problem(level, error.what, error.why, error.next, error.field))

    def warn(
        self, what: str, why: str, advice: str, field: str | None = None, link: tuple[str, str] | None = None
    ) -> None:
        self.problems.append(Problem("warning", what, why, advice, field, link))
