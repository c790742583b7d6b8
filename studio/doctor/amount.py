"""Whether there are enough rows for the goal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from studio.doctor.findings import Found
from studio.doctor.reading import Reading
from studio.wording import count

Goal = Literal["auto", "task", "instructions"]
# What the field goes by: a narrow task from 500 rows on, following instructions of all kinds from 2,000 on.
WANTED = {"task": (500, 5_000), "instructions": (2_000, 10_000)}
WORDS = {"task": "one task", "instructions": "following instructions of all kinds"}
MANY = 0.5  # of different system prompts and first words of the prompts: above, the set is no single task
NOT_ONE_TASK = 1_000


class Amount:
    """Counts the rows to train on, and whether they look like one task."""

    def __init__(self, goal: Goal) -> None:
        self.goal = goal
        self.rows = 0
        self.seen = 0
        self.beginnings: set[str] = set()

    def look(self, reading: Reading) -> None:
        if reading.row.split != "train" or reading.row.kind == "text":
            return
        self.rows += 1
        if self.goal == "auto" and self.seen < NOT_ONE_TASK and reading.row.kind != "label":
            self.seen += 1
            self.beginnings.add(" ".join(reading.prompt[:60].split()[:2]).lower())

    def chosen(self) -> str:
        if self.goal != "auto":
            return self.goal
        return "instructions" if self.seen and len(self.beginnings) / self.seen > MANY else "task"

    def found(self) -> Iterable[Found]:
        goal = self.chosen()
        least, usual = WANTED[goal]
        if 0 < self.rows < least:
            found = Found("too_few")
            guessed = " (guessed from the prompts)" if self.goal == "auto" else ""
            words = f"{count(self.rows, 'training row')}; for {WORDS[goal]}{guessed} {least:,} to {usual:,} are usual."
            found.facts = {"words": words, "rows": self.rows, "least": least, "usual": usual, "goal": goal}
            yield found
