"""Personal data in a text: found by form, and by check digits where a kind of number has them.

E-mail addresses, card numbers (Luhn, and the issuers' ranges), IBANs (ISO 13616 check digits), IP addresses and phone
numbers (Google's libphonenumber); national ids are in national_ids.py. What is reserved for examples (example.com,
555-01xx, documentation networks) is nobody's and is passed over, so masked rows are clean.
"""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from studio.doctor.findings import Found, Piece, shown
from studio.doctor.kinds import PERSONAL
from studio.doctor.national_ids import national_ids
from studio.doctor.reading import Reading


class Hit(NamedTuple):
    """A piece of personal data: its kind, and where it stands in the text."""

    kind: str
    start: int
    end: int


# Signs that programs put for a space or a hyphen so that no line breaks there; one for one, so places stay the same.
EVENED = str.maketrans({**dict.fromkeys("\u00a0\u2007\u2009\u202f", " "), **dict.fromkeys("\u2010\u2011", "-")})
EMAIL = re.compile(
    r"(?<![\w.+-])\w(?:[\w.+-]|(?<=\w)['’](?=\w)){0,63}@(?:[^\W_](?:[\w-]{0,62})\.){1,8}[A-Za-z]{2,24}(?![\w@])"
)
RESERVED = re.compile(r"(?:@|\.)(?:example\.(?:com|net|org)|example|test|invalid|localhost)$", re.IGNORECASE)
# A name with its size or version (icon@2x.png, lodash@latest.tgz): endings of files, none of which ends an address.
FILE = re.compile(
    r"\.(?:png|jpe?g|gif|svg|webp|avif|bmp|ico|tiff?|pdf|tgz|gz|tar|xz|rar|whl|jar|git|lock|log|jsx?|[cm]js|tsx?|s?css|html?"
    r"|json|xml|ya?ml|toml|txt|csv|exe|dll|apk|deb|rpm|dmg|woff|ttf)$",
    re.IGNORECASE,
)
REPOSITORY = re.compile(r"git@[\w.-]+[:/]\w", re.IGNORECASE)  # the name that everybody has there
DIGIT = re.compile(r"\d")
LONG_NUMBER = re.compile(r"\d(?:[ ().\-/]{0,3}\d){6}")
CARD = re.compile(
    r"(?<![\w.+-])(?<!\d )(?:\d{4}(?:\.\d{4}){3}|\d{4}\.\d{6}\.\d{5}|\d(?:[ -]?\d){12,18})"
    r"(?:(?![\w-]|[ ./]\d)|(?= (?:0?[1-9]|1[0-2]) ?[/-] ?\d\d(?:\d\d)?(?!\w)))"  # the month it ends may follow
)
# Issuer ranges with the lengths they use (ISO/IEC 7812).
ISSUERS = re.compile(
    r"4(?:\d{15}|\d{18})|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|(?:6011|65\d{2}|64[4-9]\d)\d{12,15}|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?=((?:[ -]?[A-Za-z0-9]){11,30}))")
LETTER_OR_DIGIT = re.compile(r"[A-Za-z0-9]")
IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{2,4}[0-9A-Fa-f:]{5,36}(?![\w:])")
NOT_AN_ADDRESS = re.compile(r"(?:version|release|section|chapter|§|\bv|\bver)\W{0,2}$", re.IGNORECASE)
ADDRESS_WORD = re.compile(r"\b(?:ip|host|server|address|ping|from|dns|gateway)\b[^.\n]{0,24}$", re.IGNORECASE)
PHONE = re.compile(r"(?<![\w/=#.+-])(?:\+|00)?\(?\d[\d ().\-/]{5,20}\d(?![\w-]|[.,]\d)")
PHONE_WORD = re.compile(
    r"\b(?:phone|tel\w*|call|mobile|cell|fax|text|reach|dial|whatsapp|sms|handy\w*|ruf\w*|mobil|appel\w*|portable|llam\w*"
    r"|móvil|chiam\w*|cellulare|ring|bel)\b[^.\n]{0,24}$",
    re.IGNORECASE,
)
SUM = re.compile(r"[=+*×÷^]\s*$"), re.compile(r"\s*(?:[=+*×÷^]|[/-]\s*\d)")
DATE = re.compile(r"\(?\d{1,4}[./ -]\d{1,2}[./ -]\d{1,4}\)?")
FICTIONAL = re.compile(r"55501\d\d$")
LEAST_DIGITS, MOST_DIGITS = 8, 15
COUNTRIES = {
    "en": "US", "de": "DE", "fr": "FR", "es": "ES", "it": "IT", "pt": "BR", "nl": "NL", "pl": "PL", "sv": "SE",
    "da": "DK", "no": "NO", "fi": "FI", "cs": "CZ", "ru": "RU", "tr": "TR", "ja": "JP", "ko": "KR", "zh": "CN",
    "hi": "IN", "el": "GR", "hu": "HU", "ro": "RO", "uk": "UA",
}  # fmt: skip
# Where every national number begins with a 0, or has a form of its own; elsewhere a word has to say that it is one.
TRUNK = {"DE", "FR", "GB", "NL", "IT", "SE", "FI", "TR", "JP", "KR", "CN", "IN", "AT", "CH", "BE", "AU", "UA", "RO"}
AMERICAN = re.compile(r"(?:1[ .-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}")


def hits(text: str, country: str) -> list[Hit]:
    """All personal data in a text, in its order, none overlapping another.

    Args:
        country: whose phone numbers are known without a country code, as US.
    """
    text = evened(text)
    found = list(emails(text)) if "@" in text else []
    if LONG_NUMBER.search(text):
        found += [*ibans(text), *cards(text)]
        found += [Hit("national_ids", *span) for span in national_ids(text)]
        found += [*addresses(text), *phones(text, country)]
    elif DIGIT.search(text):
        found += [Hit("national_ids", *span) for span in national_ids(text)]
        found += addresses(text)
    return _apart(found)


def evened(text: str) -> str:
    """The text with common spaces and hyphens, each where it was."""
    return text if text.isascii() else text.translate(EVENED)


def _apart(found: list[Hit]) -> list[Hit]:
    """Where two overlap, the one whose kind was looked for first stays."""
    kept: list[Hit] = []
    starts: list[int] = []
    for hit in found:
        at = bisect(starts, hit.start)
        free = (at == 0 or kept[at - 1].end <= hit.start) and (at == len(kept) or hit.end <= kept[at].start)
        if free:
            kept.insert(at, hit)
            starts.insert(at, hit.start)
    return kept


def emails(text: str) -> Iterator[Hit]:
    for match in EMAIL.finditer(text):
        if not (RESERVED.search(match[0]) or FILE.search(match[0]) or REPOSITORY.match(text, match.start())):
            yield Hit("emails", *match.span())


def cards(text: str) -> Iterator[Hit]:
    from stdnum import luhn

    for match in CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        reckoned = SUM[0].search(text[max(0, match.start() - 4) : match.start()]) or SUM[1].match(text, match.end())
        if ISSUERS.fullmatch(digits) and len(set(digits)) > 1 and not reckoned and luhn.is_valid(digits):
            yield Hit("cards", *match.span())


def ibans(text: str) -> Iterator[Hit]:
    from stdnum import iban

    for match in IBAN.finditer(text):
        length = _iban_length(match[0][:2].upper())
        if not length:
            continue
        candidate = match[0] + match[1]
        ends = [sign.end() for sign in LETTER_OR_DIGIT.finditer(candidate)]
        if len(ends) < length:
            continue
        candidate = candidate[: ends[length - 1]]  # what follows it is not part of it
        end = match.start() + len(candidate)
        if iban.is_valid(candidate) and not _goes_on(candidate, text[end : end + 1]):
            yield Hit("ibans", match.start(), end)


@cache
def _iban_length(country: str) -> int:
    """How many letters and digits every IBAN of a country has; 0 where there are none, as of most pairs of letters."""
    from stdnum import numdb

    (_, about), *_ = numdb.get("iban").info(country)
    return sum(map(int, re.findall(r"\d+", about["bban"])), 4) if "bban" in about else 0


def _goes_on(candidate: str, after: str) -> bool:
    """Whether a letter or digit stands right behind; capitals behind capitals (DE89…00BIC) are another word."""
    return after.isalnum() and not (after.isupper() and candidate.isupper())


def addresses(text: str) -> Iterator[Hit]:
    for match in IPV4.finditer(text):
        before = text[max(0, match.start() - 32) : match.start()]
        parts = list(map(int, match[0].split(".")))
        likely = max(parts) >= 32 or ADDRESS_WORD.search(before)
        if likely and not NOT_AN_ADDRESS.search(before) and _public(match[0]):
            yield Hit("ip_addresses", *match.span())
    for match in IPV6.finditer(text):
        if match[0].count(":") > 2 and _public(match[0]):
            yield Hit("ip_addresses", *match.span())


def _public(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False


def phones(text: str, country: str) -> Iterator[Hit]:
    for match in PHONE.finditer(text):
        number, digits = match[0], re.sub(r"\D", "", match[0])
        if not LEAST_DIGITS <= len(digits) <= MOST_DIGITS or DATE.fullmatch(number) or FICTIONAL.search(digits):
            continue
        before = text[max(0, match.start() - 40) : match.start()]
        likely = number.startswith(("+", "00")) or _national(number, country) or PHONE_WORD.search(before)
        if likely and _dials(number, country):
            yield Hit("phones", *match.span())


def _national(number: str, country: str) -> bool:
    """Whether a number looks like one that is dialled in its country, even where no word says so."""
    if country in ("US", "CA"):
        return AMERICAN.fullmatch(number) is not None
    parted = re.search(r"\d[ ().\-/]+\d", number) is not None
    return country in TRUNK and parted and number.lstrip("(").startswith("0")


def _dials(number: str, country: str) -> bool:
    import phonenumbers

    number = f"+{number[2:]}" if number.startswith("00") else number
    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(number, country)))
    except phonenumbers.NumberParseException:
        return False


class Personal:
    """Looks for personal data in every text."""

    def __init__(self, country: str) -> None:
        self.country = country
        self.kinds = {kind: Found(kind) for kind in PERSONAL}

    def look(self, reading: Reading) -> None:
        marked: dict[str, list[Piece]] = defaultdict(list)
        for who, text in reading.texts:
            spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
            for hit in hits(text, self.country):
                spans[hit.kind].append((hit.start, hit.end))
            for kind, places in spans.items():
                marked[kind].append(shown(who, text, places))
        for kind, pieces in marked.items():
            self.kinds[kind].add(reading.number, pieces=pieces)

    def found(self) -> Iterable[Found]:
        return [found for found in self.kinds.values() if len(found)]
