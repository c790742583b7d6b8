"""Is an exported model the one that was trained? It is loaded as anybody would load it, and must say the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from backend.engine.conversation import Prompt

# Two tokens count as equally likely within this difference of their log-probabilities. Merging in float32 moves them
# by a hundred-thousandth; storing the sum in 16 bits, as a 16-bit base is stored, by up to a few tenths.
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.3, "float16": 0.05}


@dataclass(frozen=True)
class Replay:
    """One prompt: what the engine made of it and what the exported model did.

    result: `equal`; `tie`: they part at a token that the exported model held as likely as the other; `different`.
    gap: the difference of the two tokens' log-probabilities where they part.
    """

    result: str
    prompt: str
    expected: list[int]
    got: list[int]
    gap: float | None = None


class Exported:
    """An exported folder, loaded with nothing but Transformers (and PEFT for an adapter).

    Args:
        folder: the exported model or adapter.
        base: the folder of the base that an adapter belongs to.
    """

    def __init__(self, folder: Path, base: Path | None) -> None:
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        # In float32 like the engine on a CPU, so that only the weights can make a difference.
        options: dict[str, Any] = {"dtype": torch.float32, "local_files_only": True, "trust_remote_code": False}
        model = transformers.AutoModelForCausalLM.from_pretrained(base or folder, **options)
        stored = transformers.AutoConfig.from_pretrained(base or folder, local_files_only=True).dtype
        self.tolerance = TOLERANCE["float32"] if base else TOLERANCE.get(str(stored).removeprefix("torch."), 1e-3)
        if base:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(folder), local_files_only=True, torch_device="cpu")
        self.model = model.eval()

    def replay(self, prompt: Prompt, ids: list[int], expected: list[int]) -> Replay:
        """Compares the exported tokenizer's `ids` and the exported model's greedy answer with what the engine made."""
        text, own = self._read(prompt)
        if own[-len(ids) :] != ids:
            return Replay("different", text, expected, [], None)
        got = self._answer(ids, len(expected))
        if got == expected:
            return Replay("equal", text, expected, got)
        place = next((n for n, pair in enumerate(zip(got, expected, strict=False)) if pair[0] != pair[1]), None)
        if place is None:
            return Replay("different", text, expected, got)
        gap = self._gap(ids + expected[:place], got[place], expected[place])
        return Replay("tie" if gap <= self.tolerance else "different", text, expected, got, round(gap, 6))

    def _read(self, prompt: Prompt) -> tuple[str, list[int]]:
        """The prompt as the exported tokenizer renders and encodes it."""
        text = prompt.text
        if text is None:
            text = self.tokenizer.apply_chat_template(
                prompt.messages, tools=prompt.tools, add_generation_prompt=True, tokenize=False
            )
        return text, list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _answer(self, ids: list[int], count: int) -> list[int]:
        given = torch.tensor([ids])
        config = transformers.GenerationConfig(
            do_sample=False, max_new_tokens=count, pad_token_id=self.tokenizer.pad_token_id or 0
        )
        self.model.generation_config = transformers.GenerationConfig()
        with torch.inference_mode():
            made = self.model.generate(input_ids=given, attention_mask=torch.ones_like(given), generation_config=config)
        return [int(token) for token in made[0, len(ids) :]]

    def _gap(self, ids: list[int], one: int, other: int) -> float:
        with torch.inference_mode():
            logits = self.model(torch.tensor([ids])).logits[0, -1].float()
        return abs(float(logits[one] - logits[other]))
