"""Personal data made unreadable, the sentence around it kept readable.

A label (“[e-mail]”) says what stood there. A stand-in is made up, of the same form and the same for the same original
throughout a dataset, so that who is who stays clear: it comes from a keyed hash (BLAKE2) with a key that never leaves
the dataset's folder, and is taken from what is reserved for examples, or fails its check digits, so it is nobody's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from hashlib import blake2b

from studio.doctor.personal import evened, hits
from studio.settings.doctor import Mask

LABELS = {
    "emails": "[e-mail]",
    "phones": "[phone]",
    "cards": "[card number]",
    "ibans": "[IBAN]",
    "ip_addresses": "[IP address]",
    "national_ids": "[national id]",
}
AREAS = (202, 212, 213, 303, 305, 312, 404, 415, 503, 512, 602, 617, 702, 713, 718, 804, 816, 901, 919, 972)
NETWORKS = ("192.0.2", "198.51.100", "203.0.113")  # for documentation, RFC 5737


class Masker:
    """Masks texts.

    Args:
        kinds: which personal data to mask.
        country: whose phone numbers are known without a country code.
        key: secret of the dataset, for stand-ins.
    """

    def __init__(self, kinds: Collection[str], mask: Mask, country: str, key: bytes) -> None:
        self.kinds = kinds
        self.country = country
        self.replaced: Callable[[str, str], str] = (
            (lambda kind, _: LABELS[kind]) if mask == "labels" else lambda kind, text: stand_in(kind, text, key)
        )

    def masked(self, text: str) -> str:
        parts, at = [], 0
        for kind, start, end in hits(text, self.country):
            if kind in self.kinds:
                parts += [text[at:start], self.replaced(kind, text[start:end])]
                at = end
        return "".join([*parts, text[at:]]) if parts else text


def stand_in(kind: str, original: str, key: bytes) -> str:
    """What stands for one piece of personal data; spaces, dashes and case of the original make no difference."""
    same = re.sub(r"[\s().\-/]" if kind != "emails" else r"\s", "", evened(original)).lower()
    number = int.from_bytes(blake2b(f"{kind}:{same}".encode(), key=key, digest_size=16).digest(), "big")
    match kind:
        case "emails":
            return f"person-{number % 0xFFFFFF:06x}@example.org"
        case "phones":
            return f"+1 {AREAS[number % len(AREAS)]}-555-01{number // 64 % 100:02}"
        case "cards":
            return _card(number)
        case "ibans":
            return _iban(same.upper(), number)
        case "ip_addresses":
            if ":" in original:
                return f"2001:db8::{number % 0xFFFF:x}"
            return f"{NETWORKS[number % 3]}.{1 + number // 3 % 254}"
    return f"ID-{number % 10**6:06}"


def _card(number: int) -> str:
    """16 digits that look like a card's and fail the Luhn check."""
    from stdnum import luhn

    digits = f"400000{number % 10**9:09}"
    digits += str((int(luhn.calc_check_digit(digits)) + 5) % 10)
    return " ".join(digits[at : at + 4] for at in range(0, 16, 4))


def _iban(same: str, number: int) -> str:
    """Country and length of the original, with check digits that are wrong."""
    from stdnum import iban

    body = f"{number:039}"[-(len(same) - 4) :]
    digits = next(made for check in ("00", "01") if not iban.is_valid(made := f"{same[:2]}{check}{body}"))
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))
