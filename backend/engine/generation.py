"""From prompts to tokens: one padded batch through `generate` of Transformers.

Each row draws its random numbers from a stream of its own, made from the seed and its prompt, so a sampled answer
does not depend on what else is in the batch or where it stands in it. What remains is the arithmetic: a batch of
another shape may round the last bits of a probability differently, so an answer can change where two tokens were
equally likely to that precision.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, StoppingCriteria

from backend.engine.conversation import Finish
from backend.engine.repeats import repeating
from studio.settings.answering import Generation

# Below this a temperature only sharpens what is already a choice of the likeliest, and overflows.
COLDEST = 1e-4


@dataclass
class Line:
    """One row of a batch: its prompt's ids going in, its answer's ids coming out.

    `tokens` holds the token that ended the answer too; `on_token` gets each other one as it is made, and `on_end` is
    called as soon as the answer has come to its own end, while other rows of the batch may still be written. `seed` is
    its own; without one that of the options holds.
    """

    prompt: list[int]
    on_token: Callable[[int], None] | None = None
    on_end: Callable[[], object] | None = None
    seed: int | None = None
    tokens: list[int] = field(default_factory=list)
    finish: Finish | None = None


def generate(
    model: Any,
    lines: Sequence[Line],
    options: Generation,
    *,
    max_new_tokens: int,
    stop_ids: Sequence[int],
    pad_id: int,
    should_stop: Callable[[], bool] | None = None,
    **forward: Any,
) -> None:
    """Fills `tokens` and `finish` of each line.

    Args:
        model: a causal language model of Transformers or PEFT, in eval mode; its own generation settings are not used.
        lines: the batch; shorter prompts are padded on the left.
        options: temperature, top_p, top_k, seed, and whether an answer ends when it repeats itself.
        stop_ids: an answer ends with any of these.
        pad_id: what fills the room before shorter prompts; masked, so any token does.
        should_stop: asked after each token; true ends every unfinished line as `stopped`.
        forward: more arguments for the model, such as PEFT's `adapter_names`.
    """
    ids, mask = padded([line.prompt for line in lines], pad_id, model.device)
    processors: list[LogitsProcessor] = []
    if options.temperature >= COLDEST:
        processors = [Sampling(options, lines)]
    with torch.no_grad():  # what ZeRO-3 gathers in inference mode could not be trained with any more
        model.generate(
            input_ids=ids,
            attention_mask=mask,
            # Without an end token: which line has ended is for `Watch` alone to say.
            generation_config=GenerationConfig(do_sample=False, max_new_tokens=max_new_tokens, pad_token_id=pad_id),
            logits_processor=processors,
            stopping_criteria=[Watch(lines, set(stop_ids), should_stop, options.stop_repeats)],
            **forward,
        )
    for line in lines:
        line.finish = line.finish or "length"


def padded(prompts: Sequence[Sequence[int]], pad_id: int, device: Any = "cpu") -> tuple[torch.Tensor, torch.Tensor]:
    """(ids, mask), both int64[rows, longest]: each prompt at the right end, `mask` 1 where it is."""
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), longest), pad_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt, dtype=torch.long)
        mask[row, longest - len(prompt) :] = 1
    return ids.to(device), mask.to(device)


class Watch(StoppingCriteria):
    """Takes each new token to its line, and says which lines have ended."""

    def __init__(
        self,
        lines: Sequence[Line],
        stop_ids: set[int],
        should_stop: Callable[[], bool] | None,
        stop_repeats: bool = False,
    ) -> None:
        self.lines = lines
        self.stop_ids = stop_ids
        self.should_stop = should_stop
        self.stop_repeats = stop_repeats

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        for line, token in zip(self.lines, input_ids[:, -1].tolist(), strict=True):
            if line.finish is None:
                self._take(line, token)
        if self.should_stop is not None and self.should_stop():
            for line in self.lines:
                line.finish = line.finish or "stopped"
        return torch.tensor([line.finish is not None for line in self.lines], device=input_ids.device)

    def _take(self, line: Line, token: int) -> None:
        line.tokens.append(token)
        if token in self.stop_ids:
            line.finish = "stop"
        else:
            if line.on_token is not None:
                line.on_token(token)
            if self.stop_repeats and repeating(line.tokens):
                line.finish = "repeats"
        if line.finish and line.on_end is not None:
            line.on_end()


class Sampling(LogitsProcessor):
    """Draws each row's token and leaves it as the only possible one, so that `generate` has no draw of its own."""

    def __init__(self, options: Generation, lines: Sequence[Line]) -> None:
        self.options = options
        seeds = [options.seed if line.seed is None else line.seed for line in lines]
        self.streams = [random.Random(row_seed(seed, line.prompt)) for seed, line in zip(seeds, lines, strict=True)]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        uniform = torch.tensor([stream.random() for stream in self.streams], dtype=torch.float64)
        chosen = draw(scores, uniform, self.options)
        return torch.full_like(scores, -torch.inf).scatter(1, chosen.to(scores.device)[:, None], 0.0)


def row_seed(seed: int, prompt: Sequence[int]) -> int:
    """The seed of one row's stream: rows with different prompts draw independently, equal ones alike."""
    text = f"{seed}:{','.join(map(str, prompt))}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def draw(scores: torch.Tensor, uniform: torch.Tensor, options: Generation) -> torch.Tensor:
    """One token for each row, by inverting the cumulated probabilities at `uniform`.

    Args:
        scores: float[rows, vocabulary], logits.
        uniform: float64[rows] in [0, 1).
        options: temperature (above 0), then top_k, then top_p.

    Returns:
        int64[rows], on the CPU.
    """
    if scores.device.type == "mps":  # has no float64
        scores = scores.cpu()
    order = None
    if options.top_k or options.top_p < 1.0:
        count = min(options.top_k or scores.shape[-1], scores.shape[-1])
        scores, order = torch.topk(scores, count, dim=-1)
    chances = torch.softmax(scores.double() / options.temperature, dim=-1)
    total = chances.cumsum(-1)
    if options.top_p < 1.0:
        # Each token stays for which those before it have not reached top_p; so the likeliest always does.
        chances = torch.where(total - chances < options.top_p, chances, 0.0)
        total = chances.cumsum(-1)
    at = uniform.to(total.device)[:, None] * total[:, -1:]
    chosen = torch.searchsorted(total, at, right=True).clamp(max=total.shape[-1] - 1)
    return (chosen if order is None else order.gather(1, chosen))[:, 0].cpu()
