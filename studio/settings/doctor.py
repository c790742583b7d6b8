"""Settings of the data doctor: what it looks for, with whose tokens, and against which benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import field_validator

from studio.settings.base import Settings, setting

Mask = Literal["labels", "stand-ins"]


class DoctorSettings(Settings):
    """The rows of a dataset are looked through; nothing in them is changed."""

    dataset: str = setting(title="Dataset", help="The dataset to look through: its latest version with your changes.")
    model: str | None = setting(
        None,
        title="Model",
        help="In whose tokens rows are measured, and whose template marks are looked for.",
        group="Tokens",
        auto="the starter when it is there, else any model; without one, tokens are not looked at",
    )
    template: str | None = setting(
        None,
        title="Chat template",
        help="A named chat template for a model that has none of its own, such as chatml.",
        group="Tokens",
        level="advanced",
        auto="the model's own",
    )
    cutoff: int = setting(
        1024,
        title="Cut-off",
        help="Longest row in tokens (words or pieces of words) that the run takes; what lies beyond is not learned.",
        group="Tokens",
        unit="tokens",
        ge=8,
    )
    goal: Literal["auto", "task", "instructions"] = setting(
        "auto",
        title="Goal",
        help="One task (500 to 5,000 rows are usual) or following instructions of all kinds (2,000 to 10,000).",
        group="Goal",
    )
    benchmark: list[str] = setting(
        default_factory=list,
        title="Benchmark file",
        help="A file of a benchmark (MMLU, GSM8K …) that must not be trained on, as FILE or FILE:COLUMN; may be given "
        "several times.",
        group="Overlap",
    )
    similarity: float = setting(
        0.8,
        title="Similarity",
        help="From which share of common letter groups on two rows are near-duplicates; lower finds more.",
        group="Overlap",
        level="advanced",
        ge=0.6,
        le=1.0,
    )
    country: str = setting(
        "auto",
        title="Country",
        help="Whose phone numbers are known without their country code: US, DE, GB and so on.",
        group="Personal data",
        level="advanced",
        auto="from the main language",
        pattern=r"auto|[A-Z]{2}",
    )
    leave_out: list[str] = setting(
        default_factory=list,
        title="Leave out",
        help="A family not to look for, which saves time: copies, benchmarks, probes, answers, tokens, turns, marks, "
        "personal, letters, languages, labels or amount; may be given several times.",
        group="Which findings",
        level="advanced",
    )

    @field_validator("benchmark")
    @classmethod
    def _absolute(cls, value: list[str]) -> list[str]:
        """The worker's working folder is another one."""
        return [str(Path(one).expanduser().absolute()) for one in value]

    @field_validator("leave_out")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        from studio.doctor.kinds import FAMILIES

        for name in value:
            if name not in FAMILIES:
                raise ValueError(f"“{name}” is not one of {', '.join(FAMILIES)}")
        return value


class FixSettings(Settings):
    """What is done about findings: which are fixed at once, how personal data is masked, which are put aside."""

    fix: list[str] = setting(
        default_factory=list,
        title="Fix",
        help="A finding to fix, by its kind (duplicates, emails …); may be given several times.",
        group="Fixes",
    )
    mask: Mask = setting(
        "labels",
        title="Mask",
        help="What stands for personal data: “[e-mail]” and the like, or made-up ones, the same for the same person.",
        group="Fixes",
    )
    ignore: list[str] = setting(
        default_factory=list,
        title="Ignore",
        help="A finding to hear no more of for this dataset, by its kind; may be given several times.",
        group="Fixes",
    )
    heed: list[str] = setting(
        default_factory=list,
        title="Heed",
        help="An ignored finding to take up again, by its kind; may be given several times.",
        group="Fixes",
    )

    @field_validator("ignore", "heed")
    @classmethod
    def _kinds(cls, value: list[str]) -> list[str]:
        from studio.doctor.kinds import KINDS

        for name in value:
            if name not in KINDS:
                raise ValueError(f"“{name}” is not one of {', '.join(KINDS)}")
        return value

    @field_validator("fix")
    @classmethod
    def _fixable(cls, value: list[str]) -> list[str]:
        from studio.doctor.kinds import FIXABLE

        for name in value:
            if name not in FIXABLE:
                raise ValueError(f"“{name}” is not one of {', '.join(FIXABLE)}")
        return value
