"""Chat templates, rendered as Transformers renders them (utils/chat_template_utils.py of 5.23).

The same sandbox, whitespace rules, filters and globals; the same `{% generation %}` tag, which marks in the template
itself what the assistant says. Checked against Transformers by tests for every template at hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.utils
from jinja2.sandbox import ImmutableSandboxedEnvironment

from studio.errors import BadInput

Message = dict[str, Any]
Span = tuple[int, int]

# Names under which models' templates look for reasoning; the first is the usual one, gpt-oss reads the second.
REASONING = ("reasoning_content", "thinking", "reasoning")


class ChatTemplate:
    """One compiled chat template.

    Args:
        source: the jinja2 text.
        variables: what it may read besides the conversation, such as `bos_token`.
        now: what `strftime_now` tells the time from, so that a run resumed tomorrow makes the same tokens.

    Raises:
        BadInput: the text is not a valid template.
    """

    def __init__(self, source: str, variables: dict[str, str], now: datetime) -> None:
        self.source = source
        self.variables = variables
        self._environment = _environment(now)
        try:
            self._compiled = self._environment.from_string(source)
        except jinja2.TemplateError as error:
            raise BadInput(
                "The chat template can't be used.",
                f"It is not valid jinja2: {error}.",
                "Correct it, or choose a built-in one, such as `--template chatml`.",
                field="template",
            ) from None

    @property
    def tracks_answers(self) -> bool:
        """Whether the template says itself which part is the assistant's, with `{% generation %}`."""
        return bool(getattr(self._environment, _Answers.FOUND))

    def render(
        self, messages: list[Message], tools: list[dict[str, Any]] | None = None, add_generation_prompt: bool = False
    ) -> str:
        """The conversation as one text.

        Raises:
            BadInput: the template refuses the conversation, in its own words.
        """
        return self._render(messages, tools, add_generation_prompt)[0]

    def render_tracked(
        self, messages: list[Message], tools: list[dict[str, Any]] | None = None
    ) -> tuple[str, list[Span]]:
        """The text, and the spans of its characters that stand in `{% generation %}` blocks."""
        return self._render(messages, tools, False)

    def _render(
        self, messages: list[Message], tools: list[dict[str, Any]] | None, prompt: bool
    ) -> tuple[str, list[Span]]:
        tracker = _Tracker()
        token = _current.set(tracker)
        try:
            for block in self._compiled.generate(
                **self.variables,
                messages=_prepared(messages),
                tools=tools,
                documents=None,
                add_generation_prompt=prompt,
            ):
                tracker.add(block)
        except Exception as error:  # a template is somebody's program: it may fail in any way
            raise BadInput(
                "The model's chat template refuses this conversation.",
                str(error) or type(error).__name__,
                "Change the order or the roles of its messages, or choose another template with `--template`.",
            ) from None
        finally:
            _current.reset(token)
        return "".join(tracker.blocks), tracker.spans


def _prepared(messages: list[Message]) -> list[Message]:
    """Messages without fields that are None (templates crash on them), reasoning under all its usual names."""
    prepared = []
    for message in messages:
        kept = {key: value for key, value in message.items() if value is not None}
        reasoning = next((kept[key] for key in REASONING if key in kept), None)
        prepared.append(kept if reasoning is None else {"thinking": reasoning, **kept, "reasoning_content": reasoning})
    return prepared


class _Tracker:
    """What was rendered so far, and where the assistant's parts lie in it."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.length = 0
        self.spans: list[Span] = []

    def add(self, block: str) -> None:
        self.blocks.append(block)
        self.length += len(block)


_current: ContextVar[_Tracker] = ContextVar("_current")


class _Answers(jinja2.ext.Extension):
    """`{% generation %} … {% endgeneration %}`: renders its body and notes where it stands."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 asks for a plain set
    FOUND = "answers_found"

    def __init__(self, environment: jinja2.Environment) -> None:
        super().__init__(environment)
        environment.extend(**{self.FOUND: False})

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        setattr(self.environment, self.FOUND, True)
        return jinja2.nodes.CallBlock(self.call_method("_note"), [], [], body).set_lineno(line)

    def _note(self, caller: Callable[[], str]) -> str:
        text = caller()
        tracker = _current.get()
        tracker.spans.append((tracker.length, tracker.length + len(text)))
        return text


def _environment(now: datetime) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Answers, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = now.strftime
    environment.globals["dict"] = _Dict()
    environment.globals["namespace"] = _Namespace
    return environment


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # jinja2's own filter escapes HTML, which no model was trained on.
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


class _Dict:
    """`dict(…)` for templates, without the type's attributes."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


class _Namespace(jinja2.utils.Namespace):
    """`namespace(…)` for templates: no name may start with an underscore, which would reach Python's internals."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, *rest = args
        attributes = dict(*rest, **kwargs)
        for name in attributes:
            _check_attribute(name)
        jinja2.utils.Namespace.__init__(self, attributes)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_attribute(name)
        super().__setitem__(name, value)


def _check_attribute(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise jinja2.exceptions.SecurityError(f"A template may not store the attribute {name!r} on a namespace.")
