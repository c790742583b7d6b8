"""National id numbers, as far as python-stdnum knows to check them.

A number that is told by its form alone (123-45-6789, ABCDEF80A01H501X) counts wherever its check digits are right; one
that is a mere row of digits only beside a word that says what it is, as one in ten of any such rows passes the check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple


class Form(NamedTuple):
    """One country's id: its module in stdnum, its form, and the words one of which has to stand beside it."""

    country: str
    module: str
    pattern: re.Pattern[str]
    words: re.Pattern[str] | None


def _form(country: str, module: str, pattern: str, words: str = "") -> Form:
    near = re.compile(rf"(?:{words})", re.IGNORECASE) if words else None
    return Form(country, module, re.compile(rf"(?<![\w.+-])(?:{pattern})(?![\w-])"), near)


FORMS = (
    _form("us", "ssn", r"\d{3}-\d{2}-\d{4}"),
    _form("us", "ssn", r"\d{9}|\d{3} \d{2} \d{4}", r"\bSSNs?\b|social security"),
    _form("br", "cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}"),
    _form("ch", "ssn", r"756\.\d{4}\.\d{4}\.\d{2}"),
    _form("be", "nn", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}"),
    _form("fi", "hetu", r"\d{6}[-+A]\d{3}[0-9A-Y]"),
    _form("se", "personnummer", r"(?:19|20)?\d{6}[-+]\d{4}"),
    _form("cz", "rc", r"\d{6}/\d{3,4}"),
    _form("kr", "rrn", r"\d{6}-[1-8]\d{6}"),
    _form("it", "codicefiscale", r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]"),
    _form("mx", "curp", r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d"),
    _form("es", "dni", r"\d{8}-?[A-Z]", r"\b(?:DNI|NIF|ID|identi\w*|documento)\b"),
    _form("es", "nie", r"[XYZ]-?\d{7}-?[A-Z]"),
    _form("in", "pan", r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]"),
    _form("fr", "nir", r"[1278] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}"),
    _form("cn", "ric", r"\d{17}[\dX]"),
    _form("gb", "nhs", r"\d{3} ?\d{3} ?\d{4}", r"\bNHS\b"),
    _form("de", "idnr", r"\d{2} ?\d{3} ?\d{3} ?\d{3}", r"steuer|IdNr|\btax id"),
    _form("nl", "bsn", r"\d{9}", r"\bBSN\b|burgerservice"),
    _form("pl", "pesel", r"\d{11}", r"\bPESEL\b"),
    _form("no", "fodselsnummer", r"\d{6} ?\d{5}", r"fødselsnummer|fodselsnummer|personnummer"),
    _form("dk", "cpr", r"\d{6}-\d{4}", r"\bCPR\b"),
    _form("in", "aadhaar", r"\d{4} ?\d{4} ?\d{4}", r"aadhaar"),
    _form("ca", "sin", r"\d{3}[ -]\d{3}[ -]\d{3}", r"\bSIN\b|social insurance"),
    _form("ie", "pps", r"\d{7}[A-W][A-IW]?", r"\bPPS"),
    _form("at", "vnr", r"\d{4} ?\d{6}", r"\bSV-?N|versicherungsnummer"),
    _form("za", "idnr", r"\d{13}", r"\bID\b"),
    _form("tr", "tckimlik", r"\d{11}", r"kimlik|\bTCKN?\b"),
    _form("ro", "cnp", r"\d{13}", r"\bCNP\b"),
)
# What every form has somewhere: most texts have none, and need not be looked at form by form.
ANY = re.compile(r"\d(?:[ .\-/+]?\d){5}|[A-Z]{4,6}\d{2}|[A-Z]{5}\d{4}")
BESIDE = 48  # letters before and after in which the word has to stand


@cache
def _module(country: str, name: str) -> Any:
    from stdnum import get_cc_module

    return get_cc_module(country, name)


def national_ids(text: str) -> Iterator[tuple[int, int]]:
    """Where national ids stand in a text."""
    if not ANY.search(text):
        return
    for form in FORMS:
        if form.words is not None and not form.words.search(text):
            continue
        for match in form.pattern.finditer(text):
            start, end = match.span()
            around = text[max(0, start - BESIDE) : start] + "\n" + text[end : end + BESIDE]
            if form.words is not None and not form.words.search(around):
                continue
            if _module(form.country, form.module).is_valid(match[0].replace(" ", "")):
                yield start, end
