"""Answers that teach nothing good: empty ones, echoes of the prompt, refusals, one and the same opening."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from studio.doctor.findings import Found, Piece, shown
from studio.doctor.reading import Reading, learned
from studio.doctor.sketches import PLAIN
from studio.wording import count

LEAST_ECHO = 20  # letters of a prompt that an answer has to repeat: “Yes?” “Yes.” is no echo
BEGINNING = 600  # letters in which a refusal or boilerplate stands, if at all
REFUSALS = (
    r"\bas an? (?:large )?(?:ai|artificial intelligence|language)\b",
    r"\bi(?:['’]m| am) (?:just |only |merely )?an? (?:large )?(?:ai|artificial intelligence|language model)\b",
    r"\bi['’]m (?:very |really |so )?sorry,? (?:but )?i (?:can['’]?t|cannot|am (?:not able|unable) to|won['’]t)",
    r"\bi (?:can['’]?t|cannot|am (?:not able|unable) to) (?:assist|help|comply|fulfil|provide|answer|do)\b"
    r"[^.!?\n]{0,40}\b(?:with (?:that|this)|(?:that|this|your) request|content)\b",
    r"\bmy (?:knowledge cutoff|training data (?:only|ends|goes)|last (?:knowledge )?update)\b",
    r"\bals (?:ki-)?sprachmodell\b|\bich bin (?:nur )?(?:eine ki|ein (?:ki-)?sprachmodell)\b|\bals (?:eine )?ki\b",
    r"\ben tant qu(?:e |['’])(?:intelligence artificielle|ia\b|mod[eè]le de lang)",
    r"\bcom[eo] (?:un )?(?:modelo de (?:lenguaje|linguagem)|modello linguistico|inteligencia artificial"
    r"|intelligenza artificiale|ia)\b",
)
REFUSAL = re.compile("|".join(REFUSALS), re.IGNORECASE)
OPENING_WORDS = 3
OPENING_LETTERS = 80
OPENING_SHARE, OPENING_LEAST = 0.10, 20
WORD = re.compile(r"\S+")


class Answers:
    """Looks at what is answered."""

    def __init__(self) -> None:
        self.empty, self.echoes, self.refusals = Found("empty_answers"), Found("echoes"), Found("refusals")
        self.openings: Counter[str] = Counter()
        self.opened: dict[str, list[int]] = {}
        self.texts = 0

    def look(self, reading: Reading) -> None:
        if is_empty(reading):
            asked = [shown("User", reading.prompt)] if reading.prompt else []
            self.empty.add(reading.number, pieces=[*asked, Piece("Answer", "(nothing)", [(0, 9)])])
            return
        answer = reading.answer
        if reading.row.kind in ("text", "label") or not learned(reading):
            return
        end = echoed(reading.question, answer)
        if end:
            pieces = [shown("User", reading.question), shown("Answer", answer, [(0, end)])]
            self.echoes.add(reading.number, pieces=pieces)
        refusal = REFUSAL.search(answer, 0, BEGINNING)
        if refusal:
            pieces = [shown("User", reading.prompt), shown("Answer", answer, [refusal.span()])]
            self.refusals.add(reading.number, pieces=pieces)
        self._open(reading.number, answer)

    def _open(self, number: int, answer: str) -> None:
        """Counts how an answer begins; one that says no more than its beginning has none."""
        words = WORD.findall(answer, 0, OPENING_LETTERS)
        if len(words) <= 2 * OPENING_WORDS or answer.lstrip()[:1] in "{[<":
            return
        self.texts += 1
        opening = " ".join(words[:OPENING_WORDS])
        self.openings[opening] += 1
        if len(self.openings) > 200_000:  # rare ones can't become frequent any more; they are forgotten
            self.openings = Counter({name: n for name, n in self.openings.items() if n > 1})
        places = self.opened.setdefault(opening, [])
        if len(places) < 5:
            places.append(number)

    def found(self) -> Iterable[Found]:
        yield from (found for found in (self.empty, self.echoes, self.refusals) if len(found))
        frequent = [
            (opening, n)
            for opening, n in self.openings.most_common(5)
            if n >= OPENING_LEAST and n >= OPENING_SHARE * self.texts
        ]
        if frequent:
            yield self._openings(frequent)

    def _openings(self, frequent: list[tuple[str, int]]) -> Found:
        found = Found("openings")
        for opening, _ in frequent:
            for number in self.opened[opening]:
                found.add(number)
        listed = ", ".join(f"{count(n, 'answer')} with “{opening} …”" for opening, n in frequent)
        found.facts = {"words": f"Of {count(self.texts, 'longer answer')}, {listed} begin alike; some are shown."}
        return found


def is_empty(reading: Reading) -> bool:
    """Whether nothing is answered where something should be learned."""
    row = reading.row
    if row.kind == "preference":
        return not (_said(row.chosen) and _said(row.rejected))
    if row.kind in ("text", "label"):
        return not reading.answer.strip()
    answers = [turn for turn in row.messages or [] if turn["role"] == "assistant"]
    return not answers or not all(_said([turn]) for turn in answers)


def _said(turns: list[dict[str, object]] | None) -> bool:
    return any(str(turn.get("content") or "").strip() or turn.get("tool_calls") for turn in turns or [])


def echoed(question: str, answer: str) -> int:
    """Up to which letter an answer repeats the whole question it answers; 0 when it does not.

    Case, spaces and punctuation may differ.
    """
    asked = PLAIN.sub("", question.lower())
    if len(asked) < LEAST_ECHO or len(answer) < LEAST_ECHO:
        return 0
    at = 0
    for place, letter in enumerate(answer):
        if PLAIN.match(letter):
            continue
        lowered = letter.lower()
        if not asked.startswith(lowered, at):
            return 0
        at += len(lowered)
        if at == len(asked):
            after = answer[place + 1 : place + 2]
            return 0 if after and not PLAIN.match(after) else place + 1
    return 0


def without_echo(question: str, answer: str) -> str:
    """The answer without the question it repeats; "" where nothing else is said."""
    end = echoed(question, answer)
    rest = answer[end:]
    return re.sub(r"^[\s\W_]*(?=\w)", "", rest) if re.search(r"\w", rest) else ""
