"""Chat templates in the manner of the known families, each with what is to be learned of an answer in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.tiny import CHATML, tiny_tokenizer

TEMPLATES = Path(__file__).parent / "templates"
BUILT_IN = Path(__file__).parents[3] / "assets" / "templates"
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the <b>weather</b>.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CALL = {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Köln"}}}


@dataclass(frozen=True)
class Family:
    """A template.

    Attributes:
        name: of its file, here or among the built-in ones.
        eos: the end token, one of `special`.
        learned: (content, whether it is the last turn) -> the text to be learned.
        system, tools: whether the template takes a system message, and calls of tools.
        first: whether the template takes a conversation that begins with the assistant.
        stops: more tokens that stop the model.
        text: the template itself, when it is not that of the file.
        end: the token that closes an answer, None where there is none.
    """

    name: str
    special: tuple[str, ...]
    eos: str
    learned: Callable[[str, bool], str]
    end: str | None
    system: bool = True
    tools: bool = False
    first: bool = True
    stops: tuple[str, ...] = ()
    bos: str | None = "<s>"
    text: str = ""

    @property
    def source(self) -> str:
        if self.text:
            return self.text
        if self.name == "tiny":
            return CHATML
        place = TEMPLATES / f"{self.name}.jinja"
        return (place if place.exists() else BUILT_IN / f"{self.name}.jinja").read_text(encoding="utf-8")

    def write(self, folder: Path) -> Path:
        special = tuple(dict.fromkeys(("<s>", "<pad>", *self.special, self.eos, *self.stops)))
        tiny_tokenizer(folder, template=self.source, special=special, bos=self.bos, eos=self.eos, pad="<pad>")
        if self.stops:
            import json

            from tokenizers import Tokenizer

            backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
            ends = [backend.token_to_id(token) for token in (self.eos, *self.stops)]
            (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
        return folder


def _visible(content: str) -> str:
    return content.rpartition("</think>")[2]


def _qwen3(content: str, last: bool) -> str:
    thought = (
        content.split("</think>")[0].rstrip("\n").split("<think>")[-1].lstrip("\n") if "</think>" in content else ""
    )
    words = _visible(content).lstrip("\n") if "</think>" in content else content
    return (
        f"<think>\n{thought.strip(chr(10))}\n</think>\n\n{words.lstrip(chr(10))}<|im_end|>"
        if last
        else f"{words}<|im_end|>"
    )


CHATML_TOKENS = ("<|im_start|>", "<|im_end|>")
FAMILIES = [
    Family("tiny", CHATML_TOKENS, "<|im_end|>", lambda c, last: c + "<|im_end|>", "<|im_end|>"),
    Family("chatml", CHATML_TOKENS, "</s>", lambda c, last: c + "<|im_end|>", "<|im_end|>"),
    Family("plain", (), "</s>", lambda c, last: " " + c + "</s>", "</s>"),
    Family(
        "llama3",
        ("<|start_header_id|>", "<|end_header_id|>", "<|end_of_text|>", "<|eot_id|>"),
        "<|end_of_text|>",
        lambda c, last: c.strip() + "<|eot_id|>",
        "<|eot_id|>",
        tools=True,
    ),
    Family(
        "mistral",
        (
            "[INST]",
            "[/INST]",
            "[TOOL_CALLS]",
            "[TOOL_RESULTS]",
            "[/TOOL_RESULTS]",
            "[AVAILABLE_TOOLS]",
            "[/AVAILABLE_TOOLS]",
        ),
        "</s>",
        lambda c, last: " " + c.strip() + "</s>",
        "</s>",
        tools=True,
        first=False,
    ),
    Family(
        "gemma",
        ("<start_of_turn>", "<end_of_turn>"),
        "<eos>",
        lambda c, last: c.strip() + "<end_of_turn>",
        "<end_of_turn>",
        system=False,
        first=False,
    ),
    Family(
        "phi3",
        ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
        "<|endoftext|>",
        lambda c, last: c + "<|end|>",
        "<|end|>",
        bos=None,
    ),
    Family("zephyr", (), "</s>", lambda c, last: c + "</s>", "</s>"),
    Family("qwen3", CHATML_TOKENS, "<|im_end|>", _qwen3, "<|im_end|>", tools=True),
    Family(
        "deepseek",
        ("<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"),
        "<｜end▁of▁sentence｜>",
        lambda c, last: _visible(c) + "<｜end▁of▁sentence｜>",
        "<｜end▁of▁sentence｜>",
    ),
    Family(
        "command",
        ("<|START_OF_TURN_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|USER_TOKEN|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>"),
        "<|END_OF_TURN_TOKEN|>",
        lambda c, last: c + "<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
        None,
    ),
    Family(
        "glm",
        ("[gMASK]", "<sop>", "<|system|>", "<|assistant|>"),
        "<|endoftext|>",
        lambda c, last: "\n" + c.strip() + ("" if last else "<|user|>"),
        None,
        stops=("<|user|>",),
    ),
    Family(
        "harmony",
        ("<|start|>", "<|channel|>", "<|message|>", "<|end|>"),
        "<|return|>",
        lambda c, last: "<|channel|>final<|message|>" + c + ("<|return|>" if last else "<|end|>"),
        "<|return|>",
    ),
    Family("unasked", CHATML_TOKENS, "<|im_end|>", lambda c, last: c + "<|im_end|>", "<|im_end|>"),
    Family("wordy", (), "</s>", lambda c, last: c + "\n### End", None),
    Family("tagged", CHATML_TOKENS, "<|im_end|>", lambda c, last: c + "<|im_end|>", "<|im_end|>"),
    Family(
        "parts",
        ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
        "<|endoftext|>",
        lambda c, last: c.strip() + "<|end|>\n",
        "<|end|>",
    ),
]
TAGGED = ("tagged", "parts")


def user(content: str) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def system(content: str) -> dict[str, Any]:
    return {"role": "system", "content": content}


CONVERSATIONS = {
    "single": [user("Hi"), assistant("Hello, how are you?")],
    "multi": [
        user("Hi"),
        assistant("Hello"),
        user(" What? "),
        assistant(" Paris \n"),
        user("x"),
        assistant("Größe 你好 🙂"),
    ],
    "same": [user("Hello"), assistant("Hello"), user("Hello"), assistant("Hello"), user("Hello"), assistant("Hello")],
    "system": [system("Be nice."), user("Hi"), assistant("Hello"), user("And?"), assistant("Rome")],
    "thinking": [
        user("Hi"),
        assistant("<think>\nwell, one\n</think>\n\nHello"),
        user("And?"),
        assistant("<think>\nwell, two\n</think>\n\nRome"),
    ],
    "first": [assistant("I am here."), user("Hi"), assistant("Yes?")],
    "headers": [
        user("<|im_end|>\n<|im_start|>assistant\n"),
        assistant("### Response:\n<|user|>"),
        user("[/INST]"),
        assistant("model\nassistant"),
    ],
}
