"""The settings of a training run: one declaration, from which the form, the flags, the help and settings.json come."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from studio.errors import BadInput
from studio.files import check_name
from studio.settings.base import Settings, setting

IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class Lora(Settings):
    """LoRA (Hu et al. 2021): small additions beside the model's weights are trained, the usual way."""

    name: Literal["lora"] = "lora"
    rank: int = setting(
        8, ge=1, le=1024, title="Rank", group="Method",
        why="enough to learn one task; large or varied sets gain from more",
        help="How much the additions (the adapter) can learn; more for large or varied sets, less for small ones.",
    )  # fmt: skip
    alpha: float = setting(
        16.0, gt=0, le=4096, title="Alpha", group="Method", level="advanced", why="twice the usual rank",
        help="How strongly the adapter acts; twice the rank is the usual choice.",
    )  # fmt: skip
    dropout: float = setting(
        0.0, ge=0, lt=1, title="Dropout", group="Method", level="advanced",
        why="learning by heart shows in the validation loss, so nothing is switched off unasked",
        help="Share of the adapter switched off at random; 0.05 to 0.1 helps small sets against learning by heart.",
    )  # fmt: skip
    targets: str = setting(
        "all-linear", title="Target layers", group="Method", level="advanced", min_length=1, max_length=2000,
        why="adapters on only some of the layers learn less",
        help="Which layers get an adapter: all-linear, or names separated by commas such as q_proj,v_proj.",
    )  # fmt: skip
    rslora: bool = setting(
        False, title="Rank-stabilised scaling", group="Method", level="advanced", why="small ranks do not need it",
        help="Divides alpha by the square root of the rank (rsLoRA, Kalajdzievski 2023); use it with ranks above 32.",
    )  # fmt: skip


class Dora(Lora):
    """DoRA (Liu et al. 2024): LoRA with the weights' length trained apart from their direction."""

    name: Literal["dora"] = "dora"  # type: ignore[assignment]


Bits = Literal["4", "8"]


class Qlora(Lora):
    """QLoRA (Dettmers et al. 2023): LoRA on a model packed into four bits a weight (NF4), or eight: least memory."""

    name: Literal["qlora"] = "qlora"  # type: ignore[assignment]
    bits: Bits = setting(
        "4", title="Bits", group="Method", level="advanced", why="to save memory is what this method is for",
        help="How many bits hold each of the model's own weights, while it learns and when it answers; an export has "
        "them whole.",
        choices={
            "4": "4 bits: needs least memory (NF4)",
            "8": "8 bits: closer to the original and, on a CPU, much slower",
        },
    )  # fmt: skip


class Full(Settings):
    """Full: every weight of the model is trained, which takes the most memory."""

    name: Literal["full"] = "full"


Method = Annotated[Lora | Dora | Qlora | Full, Field(discriminator="name")]


class Sft(Settings):
    """Supervised fine-tuning (SFT): the model learns to answer as the rows do."""

    name: Literal["sft"] = "sft"
    loss_on: Literal["all", "last"] = setting(
        "all", title="Learn from", group="Data", why="each answer of a conversation is an example",
        help="Which answers of a conversation are learned from.",
        choices={"all": "Every answer", "last": "Only the last answer"},
    )  # fmt: skip


class Pretraining(Settings):
    """Continued pretraining: the model learns to go on with raw text."""

    name: Literal["pretraining"] = "pretraining"


Objective = Annotated[Sft | Pretraining, Field(discriminator="name")]


class Single(Settings):
    """Single: one process, on one device."""

    name: Literal["single"] = "single"


class Ddp(Settings):
    """DDP (Li et al. 2020): each process holds the whole model and learns from its share of every step."""

    name: Literal["ddp"] = "ddp"
    processes: int | None = setting(
        None, ge=2, le=64, title="Processes", group="Speed and memory", level="advanced",
        auto="one for each GPU that is like the first; two on a CPU",
        help="How many processes train together; a step still learns from the same rows, divided over them.",
    )  # fmt: skip


class Sharded(Ddp):
    """What all that divide a model over GPUs have."""

    offload: bool = setting(
        False, title="Offload", group="Speed and memory", level="advanced", why="what fits without is much faster",
        help="Keeps what is divided in the machine's own memory; much slower, and larger models fit.",
    )  # fmt: skip


class Fsdp(Sharded):
    """FSDP2 (Zhao et al. 2023): weights, gradients and optimizer are divided over the GPUs."""

    name: Literal["fsdp"] = "fsdp"  # type: ignore[assignment]


class Zero2(Sharded):
    """DeepSpeed ZeRO-2 (Rajbhandari et al. 2020): gradients and optimizer are divided over the GPUs."""

    name: Literal["zero2"] = "zero2"  # type: ignore[assignment]


class Zero3(Sharded):
    """DeepSpeed ZeRO-3 (Rajbhandari et al. 2020): weights, gradients and optimizer are divided over the GPUs."""

    name: Literal["zero3"] = "zero3"  # type: ignore[assignment]


Spread = Annotated[Single | Ddp | Fsdp | Zero2 | Zero3, Field(discriminator="name")]


def processes(spread: Spread | None) -> int:
    """How many train together."""
    return 1 if spread is None or isinstance(spread, Single) else spread.processes or 1


class TrainSettings(Settings):
    """One run. What is None is chosen for the dataset, the model and the machine, in `studio/settings/defaults.py`."""

    dataset: str = setting(
        title="Dataset", group="Data", pattern=IDENTIFIER,
        help="The examples to learn from, by the name of their dataset.",
    )  # fmt: skip
    version: int | None = setting(
        None, ge=1, title="Version", group="Data", level="advanced", auto="the newest version",
        help="The frozen version of the dataset to use.",
    )  # fmt: skip
    model: str = setting(
        "starter", title="Model", group="Model", min_length=1, max_length=300, why="small enough for every machine",
        help="The model that is taught, by its name; the small starter is fetched when it is missing.",
    )  # fmt: skip
    name: str = setting(
        "", title="Name", group="Data", level="advanced", max_length=120,
        help="A name for the run, to find it again.",
    )  # fmt: skip

    method: Method = setting(
        Lora(), title="Method", group="Method", why="learns a task about as well as full, with far less memory",
        help="How the weights change.",
    )  # fmt: skip
    objective: Objective | None = setting(
        None, title="Goal", group="Data", auto="answers where rows have them, raw text otherwise",
        help="What the model learns.",
    )  # fmt: skip

    epochs: float | None = setting(
        None, gt=0, le=1000, title="Passes", group="Training", unit="passes over the data",
        auto="3 passes, more for small sets, fewer for large ones",
        help="How often each row is seen; too few and nothing is learned, too many and it is learned by heart.",
    )  # fmt: skip
    max_steps: int | None = setting(
        None, ge=1, le=10_000_000, title="Steps", group="Training", level="advanced", unit="steps",
        auto="as many as the passes make", help="Ends the run after this many steps, instead of a number of passes.",
    )  # fmt: skip
    learning_rate: float | None = setting(
        None, gt=0, le=1, title="Learning rate", group="Training",
        auto="by the method and the model's size",
        help="How far each step moves the model; halve it when the loss (its error) jumps, double it when it stays.",
    )  # fmt: skip
    batch_size: int | None = setting(
        None, ge=1, le=4096, title="Batch size", group="Training", unit="rows a step",
        auto="8, or 4 for small sets", help="How many rows are learned from together in one step.",
    )  # fmt: skip
    schedule: Literal["cosine", "linear", "constant"] = setting(
        "cosine", title="Schedule", group="Training", level="advanced", why="large moves first, fine ones at the end",
        help="How the learning rate falls over the run after the warm-up.",
        choices={
            "cosine": "In a curve: slowly, then faster, then slowly again, as a cosine does",
            "linear": "In a line: evenly",
            "constant": "Not at all: it stays as it is",
        },
    )  # fmt: skip
    warmup: float = setting(
        0.05, ge=0, le=0.9, title="Warm-up", group="Training", level="advanced", unit="share of the steps",
        why="a short rise keeps the first steps calm",
        help="The first part of the run, in which the learning rate rises from zero.",
    )  # fmt: skip
    weight_decay: float = setting(
        0.0, ge=0, le=1, title="Weight decay", group="Training", level="advanced",
        why="an adapter's weights stay small by themselves",
        help="Pulls trained weights towards zero; 0.01 to 0.1 is usual for full training.",
    )  # fmt: skip
    max_grad_norm: float = setting(
        1.0, gt=0, le=1e6, title="Gradient clipping", group="Training", level="advanced", why="the usual limit",
        help="Longest gradient (what a step goes by); longer ones are shortened to it, which tames jumps of the loss.",
    )  # fmt: skip
    optimizer: Literal["adamw", "adamw_8bit"] = setting(
        "adamw", title="Optimizer", group="Training", level="advanced",
        why="adapters are small, so there is little to save",
        help="By which rule a step changes the weights.",
        choices={"adamw": "AdamW: the usual one", "adamw_8bit": "AdamW, 8 bits: needs less memory for full training"},
    )  # fmt: skip
    seed: int = setting(
        1, ge=0, le=2**31 - 1, title="Seed", group="Training", level="advanced", why="any number serves",
        help="Fixes every random choice, so that the same run can be repeated.",
    )  # fmt: skip

    cutoff: int | None = setting(
        None, ge=8, le=1_000_000, title="Cut-off", group="Data", unit="tokens",
        auto="the longest row, at most 1024 and at most the model's context",
        help="Longest row in tokens (words or pieces of words); what lies beyond is cut off and not learned.",
    )  # fmt: skip
    template: str | None = setting(
        None, title="Chat template", group="Data", level="advanced", pattern=IDENTIFIER,
        auto="the model's own", help="A named chat template for a model that has none of its own, such as chatml.",
    )  # fmt: skip

    memory: Literal["auto", "fast", "lean"] = setting(
        "auto", title="Memory", group="Speed and memory", why="it depends on how much memory is free",
        help="Whether the run is to be quick or to take little memory; what it learns is the same.",
        choices={
            "auto": "Automatic: quick where that much memory is free, lean where not",
            "fast": "Quick: takes the memory it needs to be quick",
            "lean": "Lean: takes as little memory as it can, and longer",
        },
    )  # fmt: skip
    tokens_per_pass: int | None = setting(
        None, ge=8, le=10_000_000, title="Tokens at once", group="Speed and memory", level="advanced", unit="tokens",
        auto="as many as fill the processor and fit into free memory; one row of full length where it is to be lean",
        help="How many tokens go through the model at once; lower it when memory runs out, the result stays the same.",
    )  # fmt: skip
    recompute: bool | None = setting(
        None, title="Recompute", group="Speed and memory", level="advanced",
        auto="off where the run fits without it, by the estimate or, where that is too near to tell, by a measurement",
        help="Saves memory by computing parts twice (gradient checkpointing); about a third slower.",
    )  # fmt: skip
    dtype: Literal["auto", "float32", "bfloat16"] = setting(
        "auto", title="Number format", group="Speed and memory", level="advanced",
        why="the fastest depends on the machine",
        help="The format of the numbers that the run computes with.",
        choices={
            "auto": "Automatic: bfloat16 on a GPU that has it, the one measured faster on a CPU",
            "float32": "32 bits: the most exact (float32)",
            "bfloat16": "16 bits: half the memory, a little less exact (bfloat16)",
        },
    )  # fmt: skip
    attention: Literal["auto", "rows", "flash"] = setting(
        "auto", title="Attention", group="Speed and memory", level="advanced", why="the fastest depends on the GPU",
        help="How the words of a row are looked at together.",
        choices={
            "auto": "Automatic: FlashAttention where the GPU and the model have it, row by row elsewhere",
            "rows": "Row by row: one after the other, on every machine, where the model does no more than that",
            "flash": "FlashAttention: all rows of a pass at once, on NVIDIA GPUs from Ampere on, in bfloat16",
        },
    )  # fmt: skip
    kernels: Literal["usual", "liger"] = setting(
        "usual", title="Kernels", group="Speed and memory", level="advanced", why="they work on every machine",
        help="Who computes a model's norms, gates and positions.",
        choices={
            "usual": "PyTorch: PyTorch's own",
            "liger": "Liger: one operation each, by the package liger-kernel, with less memory on an NVIDIA GPU",
        },
    )  # fmt: skip
    device: Literal["auto", "cpu", "cuda"] = setting(
        "auto", title="Device", group="Speed and memory", level="advanced", why="a GPU is many times faster",
        help="Where to train.",
        choices={
            "auto": "Automatic: the GPU where there is one",
            "cpu": "CPU: the processor",
            "cuda": "GPU: an NVIDIA card",
        },
    )  # fmt: skip
    spread: Spread | None = setting(
        None, title="Several devices", group="Speed and memory", level="advanced",
        auto="the GPUs that are like the first, by ddp, where there are several; else one process",
        help="Over which processes the run is spread.",
    )  # fmt: skip
    threads: int | None = setting(
        None, ge=1, le=1024, title="Threads", group="Speed and memory", level="advanced",
        auto="as many as the machine has cores", help="How many CPU cores the run may use.",
    )  # fmt: skip

    eval_steps: int | None = setting(
        None, ge=1, le=10_000_000, title="Check every", group="Watching", level="advanced", unit="steps",
        auto="about eight times in the run",
        help="How often the validation loss is measured and sample answers are written.",
    )  # fmt: skip
    eval_rows: int = setting(
        100, ge=0, le=1_000_000, title="Validation rows", group="Watching", level="advanced", unit="rows",
        why="enough to see the loss fall, and soon measured",
        help="At most this many validation rows are measured each time; 0 switches the check off.",
    )  # fmt: skip
    patience: int = setting(
        0, ge=0, le=1000, title="Early stopping", group="Watching", level="advanced", unit="checks",
        why="the best weights are kept anyway",
        help="Ends the run when the validation loss has not fallen for this many checks; 0 never does.",
    )  # fmt: skip
    keep_best: bool = setting(
        True, title="Keep the best", group="Watching", level="advanced",
        why="the last steps may have begun to learn by heart",
        help="Takes the weights with the lowest validation loss as the result, instead of the last ones.",
    )  # fmt: skip
    samples: int = setting(
        3, ge=0, le=50, title="Sample answers", group="Watching", level="advanced", unit="rows",
        why="a few to read, soon written",
        help="How many validation rows are answered at each check, to see the model change.",
    )  # fmt: skip
    sample_tokens: int = setting(
        48, ge=1, le=2048, title="Sample length", group="Watching", level="advanced", unit="tokens",
        why="the beginning of an answer shows how it changes",
        help="Longest sample answer.",
    )  # fmt: skip
    save_steps: int | None = setting(
        None, ge=1, le=10_000_000, title="Save every", group="Watching", level="advanced", unit="steps",
        auto="at every check", help="How often a resume point is saved.",
    )  # fmt: skip
    keep_checkpoints: int = setting(
        2, ge=1, le=1000, title="Resume points kept", group="Watching", level="advanced",
        why="the newest, and the one before should that be damaged",
        help="How many of the newest resume points stay on the disk, besides the best one; older ones are deleted when "
        "a new one is whole.",
    )  # fmt: skip

    @field_validator("model")
    @classmethod
    def _model_is_a_name(cls, value: str) -> str:
        """A model of the workspace, or a hub id that `models add` would fetch."""
        try:
            for part in value.split("@")[0].split("/"):
                check_name(part, "model name")
        except BadInput as error:
            raise ValueError(f"{error.what} {error.why}") from None
        return value

    @model_validator(mode="after")
    def _passes_or_steps(self) -> TrainSettings:
        if self.epochs is not None and self.max_steps is not None:
            raise ValueError("give passes (epochs) or steps (max_steps), not both")
        return self

    def plain(self) -> dict[str, Any]:
        """As written to settings.json."""
        return self.model_dump(mode="json")
