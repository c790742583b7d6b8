"""Rows in another language than most of the set (py3langid, after Lui and Baldwin 2012), judged by what they answer."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any

from studio.doctor.findings import Found, Piece, shown
from studio.doctor.reading import Reading
from studio.wording import count

LETTERS = 60  # fewer say too little about the language
LOOKED_AT = 400  # letters; more make it hardly surer
SURE = 0.99
# Closely related languages that a few sentences don't tell apart.
KIN = (
    {"no", "nb", "nn", "da", "sv"}, {"hr", "sr", "bs", "sl"}, {"id", "ms"}, {"cs", "sk"}, {"gl", "pt", "es", "an"},
    {"ca", "es", "oc"}, {"af", "nl"}, {"uk", "ru", "be", "bg", "mk"}, {"hi", "mr", "ne"},
    {"fa", "ar", "ur", "ug", "ps"}, {"zh", "ja"},
)  # fmt: skip
NOT_WORDS = re.compile(r"```.*?(?:```|$)|`[^`\n]*`|https?://\S+|\S+@\S+|[\d_{}\[\]<>=|\\/#*;:$%&+()\"-]+", re.DOTALL)
LETTER = re.compile(r"[^\W\d_]")
NAMES = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese",
    "nl": "Dutch", "pl": "Polish", "ru": "Russian", "zh": "Chinese", "ja": "Japanese", "ko": "Korean", "ar": "Arabic",
    "tr": "Turkish", "sv": "Swedish", "da": "Danish", "no": "Norwegian", "fi": "Finnish", "cs": "Czech",
    "el": "Greek", "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian", "ro": "Romanian", "uk": "Ukrainian",
    "vi": "Vietnamese", "th": "Thai", "id": "Indonesian", "ca": "Catalan", "la": "Latin",
    "gu": "Gujarati", "bn": "Bengali", "ta": "Tamil", "te": "Telugu", "mr": "Marathi", "ur": "Urdu", "fa": "Persian",
    "bg": "Bulgarian", "hr": "Croatian", "sr": "Serbian", "sk": "Slovak", "sl": "Slovenian", "et": "Estonian",
    "lv": "Latvian", "lt": "Lithuanian", "sw": "Swahili", "af": "Afrikaans", "gl": "Galician", "eu": "Basque",
}  # fmt: skip


@cache
def identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def language(text: str) -> tuple[str, float]:
    """(code, how sure) of a text; ("", 0) when it has too few words to tell."""
    words = " ".join(NOT_WORDS.sub(" ", text[: 4 * LOOKED_AT]).split())[:LOOKED_AT]
    if len(words) < LETTERS or len(LETTER.findall(words)) < LETTERS:
        return "", 0.0
    code, sure = identifier().classify(words)
    return str(code), float(sure)


def _kin(code: str) -> set[str]:
    """A language, and those it is taken for."""
    return {code}.union(*(family for family in KIN if code in family))


def named(code: str) -> str:
    return NAMES.get(code, code)


class Languages:
    """Counts the languages of the rows; a byte a row is kept."""

    def __init__(self) -> None:
        self.codes: list[str] = [""]
        self.numbers, self.spoken = array("i"), array("h")
        self.sample: dict[str, list[tuple[int, str]]] = {}

    def look(self, reading: Reading) -> None:
        text = reading.answer if len(reading.answer) >= 2 * LETTERS else f"{reading.prompt}\n{reading.answer}"
        code, sure = language(text)
        if not code or sure < SURE:
            return
        if code not in self.codes:
            self.codes.append(code)
        self.numbers.append(reading.number)
        self.spoken.append(self.codes.index(code))
        kept = self.sample.setdefault(code, [])
        if len(kept) < 3:
            kept.append((reading.number, text))

    @property
    def main(self) -> str:
        """The language of most rows, "" when none is."""
        counts = Counter(self.spoken)
        if not counts:
            return ""
        code, most = counts.most_common(1)[0]
        return self.codes[code] if most > len(self.spoken) / 2 else ""

    def found(self) -> Iterable[Found]:
        if self.main:
            yield from self._others(self.main)
        elif self.spoken:
            yield from self._several()

    def _several(self) -> Iterable[Found]:
        """What there is where no language has most of the rows; not where one and its kin have."""
        counts = Counter(self.codes[spoken] for spoken in self.spoken)
        first = counts.most_common(1)[0][0]
        if sum(counts[code] for code in _kin(first)) > len(self.spoken) / 2:
            return
        found = Found("several_languages")
        for number, spoken in zip(self.numbers, self.spoken, strict=True):
            if (code := self.codes[spoken]) != first:
                found.add(number, pieces=self._pieces(number, code))
        shares = ", ".join(f"{named(code)} {n / len(self.spoken):.0%}" for code, n in counts.most_common(5))
        found.facts = {
            "words": f"Of {count(len(self.spoken), 'row')} whose language can be told: {shares}.",
            "counts": [(named(code), n) for code, n in counts.most_common(12)],
        }
        yield found

    def _pieces(self, number: int, code: str) -> list[Piece] | None:
        text = next((text for at, text in self.sample.get(code, ()) if at == number), None)
        return None if text is None else [shown(named(code), text)]

    def _others(self, main: str) -> Iterable[Found]:
        """The rows in another language than most, closely related ones aside."""
        kin = _kin(main)
        found = Found("languages")
        counts: Counter[str] = Counter()
        for number, spoken in zip(self.numbers, self.spoken, strict=True):
            code = self.codes[spoken]
            if code not in kin:
                counts[code] += 1
                found.add(number, pieces=self._pieces(number, code))
        if counts:
            listed = ", ".join(f"{named(code)} {n:,}" for code, n in counts.most_common(5))
            words = f"{count(len(found), 'row')}: most of the set is {named(main)}, these are not ({listed})."
            found.facts = {"words": words, "main": main}
            yield found
