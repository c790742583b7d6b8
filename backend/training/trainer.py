"""The loop: Transformers' Trainer, fed with updates, watched at every one of them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from backend.job import Job
from backend.training.checkpoints import Checkpoint, Checkpoints
from backend.training.load import Loaded
from backend.training.prepare import Update, Updates
from backend.training.ranks import Ranks
from backend.training.report import Figures, Meter, RowLosses
from backend.training.spread import distribution
from backend.training.watching import Watch
from studio.errors import StudioError
from studio.settings.train import TrainSettings

OPTIMIZERS = {"adamw": "adamw_torch_fused", "adamw_8bit": "adamw_bnb_8bit"}
# Pickles that Trainer would leave beside the weights, and a card that says nothing.
UNWANTED = ("training_args.bin", "README.md")


class Ended(Exception):
    """A check before the first update of this life ended the run."""


@dataclass
class Plans:
    """When something is due besides the update itself."""

    total: int
    eval_steps: int
    save_steps: int
    patience: int

    def check(self, step: int) -> bool:
        return step % self.eval_steps == 0 or step == self.total

    def save(self, step: int) -> bool:
        return step % self.save_steps == 0 or step == self.total


class RunTrainer(Trainer):
    """Learns from one update after the other.

    Trainer keeps the loop, the optimizer, clipping, accelerators and the states to resume from; what an update is, its
    loss, and what is done after it are ours.

    Args:
        watch: the checks; None without validation rows.
        resume: the checked resume point to go on from.
        ranks: the processes that train together; None for one.
    """

    def __init__(
        self,
        job: Job,
        settings: TrainSettings,
        loaded: Loaded,
        updates: Updates,
        watch: Watch | None,
        checkpoints: Checkpoints,
        resume: Checkpoint | None,
        ranks: Ranks | None = None,
    ) -> None:
        self.job = job
        self.ranks = ranks or Ranks()
        self.settings = settings
        self.passes = loaded.forward
        self.updates = updates
        self.watch = watch
        self.checkpoints = checkpoints
        self.figures = resume.figures if resume else Figures()
        self.meter = Meter(job.metrics, self.figures)
        self.row_losses = RowLosses(job.folder, updates.rows.names, self.figures.step) if self.ranks.first else None
        self.plans = Plans(
            len(updates), settings.eval_steps or 1, settings.save_steps or settings.eval_steps or 1, settings.patience
        )
        self.stopped = False
        self.grad_norm = 0.0
        super().__init__(
            model=loaded.model,
            args=arguments(job.folder, settings, loaded.device, len(updates)),
            train_dataset=updates,
            data_collator=only,
            callbacks=[AfterUpdate(self)],
        )

    def run(self, resume: Checkpoint | None) -> None:
        """All updates that are left; `stopped` and `figures` tell how far it came."""
        with contextlib.suppress(Ended):
            self.train(resume_from_checkpoint=str(resume.path) if resume else None)
        self.figures.note_peak()

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        settings = self.settings
        self.lr_scheduler = LambdaLR(
            optimizer or self.optimizer,
            lambda step: rate_share(step, num_training_steps, settings.warmup, settings.schedule),
        )
        return self.lr_scheduler

    def training_step(self, model: Any, inputs: Update, num_items_in_batch: Any = None) -> torch.Tensor:
        """Forward and backward of every pass; the gradient is that of the mean over all learned tokens of the update.

        Raises:
            StudioError: the loss is no longer a number.
        """
        model.train()
        step = self.state.global_step + 1
        epoch = self.updates.plan.epoch(step - 1)
        seen = []
        for number, (numbers, line) in enumerate(inputs.passes, 1):
            losses = self.passes.losses(line)
            weight = self.ranks.scale / inputs.trained if numbers else 0.0
            self.accelerator.gradient_state._set_sync_gradients(number == len(inputs.passes))
            self.accelerator.backward(losses.sum() * weight)
            if numbers:
                seen.append((numbers, line.owners.numpy(), losses.detach().cpu().numpy()))
        everybody = [one for part in self.ranks.gather(seen) for one in part]
        total = math.fsum(known.sum(dtype=np.float64) for _, _, known in everybody)
        if not math.isfinite(total):
            raise self.diverged(step, "The loss")
        if self.row_losses:
            for numbers, owners, known in everybody:
                self.row_losses.add(step, epoch, numbers, owners, known)
        self.ranks.sum_gradients(self.model)
        self.update = (inputs, total / inputs.trained)
        return torch.tensor(self.update[1], device=self.args.device)

    def _clip_grad_norm(self, model: Any) -> Any:
        norm = super()._clip_grad_norm(model)
        if norm is None:  # DeepSpeed clips by itself
            norm = self.model_wrapped.get_global_grad_norm()
        self.grad_norm = float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)
        if not math.isfinite(self.grad_norm):
            raise self.diverged(self.state.global_step + 1, "The gradient")
        return norm

    def diverged(self, step: int, what: str) -> StudioError:
        self.job.event("diverged", step=step, loss=None)
        return StudioError(
            f"The training diverged at step {step}.",
            f"{what} is no longer a number: the weights moved too far, most often because the learning rate of "
            f"{self.settings.learning_rate:g} is too high.",
            f"Start again with a lower learning rate, such as {(self.settings.learning_rate or 0) / 5:.1g}.",
        )

    def after_update(self, control: TrainerControl, rate: float) -> None:
        """Logs the update and says what is due now."""
        inputs, loss = self.update
        step = self.state.global_step
        self.meter.step(
            step, loss, inputs.tokens, inputs.trained, learning_rate=rate, grad_norm=self.grad_norm, rows=inputs.rows
        )
        self.stopped = self.ranks.agree(self.job.should_stop())
        control.should_evaluate = not self.stopped and self.watch is not None and self.plans.check(step)
        control.should_save = self.stopped or self.plans.save(step)
        control.should_training_stop = self.stopped or step >= self.plans.total

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """One check: validation loss, sample answers, and whether to save or to end by what was found."""
        assert self.watch is not None
        self.control.should_evaluate = False
        step = self.state.global_step
        loss = self.watch.loss()
        if loss is None:
            self._stop()
            return {}
        if not math.isfinite(loss):
            raise self.diverged(step, "The validation loss")
        self.figures.checks.append((step, loss))
        self.job.event("eval", step=step, loss=loss, rows=self.watch.rows.rows)
        best = self.figures.best
        if self.settings.keep_best and best and best[0] == step:
            self.control.should_save = True
        self.watch.sample(step)
        if self.ranks.agree(self.job.should_stop()):
            self._stop()
        elif self._in_vain():
            self.control.should_save = self.control.should_training_stop = True
            self.job.message(
                f"Ended early at step {step} of {self.plans.total}: the validation loss has not fallen for "
                f"{self.plans.patience} checks."
            )
        self.meter.skip()
        return {"eval_loss": loss}

    def _in_vain(self) -> bool:
        return 0 < self.plans.patience <= self.figures.checks_since_best()

    def _stop(self) -> None:
        self.stopped = True
        self.control.should_save = self.control.should_training_stop = True

    def check_if_due(self) -> None:
        """The check of the step a life starts from, where none was made yet: before the first update, or after a stop.

        Raises:
            Ended: by what was found, or because somebody asked to stop, there is no update to make.
        """
        step = self.state.global_step
        done = any(step == checked for checked, _ in self.figures.checks)
        if self.watch is not None and not done and (step == 0 or self.plans.check(step)):
            self.evaluate()
        self.stopped = self.stopped or self.ranks.agree(self.job.should_stop())
        if self.stopped or self._in_vain():
            raise Ended
        self.meter.skip()

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """A resume point; the row losses up to it come first, so that none is missing when it is taken up."""
        if self.row_losses:
            self.row_losses.save(self.figures.step)
        self.ranks.write(lambda write: self.checkpoints.save(self.figures, write), self._write_state)
        self.job.event("checkpoint", step=self.figures.step)

    def _write_state(self, folder: Path) -> None:
        weights = self.accelerator.get_state_dict(self.model_wrapped) if self.ranks.sharded else None
        if self.ranks.first:
            save_weights(self.model, folder, weights)
            self.state.save_to_json(str(folder / "trainer_state.json"))
        self._save_optimizer_and_scheduler(str(folder))
        self._save_rng_state(str(folder))

    def get_train_dataloader(self) -> DataLoader[Update]:
        """Every process goes through all updates; each update knows the part of each process."""
        return DataLoader(self.updates, batch_size=1, shuffle=False, collate_fn=only)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> None:
        return None  # an update knows its tokens

    def floating_point_ops(self, inputs: Any) -> int:
        return 0  # an estimate that Trainer would make from padded batches


def save_weights(model: Any, folder: Path, weights: dict[str, Any] | None = None) -> None:
    """What was trained, as safetensors with its configuration: an adapter, or the whole model.

    Args:
        weights: those put together from all processes, where the model is divided over them.
    """
    options: dict[str, Any] = {"save_embedding_layers": False} if hasattr(model, "peft_config") else {}
    options |= {"state_dict": weights} if weights is not None else {}
    model.save_pretrained(folder, **options)
    for name in UNWANTED:
        (folder / name).unlink(missing_ok=True)


class AfterUpdate(TrainerCallback):
    """Trainer's calls, passed on."""

    def __init__(self, trainer: RunTrainer) -> None:
        self.trainer = trainer
        self.rate = 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.trainer.check_if_due()

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.rate = self.trainer._get_learning_rate()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.trainer.after_update(control, self.rate)


def only(items: Sequence[Update]) -> Update:
    """The one item of a batch: an update is a batch already."""
    (item,) = items
    return item


def rate_share(step: int, total: int, warmup: float, schedule: str) -> float:
    """Which share of the learning rate update `step` (from 0) of `total` gets.

    It rises evenly over the first `warmup` of the updates, reaching all of it with the first one after them; then it
    stays (`constant`), or falls to nothing just after the last update, evenly (`linear`) or along a cosine.
    """
    rising = math.ceil(round(warmup * total, 6))
    if step < rising:
        return (step + 1) / (rising + 1)
    if schedule == "constant":
        return 1.0
    done = (step - rising) / max(1, total - rising)
    return 1.0 - done if schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))


def arguments(folder: Path, settings: TrainSettings, device: str, steps: int) -> TrainingArguments:
    """Trainer's own settings: those of ours it has, and everything off that is done here."""
    return TrainingArguments(
        output_dir=str(folder / "checkpoints"),
        max_steps=steps,
        per_device_train_batch_size=1,
        train_sampling_strategy="sequential",
        learning_rate=settings.learning_rate or 0.0,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim=OPTIMIZERS[settings.optimizer],
        seed=settings.seed,
        use_cpu=device == "cpu",
        activation_checkpointing_kwargs={"use_reentrant": False},
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        dataloader_num_workers=0,
        **{"activation_checkpointing": bool(settings.recompute)} | distribution(settings, device),
    )
