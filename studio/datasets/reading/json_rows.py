"""json and jsonl: records streamed from lines, from one array, or from the one list inside an object."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from studio.datasets.reading.decoding import LONGEST, blocks, lines, open_text
from studio.datasets.reading.records import FileReader, Record, refuse
from studio.errors import BadInput

SPACE = re.compile(r"[ \t\r\n]*")
# A decoder stopped by the end of a block fails at most this far before it (“-Infinity”, “\ud83d\ude00”).
MARGIN = 16
HALF = "it holds half a character (a lone \\u escape)"
SURROGATE = re.compile(r"\\ud[89a-f]", re.IGNORECASE)


class JsonLines(FileReader):
    """One JSON object a line; a broken line is a bad row, and reading goes on behind it."""

    kind = "jsonl"
    unit = "line"

    def __init__(self, path: Path, encoding: str) -> None:
        super().__init__(path)
        self.encoding = encoding

    def records(self) -> Iterator[Record]:
        with open_text(self.path, self.encoding) as file:
            position = file.buffer.tell
            for number, line in enumerate(lines(file, self.path), 1):
                try:
                    value = from_json(line)
                except ValueError as error:
                    if line.isspace():
                        continue
                    yield Record(number, None, json_problem(str(error), line))
                    continue
                self.done = position()
                yield as_record(number, value)


def json_problem(message: str, line: str) -> str:
    if "recursion" in message:
        return "its JSON is nested too deeply"
    if "hex escape" in message:
        return HALF
    if "EOF" in message:
        return "its JSON breaks off before its end"
    at = message.rpartition(" at line 1 column ")[2]
    return "it is not valid JSON" + (f" (at character {at})" if at.isdigit() and len(line) > 1 else "")


def as_record(line: int, value: Any) -> Record:
    """A JSON value as a record: an object's fields, or the reason why it is none."""
    if isinstance(value, dict):
        return Record(line, value) if value else Record(line, None, "it is an empty object")
    return Record(line, None, f"it is {name_of(value)}, not an object with named fields")


def name_of(value: Any) -> str:
    """What a value is, in words: “a list”, “a number”."""
    if value is None:
        return "empty (null)"
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "an object" if isinstance(value, dict) else f"a {type(value).__name__}")


class JsonArray(FileReader):
    """One JSON array of objects (or of texts), or an object with one such array in it (`{"data": [ … ]}`)."""

    kind = "json"

    def __init__(self, path: Path, encoding: str) -> None:
        super().__init__(path)
        self.encoding = encoding

    def records(self) -> Iterator[Record]:
        """Raises BadInput where the JSON breaks off or is none: what follows could not be told apart."""
        with open_text(self.path, self.encoding) as file:
            scanner = Scanner(self.path, blocks(file, self.path))
            position = file.buffer.tell
            values = scanner.array() if scanner.peek() == "[" else _inner_list(scanner)
            texts = False  # whether it is a plain list of texts
            for number, value in enumerate(values, 1):
                self.done = position()
                if number == 1:
                    texts = isinstance(value, str)
                if scanner.halves and not _storable(value):
                    yield Record(number, None, HALF)
                elif texts and isinstance(value, str):
                    yield Record(number, {"text": value}) if value.strip() else Record(number, None, "it is empty")
                else:
                    yield as_record(number, value)
            if scanner.peek():
                raise scanner.fault("something follows behind its end")


def _storable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _inner_list(scanner: Scanner) -> Iterator[Any]:
    """The objects of the one list that a JSON object holds beside plain values; a lone record when it holds none."""
    lone: dict[str, Any] = {}
    found: list[str] = []
    scanner.expect("{")
    while scanner.peek() != "}":
        name = scanner.name()
        if scanner.peek() == "[" and scanner.peek_behind() in ("{", "]") and not is_conversation(name):
            found.append(name)
            if len(found) > 1:
                raise _several(scanner.path, found)
            yield from scanner.array()
        else:
            lone[name] = scanner.value()
        if scanner.peek() != ",":
            break
        scanner.expect(",")
    scanner.expect("}")
    if not found:
        if not any(map(is_conversation, lone)) and any(isinstance(value, (list, dict)) for value in lone.values()):
            raise _several(scanner.path, list(lone))
        yield lone


def is_conversation(name: str) -> bool:
    """Whether a list under that name is one row's turns and not a list of rows."""
    return name.strip().lower() in ("messages", "conversations", "conversation", "tools", "chosen", "rejected")


def _several(path: Path, names: list[str]) -> BadInput:
    shown = ", ".join(f"“{name}”" for name in names[:5])
    return refuse(
        path,
        f"It is one JSON object with {shown} in it, and not a list of rows.",
        "Save the rows as one list, [{…}, {…}], each with its named fields (in pandas: orient='records').",
    )


class Scanner:
    """Reads JSON values one after another from blocks of text, and keeps no more than it must."""

    def __init__(self, path: Path, source: Iterator[str]) -> None:
        self.path = path
        self.source = source
        self.buffer = ""
        self.at = 0
        self.line = 1
        self.row = 0
        self.ended = False
        self.halves = False  # whether escapes were seen that may stand for half a character
        self.decode = json.JSONDecoder().raw_decode

    def _more(self) -> bool:
        """Takes in another block, as long as what is held already; False at the end of the file."""
        if self.ended:
            return False
        self.line += self.buffer.count("\n", 0, self.at)
        pieces = [self.buffer[self.at :]]
        wanted = max(1, len(pieces[0]))
        self.at = 0
        while wanted > 0 and (block := next(self.source, "")):
            pieces.append(block)
            self.halves = self.halves or SURROGATE.search(block) is not None
            wanted -= len(block)
        self.buffer = "".join(pieces)
        self.ended = wanted > 0
        return True

    def peek(self) -> str:
        """The next character that is no white space, "" at the end."""
        while True:
            self.at = SPACE.match(self.buffer, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self._more():
                return ""

    def peek_behind(self) -> str:
        """The character behind the next one, white space left out: what a list begins with."""
        while True:
            behind = SPACE.match(self.buffer, self.at + 1).end()  # type: ignore[union-attr]
            if behind < len(self.buffer) or not self._more():
                return self.buffer[behind : behind + 1]

    def expect(self, character: str) -> None:
        if self.peek() != character:
            raise self.fault(f"“{character}” is missing")
        self.at += 1

    def array(self) -> Iterator[Any]:
        """The values of the array that begins here."""
        self.expect("[")
        if self.peek() == "]":
            self.at += 1
            return
        while True:
            self.row += 1
            self.peek()
            yield self.value()
            if self.peek() == "]":
                self.at += 1
                return
            self.expect(",")
            if self.peek() == "]":
                line = self.line + self.buffer.count("\n", 0, self.at)
                raise refuse(
                    self.path,
                    f"There is a comma too many before the last bracket (line {line:,}): row {self.row + 1:,} should "
                    "follow it.",
                    "Take that comma away, or save the rows one a line as .jsonl.",
                )

    def name(self) -> str:
        """The name of an object's field, and the colon behind it."""
        if self.peek() != '"':
            raise self.fault("a name in quotation marks is missing")
        name = str(self.value())
        self.expect(":")
        return name

    def value(self) -> Any:
        """The value that begins here, read on until it is whole."""
        while True:
            self.peek()
            try:
                value, end = self.decode(self.buffer, self.at)
            except json.JSONDecodeError as error:
                broken_inside = error.pos < len(self.buffer) - MARGIN and not error.msg.startswith("Unterminated")
                if len(self.buffer) - self.at > LONGEST:
                    raise self.fault(f"a value goes on for more than {LONGEST >> 20} million characters") from None
                if broken_inside or not self._more():
                    self.at = len(self.buffer) if error.msg.startswith("Unterminated") else error.pos
                    raise self.fault("it is not valid JSON") from None
                continue
            except RecursionError:
                raise self.fault("it is nested too deeply") from None
            if end == len(self.buffer) and self._more():
                continue  # a number may go on in the next block
            self.at = end
            return value

    def fault(self, problem: str) -> BadInput:
        line = self.line + self.buffer.count("\n", 0, self.at)
        where = f"in row {self.row:,}, line {line:,}" if self.row else f"in line {line:,}"
        if self.at >= len(self.buffer) - 1 or self.peek() == "":
            return refuse(
                self.path,
                f"It breaks off {where}: its last bracket is missing.",
                "It was cut off; copy, download or export it again.",
            )
        return refuse(
            self.path,
            f"{problem[:1].upper()}{problem[1:]} {where}, near “{self.buffer[self.at : self.at + 20].strip()}”.",
            "Correct that place (a JSON checker shows it), or save the rows one a line as .jsonl.",
        )
