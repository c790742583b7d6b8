"""The checks of a run: the validation loss, and sample answers with the weights as they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from backend.engine.generation import Line, generate
from backend.job import Job
from backend.training.loss import Forward, Pass
from backend.training.prepare import Validation
from backend.training.ranks import Ranks
from studio.batches.tokenizer import ModelTokenizer
from studio.datasets.rows import Row
from studio.logs import Log
from studio.settings.answering import Generation

SAMPLES = "samples.jsonl"


class Watch:
    """Looks at a model without changing anything of its training, the random numbers included.

    Args:
        rows: the held-out rows.
        sample_tokens: longest sample answer.
        ranks: the processes that train together; None for one.
    """

    def __init__(
        self,
        job: Job,
        forward: Forward,
        tokenizer: ModelTokenizer,
        rows: Validation,
        sample_tokens: int,
        ranks: Ranks | None = None,
    ) -> None:
        self.ranks = ranks or Ranks()
        self.job = job
        self.forward = forward
        self.tokenizer = tokenizer
        self.rows = rows
        self.sample_tokens = sample_tokens

    def loss(self) -> float | None:
        """The mean loss of the learned tokens of all validation rows; None when it was asked to stop meanwhile."""
        every = self.rows.passes
        mine = every if self.ranks.sharded else every[self.ranks.index :: self.ranks.count]
        with self._aside():
            total = self._sum(mine)
        totals = [total] if self.ranks.sharded else self.ranks.gather(total)
        known = [one for one in totals if one is not None]
        return sum(known) / sum(len(line.targets) for line in every) if len(known) == len(totals) else None

    def _sum(self, passes: list[Pass]) -> float | None:
        total = 0.0
        for line in passes:
            if not self.ranks.sharded and self.job.should_stop():
                return None
            total += self.forward.losses(line).double().sum().item()
        return total

    def sample(self, step: int) -> None:
        """Answers the sample rows greedily into samples.jsonl, unless it is asked to stop."""
        if not (self.ranks.first or self.ranks.sharded):
            return
        written = 0
        with self._aside(), Log(self.job.folder / SAMPLES if self.ranks.first else Path(os.devnull)) as log:
            for row in self.rows.samples:
                if not self.ranks.sharded and self.job.should_stop():
                    break
                prompt, expected = question(row)
                answer = self._answer(row, prompt)
                log.append(
                    "sample",
                    step=step,
                    row_id=row.row_id,
                    prompt=next((turn["content"] for turn in reversed(prompt) if turn["role"] == "user"), ""),
                    expected=expected,
                    answer=answer,
                )
                written += 1
        if written:
            self.job.event("sample", step=step, rows=written)

    def _answer(self, row: Row, prompt: list[dict[str, Any]]) -> str:
        text = self.tokenizer.render(prompt, row.tools, add_generation_prompt=True)
        line = Line(self.tokenizer.encode(text))
        room = (self.tokenizer.max_length or len(line.prompt) + self.sample_tokens) - len(line.prompt)
        if room < 1:
            return ""
        with self.forward.autocast():
            generate(
                self.forward.model,
                [line],
                Generation(temperature=0.0),
                max_new_tokens=min(self.sample_tokens, room),
                stop_ids=self.tokenizer.stop_ids,
                pad_id=self.tokenizer.pad_id or 0,
                should_stop=self.job.should_stop,
            )
        return self.tokenizer.decode(line.tokens)

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """Eval mode, no gradients, and random numbers that training will not miss."""
        model = self.forward.model
        training = model.training
        devices = [self.forward.device] if self.forward.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            model.eval()
            try:
                yield
            finally:
                model.train(training)


def question(row: Row) -> tuple[list[dict[str, Any]], str]:
    """The turns before the last answer of a row, and that answer."""
    turns = row.conversation()
    last = max((at for at, turn in enumerate(turns) if turn["role"] == "assistant"), default=len(turns))
    return turns[:last], str(turns[last].get("content") or "") if last < len(turns) else ""
