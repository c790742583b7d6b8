from __future__ import annotations

import shutil
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

from backend.engine import generation
from backend.engine.conversation import Prompt
from backend.engine.engine import Engine
from backend.engine.generation import Line
from backend.engine.weights import load_model
from studio.errors import BadInput, Broken, NoRoom, NotFound
from studio.models.folder import read_model
from studio.settings.answering import Generation
from tests.adapters import adapter
from tests.backend.engine.conftest import GREEDY, PROMPTS, WARM, loop
from tests.tiny import tiny_model


def reference(model: Path, engine: Engine, prompt: Prompt, tuned: Path | None = None) -> list[int]:
    """Greedy tokens by the plainest loop there is: the whole sequence again for each token, no cache, no padding."""
    net = load_model(model, "cpu")
    if tuned:
        net = PeftModel.from_pretrained(net, str(tuned)).merge_and_unload()
    return loop(net, engine, prompt)


@pytest.mark.parametrize("options", [GREEDY, WARM])
def test_a_batch_that_memory_is_too_small_for_is_answered_in_parts(
    engine: Engine, options: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [answer.tokens for answer in engine.answer(PROMPTS, options=options)]
    asked: list[int] = []

    def little_memory(model: Any, lines: list[Line], *given: Any, **more: Any) -> None:
        asked.append(len(lines))
        if len(lines) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        generation.generate(model, lines, *given, **more)

    monkeypatch.setattr("backend.engine.engine.generate", little_memory)
    most = 3
    assert [answer.tokens for answer in engine.answer(PROMPTS, options=options)] == whole
    assert max(asked) > most and min(asked) <= most
    most = 0
    with pytest.raises(torch.OutOfMemoryError):
        engine.answer(PROMPTS[:2], options=options)
    asked.clear()
    with pytest.raises(torch.OutOfMemoryError):  # what somebody watches is not begun anew
        engine.answer(PROMPTS[:2], options=options, on_token=lambda *_: None)
    assert asked == [2]


def test_one_prompt_is_answered_in_as_many_ways_as_it_has_seeds(engine: Engine) -> None:
    tries = [Prompt(PROMPTS[0].messages, seed=seed) for seed in (4, 5, 6, 4)]
    found = [answer.tokens for answer in engine.answer(tries, options=WARM)]
    assert found[0] == found[3] == engine.answer(PROMPTS[:1], options=WARM)[0].tokens
    assert len({tuple(tokens) for tokens in found}) == 3


def test_answers_are_those_of_the_plainest_loop(model: Path, lora: Path, engine: Engine) -> None:
    for pair, prompt in zip(engine.pairs(PROMPTS[:3], GREEDY), PROMPTS, strict=False):
        assert pair.base.tokens == reference(model, engine, prompt)
        assert pair.tuned.tokens == reference(model, engine, prompt, lora)
        assert pair.base.tokens != pair.tuned.tokens


@pytest.mark.parametrize("options", [GREEDY, WARM])
def test_a_batch_answers_as_each_alone(engine: Engine, options: Generation) -> None:
    together = engine.pairs(PROMPTS, options, "tuned")
    for prompt, pair in zip(PROMPTS, together, strict=True):
        assert engine.answer([prompt], "base", options)[0].tokens == pair.base.tokens
        assert engine.answer([prompt], "tuned", options)[0].tokens == pair.tuned.tokens
    backwards = engine.pairs(PROMPTS[::-1], options, "tuned")
    assert [pair.tuned.tokens for pair in backwards[::-1]] == [pair.tuned.tokens for pair in together]


def test_many_pairs_in_batches_of_their_own_answer_as_few(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    few = engine.pairs(PROMPTS, GREEDY, "tuned")
    monkeypatch.setattr("backend.engine.engine.ROWS", {"cpu": 5})
    assert [p.base.tokens for p in engine.pairs(PROMPTS, GREEDY, "tuned")] == [p.base.tokens for p in few]


def test_adapters_do_not_mix(model: Path, engine: Engine) -> None:
    alone = Engine(model, {"other": engine.adapters["other"]}, device="cpu", threads=1)
    wanted = [answer.tokens for answer in alone.answer(PROMPTS, "other", GREEDY)]
    engine.answer(PROMPTS, "tuned", GREEDY)
    assert [answer.tokens for answer in engine.answer(PROMPTS, "other", GREEDY)] == wanted
    assert wanted != [answer.tokens for answer in engine.answer(PROMPTS, "tuned", GREEDY)]


def test_a_seed_gives_the_same_sample_and_another_seed_another(engine: Engine) -> None:
    first = engine.answer(PROMPTS, "base", WARM)
    assert [a.tokens for a in engine.answer(PROMPTS, "base", WARM)] == [a.tokens for a in first]
    other = WARM.model_copy(update={"seed": 5})
    assert [a.tokens for a in engine.answer(PROMPTS, "base", other)] != [a.tokens for a in first]


def test_threads_at_once_get_what_each_gets_alone(engine: Engine) -> None:
    wanted = {side: engine.answer(PROMPTS[:2], side, GREEDY) for side in ("base", "tuned", "other")}
    wrong: list[str] = []

    def ask(side: str) -> None:
        for _ in range(4):
            got = engine.answer(PROMPTS[:2], side, GREEDY)
            if [a.tokens for a in got] != [a.tokens for a in wanted[side]]:
                wrong.append(side)

    threads = [threading.Thread(target=ask, args=(side,)) for side in wanted for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_streams_is_what_is_answered(engine: Engine) -> None:
    said: dict[tuple[int, str], str] = {}
    pairs = engine.pairs(PROMPTS, WARM, "tuned", on_token=lambda n, side, text: said.update(
        {(n, side): said.get((n, side), "") + text}))  # fmt: skip
    for number, pair in enumerate(pairs):
        assert said.get((number, "base"), "") == pair.base.text
        assert said.get((number, "tuned"), "") == pair.tuned.text


def test_a_side_that_ends_early_says_so_while_the_other_goes_on(engine: Engine) -> None:
    (free,) = engine.pairs(PROMPTS[:1], GREEDY, "tuned")
    stop = next(token for token in free.base.tokens[:8] if token not in free.tuned.tokens)
    told: list[tuple[str, str]] = []
    engine.tokenizer.__dict__["stop_ids"] = (2, stop)
    try:
        engine.pairs(PROMPTS[:1], GREEDY, "tuned", on_token=lambda _, side, text: told.append((side, text)))
    finally:
        del engine.tokenizer.__dict__["stop_ids"]
    assert told.count(("base", "")) == told.count(("tuned", "")) == 1
    assert any(side == "tuned" and text for side, text in told[told.index(("base", "")) :])


def test_stopping_ends_every_answer_at_the_next_token(engine: Engine) -> None:
    made: list[str] = []
    options = Generation(max_new_tokens=200, temperature=1.0)
    answers = engine.answer(
        PROMPTS, "base", options, on_token=lambda n, text: made.append(text), should_stop=lambda: len(made) >= 3
    )
    assert {answer.finish for answer in answers} <= {"stopped", "stop"}
    assert "stopped" in {answer.finish for answer in answers}
    assert max(len(answer.tokens) for answer in answers) <= 3


def test_an_answer_ends_with_any_of_the_stop_ids(engine: Engine) -> None:
    free = engine.answer(PROMPTS[:1], "base", GREEDY)[0]
    assert free.finish == "length"
    assert len(free.tokens) == 12
    stop = free.tokens[4]
    first = free.tokens.index(stop)
    engine.tokenizer.__dict__["stop_ids"] = (2, stop)
    try:
        stopped = engine.answer(PROMPTS[:1], "base", GREEDY)[0]
    finally:
        del engine.tokenizer.__dict__["stop_ids"]
    assert (stopped.finish, stopped.tokens) == ("stop", free.tokens[: first + 1])


def test_generation_settings_of_the_model_do_not_change_what_greedy_means(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "opinionated"
    shutil.copytree(model, folder)
    (folder / "generation_config.json").write_text(
        '{"do_sample": true, "temperature": 9.0, "repetition_penalty": 3.0, "eos_token_id": [1, 2], "max_length": 30}'
    )
    plain, other = Engine(model, device="cpu", threads=1), Engine(folder, device="cpu", threads=1)
    assert [a.tokens for a in other.answer(PROMPTS, options=GREEDY)] == [
        a.tokens for a in plain.answer(PROMPTS, options=GREEDY)
    ]


def test_unloading_frees_and_the_next_question_loads_again(engine: Engine) -> None:
    before = engine.pairs(PROMPTS[:2], GREEDY, "tuned")
    engine.unload()
    assert not engine.loaded
    after = engine.pairs(PROMPTS[:2], GREEDY, "tuned")
    assert engine.loaded
    assert [pair.tuned.tokens for pair in after] == [pair.tuned.tokens for pair in before]


def small_gpu(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Makes a GPU believed in that holds one model and no second; the devices that models are loaded on, in order."""
    tried: list[str] = []
    held: list[weakref.ref[Any]] = []

    def load(folder: Path, device: str, bits: Any = None) -> Any:
        tried.append(device)
        assert device == "cuda" or not any(model() for model in held), "what was loaded in vain is still there"
        net = load_model(folder, "cpu", bits)
        if device == "cuda":
            held.append(weakref.ref(net))
            net.itself = [net]
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB.")
        return net

    monkeypatch.setattr("backend.engine.engine.best_device", lambda asked: "cuda")
    monkeypatch.setattr("backend.engine.weights.load_model", load)
    return tried


def test_models_too_large_for_the_gpu_answer_on_the_cpu_and_it_is_said(
    model: Path, lora: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [answer.tokens for answer in engine.answer(PROMPTS, "tuned", GREEDY)]
    monkeypatch.setattr("backend.engine.engine.ROWS", {"cuda": 128, "cpu": 5})
    tried, told, sizes = small_gpu(monkeypatch), [], []
    honest = Engine._batch
    monkeypatch.setattr(
        Engine, "_batch", lambda self, tasks, *args: (sizes.append(len(tasks)), honest(self, tasks, *args))
    )
    short = Engine(model, {"tuned": lora}, threads=1, tell=told.append)
    assert short.device == "cuda"
    assert [answer.tokens for answer in short.answer(PROMPTS, "tuned", GREEDY)] == wanted
    assert (short.device, short.home, tried, told) == ("cpu", "cpu", ["cuda", "cpu"], [short.settled])
    assert "computed on the CPU" in short.settled
    assert max(sizes) == 5  # the GPU's batches would be too large here
    short.unload()
    short.load()
    assert (tried[2:], len(told)) == (["cpu"], 1)


def test_models_too_large_for_gpu_and_memory_are_refused_in_words(
    model: Path, lora: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = small_gpu(monkeypatch)
    monkeypatch.setattr("backend.room.memory", lambda: (8 << 30, 1000))
    with pytest.raises(NoRoom, match="fit neither the GPU nor the CPU"):
        Engine(model, {"tuned": lora}, threads=1).load()
    assert tried == ["cuda"]


def test_other_errors_on_the_gpu_stay_what_they_are(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any) -> Any:
        raise Broken("The model is damaged.")

    monkeypatch.setattr("backend.engine.engine.best_device", lambda asked: "cuda")
    monkeypatch.setattr("backend.engine.weights.load_model", load)
    with pytest.raises(Broken, match="damaged"):
        Engine(model, threads=1).load()


def test_a_prompt_that_does_not_fit_is_refused_or_cut_and_marked(engine: Engine) -> None:
    long = Prompt([{"role": "user", "content": "parcel " * 700}])
    with pytest.raises(BadInput, match="too long for this model") as error:
        engine.answer([long], options=GREEDY)
    assert "512" in error.value.why
    answer = engine.answer([long], options=GREEDY, cut=True)[0]
    assert answer.prompt_tokens == 500
    assert answer.cut == len(engine.encode(long)) - 500
    assert engine.answer(PROMPTS[:1], options=GREEDY, cut=True)[0].cut == 0


def test_raw_text_goes_on_without_a_template(engine: Engine) -> None:
    answer = engine.answer([Prompt(text="The capital of")], options=GREEDY)[0]
    assert answer.prompt_tokens == len(engine.tokenizer.encode("The capital of"))


def test_unknown_weights_and_broken_folders_are_explained(model: Path, engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no weights “nobody”"):
        engine.answer(PROMPTS[:1], "nobody")
    wrong = adapter(tiny_model(tmp_path / "wide", hidden=64), tmp_path / "wrong")
    with pytest.raises(Broken, match="can't be put on its base"):
        Engine(model, {"tuned": wrong}, device="cpu").load()
    if not torch.cuda.is_available():
        with pytest.raises(BadInput, match="no cuda device"):
            Engine(model, device="cuda")


def test_a_base_in_four_bits_asks_for_the_memory_of_four_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mostly of parts that are packed, unlike the smallest model."""
    wide = tiny_model(tmp_path / "wide", hidden=256)
    weights = read_model(wide).parameters
    monkeypatch.setattr("backend.room.memory", lambda: (8 << 30, 2 * weights))
    small_gpu(monkeypatch)
    with pytest.raises(NoRoom, match="fit neither"):
        Engine(wide, threads=1).load()
    few = Engine(wide, threads=1, bits="4")
    few.load()
    assert (few.device, few.loaded) == ("cpu", True)


@pytest.mark.starter
@pytest.mark.full
def test_the_starter_knows_paris_and_answers_in_a_batch_as_alone(starter: Path, tmp_path: Path) -> None:
    tuned = adapter(starter, tmp_path / "tuned", size=0.03)
    engine = Engine(starter, {"tuned": tuned}, device="cpu")
    words = ["What is the capital of France?", "Say hello.", "Name three colours, please.", "Is water wet?"]
    prompts = [Prompt([{"role": "user", "content": text}]) for text in words]
    pairs = engine.pairs(prompts, GREEDY)
    assert pairs[0].base.text == "The capital of France is Paris."
    assert pairs[0].base.finish == "stop"
    for prompt, pair in zip(prompts, pairs, strict=True):
        assert engine.answer([prompt], "base", GREEDY)[0].tokens == pair.base.tokens
        assert engine.answer([prompt], "tuned", GREEDY)[0].tokens == pair.tuned.tokens
    assert [pair.base.tokens for pair in pairs] != [pair.tuned.tokens for pair in pairs]
