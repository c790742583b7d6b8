"""Marks of chat templates that stand in the text itself, where the model takes them for the real thing."""

from __future__ import annotations

import re
from collections.abc import Iterable

from studio.batches.tokenizer import ModelTokenizer
from studio.doctor.findings import Found, shown
from studio.doctor.reading import Reading

# Of the templates in use; each is looked for whatever the model, since rows are often made from another one's output.
KNOWN = (
    "<|im_start|>", "<|im_end|>", "<|im_sep|>", "<|endoftext|>", "<|end_of_text|>", "<|begin_of_text|>", "<|eot_id|>",
    "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|python_tag|>", "<|user|>", "<|assistant|>",
    "<|system|>", "<|end|>", "<|start|>", "<|message|>", "<|channel|>", "<|return|>", "<start_of_turn>",
    "<end_of_turn>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]",
    "<｜User｜>", "<｜Assistant｜>", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<|START_OF_TURN_TOKEN|>",
    "<|END_OF_TURN_TOKEN|>", "<|user_start|>", "<|assistant_start|>", "<eos>", "<bos>",
)  # fmt: skip
ROLE = r"\s*(?:system|developer|user|assistant|model|tool|ipython|function)\b"
# What stands behind a role, and not behind a word of the text that only looks like one (user interface).
ROLE_ENDS = rf"[ \t\r]*(?:\n|\Z|{'|'.join(map(re.escape, KNOWN))})"


def _turn(begins: str, ends: str) -> str:
    """What finds where a turn begins, with the role where it surely is one.

    Args:
        begins, ends: what finds the mark before the role, and that behind the words: where it follows before the next
            turn, the words may stand in the line of the role.
    """
    return rf"{begins}(?:{ROLE}(?={ROLE_ENDS}|[ \t](?:(?!{begins})(?s:.))*?(?:{ends}))|(?={ROLE}))"


# Where somebody begins to speak, with the role that is named there: it is a part of the mark, not of what is said.
OPENING = re.compile(
    "|".join(
        (
            _turn(r"<\|im_start\|>", r"<\|im_end\|>"),
            _turn("<start_of_turn>", "<end_of_turn>"),
            rf"<\|start_header_id\|>{ROLE}\s*<\|end_header_id\|>",
            _turn(r"<\|start_header_id\|>", r"<\|e(?:ot|om)_id\|>"),
            rf"<\|start\|>{ROLE}\s*<\|channel\|>\s*\w+",
            _turn(r"<\|start\|>", r"<\|(?:end|return|message)\|>"),
            r"<\|channel\|>\s*\w+\s*(?=<\|message\|>)",
            r"\[/?INST\]|<</?SYS>>|<\|(?:user|assistant|system)(?:_start)?\|>|<｜(?:User|Assistant)｜>",
            r"<\|START_OF_TURN_TOKEN\|>",
        )
    )
)
LEAST = 3  # letters of a token to be looked for


def pattern(tokenizer: ModelTokenizer | None) -> re.Pattern[str]:
    """What finds the marks of the known templates and the special tokens of a model."""
    own: list[str] = []
    if tokenizer is not None:
        added = tokenizer.backend.get_added_tokens_decoder().values()
        own = [token.content for token in added if token.special and len(token.content) >= LEAST]
    marks = sorted({*KNOWN, *own}, key=lambda mark: (-len(mark), mark))
    return re.compile("|".join(map(re.escape, marks)))


class Marks:
    """Looks for marks in every text."""

    def __init__(self, tokenizer: ModelTokenizer | None) -> None:
        self.pattern = pattern(tokenizer)
        self.marked = Found("special_tokens")

    def look(self, reading: Reading) -> None:
        pieces = []
        for who, text in reading.texts:
            if "<" not in text and "[" not in text:
                continue
            spans = [match.span() for match in self.pattern.finditer(text)]
            if spans:
                pieces.append(shown(who, text, spans))
        if pieces:
            self.marked.add(reading.number, pieces=pieces)

    def found(self) -> Iterable[Found]:
        return [self.marked] if len(self.marked) else []


def removed(text: str, marks: re.Pattern[str]) -> str | None:
    """The text without marks, and without the roles they name and the spaces and lines they leave behind.

    None where several speak in it: without the marks nobody could tell any more who said what.
    """
    if not marks.search(text):
        return text
    said = [words for part in OPENING.split(text) if (words := _cleaned(marks.sub("", part)))]
    return None if len(said) > 1 else "".join(said)


def _cleaned(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]{2,}", " ", text)).strip()
