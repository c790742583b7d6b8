"""A model's tokenizer and chat template, read from its folder as Transformers reads them, without Transformers.

Files: tokenizer.json; tokenizer_config.json, special_tokens_map.json; chat_template.jinja,
additional_chat_templates/*.jinja;
config.json and generation_config.json for the end tokens and the number of positions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import AddedToken, Encoding, Tokenizer

from studio.batches.labels import AnswerFinder
from studio.batches.template import ChatTemplate, Message
from studio.errors import BadInput, Broken, NotFound

BUILT_IN = Path(__file__).resolve().parents[2] / "assets" / "templates"
SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
# What Transformers writes for “no limit” is 10^30.
NO_LIMIT = 10**9


class ModelTokenizer:
    """What turns conversations into token ids for one model. Made by `load`.

    Attributes:
        backend: the `tokenizers.Tokenizer`.
        special_tokens: the named ones, as templates read them (`eos_token` and so on).
        templates: the chat templates by name, as text; empty for a base model without one.
        bos_id, eos_id, pad_id: ids, None where there is none (pad falls back to eos).
        max_length: positions the model has, None when its files do not say.
    """

    def __init__(
        self,
        backend: Tokenizer,
        special_tokens: dict[str, str],
        templates: dict[str, str],
        ends: Sequence[int] = (),
        max_length: int | None = None,
        now: datetime | None = None,
    ) -> None:
        backend.no_truncation()
        backend.no_padding()
        self.backend = backend
        self.special_tokens = special_tokens
        self.templates = templates
        self.max_length = max_length
        self.now = now or datetime.now()
        self.bos_id = self._id("bos_token")
        self.eos_id = self._id("eos_token")
        self.pad_id = self.eos_id if self._id("pad_token") is None else self._id("pad_token")
        self._ends = [*ends, *([] if self.eos_id is None else [self.eos_id])]
        self._finders: dict[str, AnswerFinder] = {}

    @classmethod
    def load(cls, folder: Path | str, template: str | None = None, now: datetime | None = None) -> ModelTokenizer:
        """The tokenizer in a model's folder.

        Args:
            folder: the model's folder.
            template: a chat template to use instead of the model's own: the name of one of several that the model
                has, or of a built-in one.
            now: the time templates see that print the date; the moment of loading when left out.

        Raises:
            NotFound: there is no tokenizer.json.
            Broken: one of the files can't be read.
            BadInput: there is no template of that name, or it does not fit this tokenizer.
        """
        folder = Path(folder)
        config = _read(folder / "tokenizer_config.json")
        model = _read(folder / "config.json")
        backend = _backend(folder, config)
        tokens = _special_tokens(folder, config)
        ends = _ends(model, _read(folder / "generation_config.json"))
        if "eos_token" not in tokens and ends and (token := backend.id_to_token(ends[0])):
            tokens["eos_token"] = token
        templates = _templates(folder, config)
        if template:
            templates = {"default": _choose(template, templates, backend)}
        return cls(backend, tokens, templates, ends, _positions(model, config), now)

    def _id(self, name: str) -> int | None:
        token = self.special_tokens.get(name)
        return None if token is None else self.backend.token_to_id(token)

    @cached_property
    def special_ids(self) -> npt.NDArray[np.bool_]:
        """bool[vocabulary]: which ids are special tokens."""
        added = self.backend.get_added_tokens_decoder()
        ids = [number for number, token in added.items() if token.special]
        named = (self.backend.token_to_id(token) for token in self.special_tokens.values())
        ids += [number for number in named if number is not None]
        table = np.zeros(max([self.backend.get_vocab_size() - 1, *added]) + 1, np.bool_)
        table[ids] = True
        return table

    @cached_property
    def added_tokens(self) -> list[str]:
        """The text of every added token, the longest first, so that an alternation finds the right one."""
        added = {token.content for token in self.backend.get_added_tokens_decoder().values()}
        return sorted(added | set(self.special_tokens.values()), key=lambda text: (-len(text), text))

    @cached_property
    def stop_ids(self) -> tuple[int, ...]:
        """The ids at which an answer ends: those the model's files name, and the one its template closes it with."""
        closing = self.answers().end_token if "default" in self.templates else None
        number = None if closing is None else self.backend.token_to_id(closing)
        return tuple(dict.fromkeys([*self._ends, *([] if number is None else [number])]))

    def answers(self, tools: bool = False) -> AnswerFinder:
        """What renders conversations with or without tools and finds the answers in them.

        Raises:
            BadInput: the model has no chat template.
        """
        name = "tool_use" if tools and "tool_use" in self.templates else "default"
        if name not in self._finders:
            if name not in self.templates:
                raise _no_template(self.templates)
            template = ChatTemplate(self.templates[name], self.special_tokens, self.now)
            stops = {token for number in self._ends if (token := self.backend.id_to_token(number))}
            self._finders[name] = AnswerFinder(template, self.added_tokens, stops)
        return self._finders[name]

    def render(
        self, messages: list[Message], tools: list[dict[str, Any]] | None = None, add_generation_prompt: bool = False
    ) -> str:
        """The conversation as the text the model reads; raises BadInput when the template refuses it."""
        return self.answers(tools is not None).template.render(messages, tools, add_generation_prompt)

    def encode(self, text: str) -> list[int]:
        """The ids of rendered text; special tokens written in it are recognised, none are put around it."""
        return list(self.backend.encode(text, add_special_tokens=False).ids)

    def encode_batch(self, texts: list[str], add_special_tokens: bool = False) -> list[Encoding]:
        """The same for many texts at once, with the characters each token stands for."""
        return list(self.backend.encode_batch(texts, add_special_tokens=add_special_tokens))

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """The text of ids, with special tokens written out when `special`."""
        return str(self.backend.decode(list(ids), skip_special_tokens=not special))


def load_tokenizer(folder: Path | str, template: str | None = None, now: datetime | None = None) -> ModelTokenizer:
    """`ModelTokenizer.load`."""
    return ModelTokenizer.load(folder, template, now)


def built_in_templates() -> list[str]:
    """The names that `--template` takes for any model."""
    return sorted(path.stem for path in BUILT_IN.glob("*.jinja"))


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        data = json.loads(_text(path))
    except ValueError as error:
        raise _broken(path, str(error)) from None
    if not isinstance(data, dict):
        raise _broken(path, "it holds no JSON object")
    return data


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _broken(path, str(error)) from None


def _broken(path: Path, why: str) -> Broken:
    return Broken(
        f"The model's {path.name} can't be read.",
        f"{path}: {why}.",
        "Add the model again with `models add`; its files are damaged or incomplete.",
    )


def _backend(folder: Path, config: dict[str, Any]) -> Tokenizer:
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise NotFound(
            f"The model in {folder} has no tokenizer.",
            "There is no tokenizer.json in it, which says how text becomes tokens.",
            "Add the file from where the model came from, or choose another model (`models` lists them).",
            field="model",
        )
    try:
        backend = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise _broken(path, str(error)) from None
    known = {token.content for token in backend.get_added_tokens_decoder().values()}
    declared = sorted(config.get("added_tokens_decoder", {}).items(), key=lambda item: int(item[0]))
    backend.add_tokens([AddedToken(**token) for _, token in declared if token["content"] not in known])
    return backend


def _special_tokens(folder: Path, config: dict[str, Any]) -> dict[str, str]:
    """The named special tokens; the old special_tokens_map.json counts where Transformers still counts it."""
    found = dict(config)
    if "added_tokens_decoder" not in config:
        found |= _read(folder / "special_tokens_map.json")
    if isinstance(extra := found.get("extra_special_tokens"), dict):
        found |= extra
    names = (*SPECIAL, *(name for name in found if name.endswith("_token") and name not in SPECIAL))
    texts = {name: _content(found.get(name)) for name in names}
    return {name: text for name, text in texts.items() if text is not None}


def _content(token: Any) -> str | None:
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else None


def _templates(folder: Path, config: dict[str, Any]) -> dict[str, str]:
    """Chat templates by name; files of their own go before the one in tokenizer_config.json."""
    found = {path.stem: _text(path) for path in sorted((folder / "additional_chat_templates").glob("*.jinja"))}
    if (single := folder / "chat_template.jinja").is_file():
        found["default"] = _text(single)
    own = found or config.get("chat_template") or {}
    if isinstance(own, str):
        return {"default": own}
    try:
        return dict(own) if isinstance(own, dict) else {entry["name"]: entry["template"] for entry in own}
    except (TypeError, KeyError):
        raise _broken(folder / "tokenizer_config.json", "its chat templates have no names") from None


def _choose(name: str, own: dict[str, str], backend: Tokenizer) -> str:
    """The text of the template called `name`: one of the model's, else a built-in one that fits the tokenizer."""
    if name in own:
        return own[name]
    if name not in built_in_templates():
        raise BadInput(
            f"There is no chat template “{name}”.",
            f"The model has {', '.join(sorted(own)) or 'none'}; built in are {', '.join(built_in_templates())}.",
            f"Choose one of them, for example `--template {built_in_templates()[0]}`.",
            field="template",
        )
    if name == "chatml" and None in (backend.token_to_id("<|im_start|>"), backend.token_to_id("<|im_end|>")):
        raise BadInput(
            "The template “chatml” does not fit this model.",
            "Its tokenizer has no <|im_start|> and <|im_end|>, so the model could never learn to end an answer.",
            "Choose `--template plain`, which ends answers with the model's own end token.",
            field="template",
        )
    return (BUILT_IN / f"{name}.jinja").read_text(encoding="utf-8")


def _no_template(own: dict[str, str]) -> BadInput:
    if own:
        names = sorted(own)
        return BadInput(
            "It is not clear which chat template to use.",
            f"The model has several ({', '.join(names)}) and none of them is the default.",
            f"Choose one, for example `--template {names[0]}`.",
            field="template",
        )
    return BadInput(
        "This model has no chat template.",
        "A chat template says how a conversation is written for the model; base models often come without one.",
        "Choose a built-in one with `--template chatml` (or `--template plain`), or take the instruction-tuned model.",
        field="template",
    )


def _ends(model: dict[str, Any], generation: dict[str, Any]) -> list[int]:
    for source in (generation, model, model.get("text_config") or {}):
        ends = source.get("eos_token_id")
        if ends is not None:
            return [int(end) for end in (ends if isinstance(ends, list) else [ends])]
    return []


def _positions(model: dict[str, Any], config: dict[str, Any]) -> int | None:
    text = model.get("text_config") or {}
    limits = [model.get("max_position_embeddings"), text.get("max_position_embeddings"), config.get("model_max_length")]
    known = [int(limit) for limit in limits if isinstance(limit, (int, float)) and 0 < limit < NO_LIMIT]
    return min(known, default=None)
