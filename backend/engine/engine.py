"""One class that answers: base and tuned, in batches, with streams, stop, seeds, exact tokens and stamps."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import torch

from backend.engine.conversation import Answer, Pair, Prompt
from backend.engine.generation import Line, generate
from backend.engine.growing import Growing
from backend.engine.weights import BASE, Copies, Sharing, best_device, sharing, stamp
from backend.job import in_words
from backend.room import ask_for_memory
from studio.batches.tokenizer import load_tokenizer
from studio.errors import BadInput, NoMemory, NotFound
from studio.headroom import private_memory
from studio.machine import cores
from studio.models.folder import read_model
from studio.settings.answering import Generation
from studio.settings.train import Bits

CHAT_TOKENS = 256
# A batch holds at most so many rows, and so many tokens with padding and answers counted in. On two CPU cores 32 rows
# cost 15 % less than 16, and 64 no less; a GPU only gets busy with more.
ROWS = {"cpu": 32, "mps": 32, "cuda": 128}
TOKENS = {"cpu": 8_192, "mps": 16_384, "cuda": 131_072}
TOO_LARGE = (
    "The GPU's memory does not hold these models, so answers are computed on the CPU, which takes longer. Close what "
    "else uses the GPU and start again to try it there."
)


@dataclass
class Task:
    """One answer to make: where it goes, by which weights, from which ids."""

    weights: str
    ids: list[int]
    cut: int
    seed: int | None = None
    on_text: Callable[[str], None] | None = None
    answer: Answer | None = field(default=None)


class Engine:
    """Answers with a base model and models tuned from it. Thread-safe: one batch at a time.

    The weights are loaded by the first answer (or by `load`) and again after `unload`. Where a GPU's memory does not
    hold them they are loaded on the CPU, where the engine then stays.

    home: the device it answers on when nobody else needs that; settled: why it stays on the CPU, "" where it does not.

    Args:
        model_folder: the base model's folder.
        adapters: name → folder of a PEFT adapter, or of the full model where all weights were trained.
        device: `auto`, `cpu`, `cuda` or `mps`.
        threads: CPU threads; all physical cores when None. Measured on two cores with the 135M starter: reading
            prompts takes half the time with two threads; making tokens takes as long with one as with two.
        template: the chat template the run was trained with, when it is not the model's own.
        bits: those of the base's weights, where the adapters were trained on few; base and tuned both have them.
        tell: called with words for people.

    Raises:
        NotFound, Broken, BadInput: the folder lacks a tokenizer, a template or weights, or the device is not there.
    """

    def __init__(
        self,
        model_folder: Path,
        adapters: Mapping[str, Path] | None = None,
        *,
        device: str = "auto",
        threads: int | None = None,
        template: str | None = None,
        bits: Bits | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.folder = model_folder
        self.adapters = dict(adapters or {})
        self.device = self.home = best_device(device)
        self.settled = ""
        self.tell = tell
        self.threads = threads or cores()
        self.tokenizer = load_tokenizer(model_folder, template)
        self.sharing: dict[str, Sharing] = {name: sharing(path, bits) for name, path in self.adapters.items()}
        self.bits = bits
        self.stamps = {BASE: stamp(model_folder, bits=bits)}
        self.stamps |= {name: stamp(model_folder, path, bits) for name, path in self.adapters.items()}
        self._copies: Copies | None = None
        self._without = 0  # bytes that the process held before
        self._lock = threading.RLock()

    # Weights

    def load(self) -> None:
        """Loads the weights now instead of with the first answer.

        Raises:
            NoRoom: neither the GPU's nor the machine's memory holds them.
        """
        with self._lock:
            self._loaded()

    def unload(self) -> None:
        """Frees the weights' memory; waits for a running batch."""
        with self._lock:
            if self._copies is not None:
                self._copies.free()
                self._copies = None

    def move(self, away: bool) -> bool:
        """Goes to the CPU, or home again, and frees the weights' memory; waits for a running batch.

        Returns:
            Whether it was elsewhere: a batch waited for may have settled it on the CPU.
        """
        with self._lock:
            wanted = "cpu" if away else self.home
            if self.device == wanted:
                return False
            self.unload()
            self.device = wanted
            return True

    @property
    def loaded(self) -> bool:
        return self._copies is not None

    @property
    def held(self) -> int:
        """Bytes of its device's memory that it gives back when it is unloaded."""
        if self._copies is None:
            return 0
        if self.device == "cuda":
            return int(torch.cuda.memory_reserved())
        return max(0, private_memory(psutil.Process()) - self._without)

    @property
    def rows(self) -> int:
        """How many rows a batch has at most: the pieces in which long work is best asked for."""
        return ROWS[self.device]

    def _loaded(self) -> Copies:
        if self._copies is None and self.device == "cuda":
            self._copies = self._on_gpu()
        if self._copies is None:
            if self.device == "cpu":
                torch.set_num_threads(self.threads)
            self._without = private_memory(psutil.Process())
            self._copies = Copies(self.folder, self.adapters, self.device, self.bits)
        return self._copies

    def _on_gpu(self) -> Copies | None:
        """The weights on the GPU; None where its memory does not hold them, and the engine then lives on the CPU."""
        try:
            return Copies(self.folder, self.adapters, "cuda", self.bits)
        except Exception as error:
            if not isinstance(in_words(error), NoMemory):
                raise
        # The error held what was loaded before it, so this waits until the error is gone.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._settle()
        return None

    def _settle(self) -> None:
        """Makes the CPU the engine's home and says so.

        Raises:
            NoRoom: the machine's memory does not hold the models.
        """
        copies = 1 + sum(one.how == "apart" for one in self.sharing.values())
        ask_for_memory(
            read_model(self.folder),
            copies,
            "These models fit neither the GPU nor the CPU.",
            "Close other programs and try again, or use a machine with more memory.",
            self.bits,
        )
        self.settled = TOO_LARGE
        self.device = self.home = "cpu"
        if self.tell is not None:
            self.tell(TOO_LARGE)

    # Answers

    def answer(
        self,
        prompts: Sequence[Prompt],
        weights: str = BASE,
        options: Generation | None = None,
        *,
        on_token: Callable[[int, str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        cut: bool = False,
    ) -> list[Answer]:
        """One answer for each prompt, in their order.

        Args:
            weights: `base` or the name of an adapter.
            options: how; temperature 0 and at most CHAT_TOKENS tokens when left out.
            on_token: called with (number of the prompt, new text) as the text grows, and with an empty text once it
                has ended, which may be before the others have.
            should_stop: asked after every token; what is unfinished then ends as `stopped`.
            cut: drop the beginning of a prompt that does not fit the model's context, and say so in the answer.

        Raises:
            BadInput: a prompt does not fit (and `cut` is false), or the template refuses it.
            NotFound: there are no weights of that name.
        """
        options = options or Generation()
        stream = None if on_token is None else lambda number, side, text: on_token(number, text)
        tasks = self._tasks(prompts, weights, options, cut, stream)
        self.load()  # before batches are made: they are smaller where the GPU turns out to be too small
        self._run(tasks, options, should_stop)
        return [_done(task) for task in tasks]

    def pairs(
        self,
        prompts: Sequence[Prompt],
        options: Generation | None = None,
        name: str | None = None,
        *,
        tuned_prompts: Sequence[Prompt] | None = None,
        on_token: Callable[[int, str, str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        cut: bool = False,
    ) -> list[Pair]:
        """Base and tuned for each prompt, with the same options and seed.

        A few prompts are answered by both sides in one batch where the weights allow, so both stream at once. Many
        are answered side by side in batches of their own: a side that ends early then does not wait for the other.

        Args:
            name: which adapter is the tuned side; may be left out when there is one.
            tuned_prompts: what the tuned side is asked, where that differs: in a conversation each side goes on from
                its own answers.
            on_token: called with (number of the prompt, `base` or `tuned`, new text).

        For the others see `answer`.
        """
        options = options or Generation()
        name = name or next(iter(self.adapters), BASE)
        base = self._tasks(prompts, BASE, options, cut, on_token)
        tuned = self._tasks(prompts if tuned_prompts is None else tuned_prompts, name, options, cut, on_token)
        self.load()  # see `answer`
        self._run(base + tuned, options, should_stop)
        return [Pair(_done(one), _done(other)) for one, other in zip(base, tuned, strict=True)]

    def _tasks(
        self,
        prompts: Sequence[Prompt],
        weights: str,
        options: Generation,
        cut: bool,
        on_token: Callable[[int, str, str], None] | None,
    ) -> list[Task]:
        if weights != BASE and weights not in self.adapters:
            raise NotFound(
                f"There are no weights “{weights}” here.",
                f"This engine has: {', '.join([BASE, *self.adapters])}.",
                "Name one of these.",
            )
        side = BASE if weights == BASE else "tuned"
        tasks = []
        for number, prompt in enumerate(prompts):
            ids = self.encode(prompt)
            kept = self._fit(ids, options.max_new_tokens or CHAT_TOKENS, cut)
            task = Task(weights, kept, len(ids) - len(kept), prompt.seed)
            if on_token is not None:
                task.on_text = lambda text, number=number: on_token(number, side, text)
            tasks.append(task)
        return tasks

    def encode(self, prompt: Prompt) -> list[int]:
        """The ids the model reads: rendered and encoded by the code that makes the training batches."""
        if prompt.text is not None:
            return self.tokenizer.encode(prompt.text)
        return self.tokenizer.encode(self.tokenizer.render(prompt.messages, prompt.tools, add_generation_prompt=True))

    def _fit(self, ids: list[int], new: int, cut: bool) -> list[int]:
        context = self.tokenizer.max_length
        if context is None or len(ids) + new <= context:
            return ids
        room = context - new
        if not cut or room < 1:
            raise BadInput(
                "The conversation is too long for this model.",
                f"It has {len(ids):,} tokens and an answer may take {new:,}; the model reads {context:,} in all.",
                "Shorten it, or allow a shorter answer (--max-new-tokens).",
                field="prompt",
            )
        return ids[-room:]

    def _run(self, tasks: list[Task], options: Generation, should_stop: Callable[[], bool] | None) -> None:
        new = options.max_new_tokens or CHAT_TOKENS
        for batch in self._batches(tasks, new):
            with self._lock:
                self._in_parts(batch, options, new, should_stop)

    def _batches(self, tasks: list[Task], new: int) -> list[list[Task]]:
        """Tasks in batches of about equal length; base and tuned in one only where all fit into one."""
        names = {task.weights for task in tasks}
        together = all(self.sharing[name].how == "together" for name in names - {BASE})
        if together and _fits(tasks, new, self.device):
            return [tasks] if tasks else []
        batches: list[list[Task]] = []
        for task in sorted(tasks, key=lambda task: (task.weights, len(task.ids))):
            last = batches[-1] if batches else []
            if last and last[0].weights == task.weights and _fits([*last, task], new, self.device):
                last.append(task)
            else:
                batches.append([task])
        return batches

    def _in_parts(
        self, tasks: list[Task], options: Generation, new: int, should_stop: Callable[[], bool] | None
    ) -> None:
        """A batch, in halves again and again where the memory ran out; each task's answer is the same in any batch.

        What somebody watches being written is not begun anew.
        """
        try:
            return self._batch(tasks, options, new, should_stop)
        except Exception as error:
            if len(tasks) == 1 or any(task.on_text for task in tasks) or not isinstance(in_words(error), NoMemory):
                raise
        gc.collect()  # here, where the error no longer holds what the batch took
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        half = len(tasks) // 2
        for part in (tasks[:half], tasks[half:]):
            self._in_parts(part, options, new, should_stop)

    def _batch(self, tasks: list[Task], options: Generation, new: int, should_stop: Callable[[], bool] | None) -> None:
        copies = self._loaded()
        began = time.monotonic()
        texts = [Growing(self.tokenizer.decode, task.on_text) for task in tasks]
        lines = [Line(task.ids, text.add, text.finish, task.seed) for task, text in zip(tasks, texts, strict=True)]
        if should_stop is not None and should_stop():
            for line in lines:
                line.finish = "stopped"
        else:
            with copies.use([task.weights for task in tasks]) as (model, forward):
                generate(
                    model,
                    lines,
                    options,
                    max_new_tokens=new,
                    stop_ids=self.tokenizer.stop_ids,
                    pad_id=self.tokenizer.pad_id or 0,
                    should_stop=should_stop,
                    **forward,
                )
        for task, line, text in zip(tasks, lines, texts, strict=True):
            task.answer = Answer(
                text=text.finish(),
                tokens=line.tokens,
                weights=self.stamps[task.weights],
                finish=line.finish or "length",
                seconds=round((text.ended or time.monotonic()) - began, 3),
                prompt_tokens=len(task.ids),
                cut=task.cut,
            )


def _fits(tasks: Sequence[Task], new: int, device: str) -> bool:
    """Whether these make one batch: see ROWS and TOKENS. One task always does."""
    longest = max((len(task.ids) for task in tasks), default=0)
    return len(tasks) <= 1 or (len(tasks) <= ROWS[device] and len(tasks) * (longest + new) <= TOKENS[device])


def _done(task: Task) -> Answer:
    assert task.answer is not None
    return task.answer
