"""Personal data: what is valid is found and masked, what only looks like it is left alone."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban, luhn

from studio.doctor.masking import LABELS, Masker, stand_in
from studio.doctor.national_ids import national_ids
from studio.doctor.personal import hits, ibans
from tests.studio.doctor import planted

KEY = b"a key of a dataset"
DRAWS = st.integers(0, 2**32).map(random.Random)
DIGITS = st.text("0123456789", min_size=12, max_size=12)


def kinds(text: str, country: str = "US") -> list[str]:
    return [kind for kind, _, _ in hits(text, country)]


@given(DIGITS, st.sampled_from([" ", "-", ""]))
def test_a_card_number_is_one_with_the_right_check_digit_and_no_other(digits, between):
    number = f"400{digits}"
    right = luhn.calc_check_digit(number)
    for last in "0123456789":
        whole = number + last
        text = f"Charged to {between.join(whole[at : at + 4] for at in range(0, 16, 4))} today."
        assert ("cards" in kinds(text)) == (last == right)


@given(st.sampled_from([("DE", 18), ("AT", 16), ("CH", 17), ("ES", 20)]), st.data(), st.booleans())
def test_an_iban_is_one_with_the_right_check_digits_and_no_other(form, data, parted):
    country, length = form
    body = data.draw(st.text("0123456789", min_size=length, max_size=length))
    digits = iban.calc_check_digits(f"{country}00{body}")
    whole = f"{country}{digits}{body}"
    shown = " ".join(whole[at : at + 4] for at in range(0, len(whole), 4)) if parted else whole
    valid = iban.is_valid(whole)  # Spanish ones have check digits of their own inside
    assert ("ibans" in kinds(f"Pay to {shown} please")) == valid
    wrong = f"{country}{(int(digits) + 1) % 97:02}{body}"
    assert "ibans" not in kinds(f"Pay to {wrong} please")


@pytest.mark.parametrize(("code", "most"), [("ab12 cd ", 0), ("de12 fr ", 1)])
def test_short_codes_are_hardly_ever_held_against_the_rules_of_ibans(monkeypatch, code, most):
    """Which cost far more than to see that the letters are no country's, or that there are too few of them."""
    asked = []
    check = iban.is_valid
    monkeypatch.setattr(iban, "is_valid", lambda number: asked.append(number) or check(number))
    assert not list(ibans(code * 100))
    assert len(asked) <= most * 100


@given(DRAWS)
def test_what_the_planter_makes_is_found_whole(draw):
    makers = {"emails": planted.email, "phones": planted.phone, "cards": planted.card, "ibans": planted.account,
              "ip_addresses": planted.address, "national_ids": planted.national_id}  # fmt: skip
    for kind, make in makers.items():
        assert kinds(make(draw)) == [kind]


FOUND = {
    "emails": [
        "Ask anna.mueller+x@firma-web.co.uk!",
        "mail:o'neil@x.io, please",
        "<jürgen@müller.de>",
        "said 'ann@firma.de' twice",
    ],
    "phones": ["Call (415) 555-2671 now", "Tel. 415-867-5309", "+44 20 7946 0958", "0044 20 7946 0958"],
    "cards": [
        "4539 1488 0343 6467",
        "Amex 3782-822463-10005",
        "5555555555554444",
        "4539.1488.0343.6467.",
        "4539\u00a01488\u00a00343\u00a06467",
        "4539\u202f1488\u202f0343\u202f6467",
        "4539‑1488‑0343‑6467",
        "4539 1488 0343 6467 12/26 123",
        "4539148803436467 1/2026",
        "4539 1488 0343 6467 09-27",
    ],
    "ibans": [
        "IBAN GB82 WEST 1234 5698 7654 32 BIC ABCD",
        "DE89370400440532013000.",
        "DE89370400440532013000BIC",
        "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000",
        "DE89-3704-0044-0532-0130-00",
        "de89 3704 0044 0532 0130 00 is mine",
        "from ab12 to de89370400440532013000",
    ],
    "ip_addresses": ["from 81.2.69.142", "the server at 8.8.8.8", "2a00:1450:4001:81b::200e"],
    "national_ids": [
        "SSN 536-90-4399",
        "SSN 536904399",
        "social security number 536\u00a090\u00a04399",
        "BSN 111222333",
        "CPF 111.444.777-35",
        "RSSMRA85T10A562S",
    ],
}
CLEAN = (
    "write to sales@example.com or me@host.localhost", "call 202-555-0143", "order 4539148803436468", "v8.8.8.8 is out",
    "127.0.0.1 and 192.168.1.20", "section 1.2.3.4", "at 12:30:45 on 2024-03-15", "20.03.2024 - 21.03.2024",
    "256626720691 + 1646615806005 = 4212883012996", "4539148803436467 = a + b", "ISBN 978-3-16-148410-0",
    "GB82 WEST 1234 5698 7654 33", "111222333 pieces", "123-45-678", "@someone said @ 5", "a@b", "1,234,567,890",
    "std::vector<int>::iterator", "1990 2000 2010 2020", "icon@2x.png", "lodash@latest.tgz", "a@1.2.3.JSON",
    "git@github.com:x/y.git", "GIT@GITHUB.COM:X", "ssh://git@git.firma.de/x/y", "4539.1488.0343.6468",
    "4.539148803436467", "4539148803436467.25",
    "4539\u00a01488\u00a00343\u00a06468 12/26", "4539 1488 0343 6467 1234 5678",
    "DE89-3704-0044-0532-0130-01", "de89 3704 0044 0532 0130 01", "de89370400440532013000a", "part 536904399",
    "GB82\u00a0WEST\u00a01234\u00a05698\u00a07654\u00a033",
)  # fmt: skip


@pytest.mark.parametrize("kind, text", [(kind, text) for kind, texts in FOUND.items() for text in texts])
def test_personal_data_is_found(kind, text):
    assert kind in kinds(text)


@pytest.mark.parametrize("text", CLEAN)
def test_what_only_looks_like_it_is_left_alone(text):
    assert kinds(text) == []


@pytest.mark.parametrize(
    "text, clean",
    [
        ("Ask o'brien@mail.com today", "Ask [e-mail] today"),
        ("Ask d’arcy+x@mail.com today", "Ask [e-mail] today"),
        ("Charged to 4539 1488 0343 6467 12/26 123", "Charged to [card number] 12/26 123"),
        ("Pay de89\u202f3704\u202f0044\u202f0532\u202f0130\u202f00 now", "Pay [IBAN] now"),
        ("Pay DE89 3704 0044 0532 0130 00 DE89370400440532013000", "Pay [IBAN] [IBAN]"),
    ],
)
def test_what_is_masked_is_masked_whole(text, clean):
    assert Masker(LABELS, "labels", "US", b"").masked(text) == clean


def test_national_numbers_need_their_country():
    assert kinds("Ruf an: 030 23125001", "DE") == ["phones"]
    assert kinds("Nummer 030 23125001", "US") == []


def test_a_row_of_digits_needs_the_word_that_says_what_it_is():
    assert [*national_ids("Der PESEL 44051401359 gilt.")] == [(10, 21)]
    assert not [*national_ids("Das Los 44051401359 gilt.")]


def test_a_label_keeps_the_sentence_readable():
    masker = Masker(LABELS, "labels", "US", b"")
    text = "Write to ann@firma.de or call (415) 867-5309, from 81.2.69.142."
    assert masker.masked(text) == "Write to [e-mail] or call [phone], from [IP address]."
    assert Masker({"emails"}, "labels", "US", b"").masked(text).startswith("Write to [e-mail] or call (415)")


@given(DRAWS)
def test_a_stand_in_is_always_the_same_and_is_no_personal_data(draw):
    for make in (planted.email, planted.phone, planted.card, planted.account, planted.address, planted.national_id):
        text = make(draw)
        [(kind, start, end)] = hits(text, "US")
        masked = Masker({kind}, "stand-ins", "US", KEY).masked(text)
        assert masked == Masker({kind}, "stand-ins", "US", KEY).masked(text) != text
        assert masked.startswith(text[:start]) and masked.endswith(text[end:])
        assert kinds(masked) == []


def test_one_original_has_one_stand_in_however_it_is_written():
    written = ("4539 1488 0343 6467", "4539-1488-0343-6467", "4539148803436467", "4539‑1488\u00a00343.6467")
    assert len({stand_in("cards", text, KEY) for text in written}) == 1
    assert stand_in("emails", "Ann@Firma.de", KEY) == stand_in("emails", "ann@firma.de", KEY)
    assert stand_in("emails", "ann@firma.de", KEY) != stand_in("emails", "ann@firma.de", b"another")
    assert stand_in("ibans", "DE89 3704 0044 0532 0130 00", KEY).startswith("DE0")
    assert stand_in("ip_addresses", "2a00:1450::1", KEY).startswith("2001:db8::")


@given(st.text(max_size=300))
def test_any_text_can_be_looked_at_and_masked(text):
    found = hits(text, "DE")
    assert all(0 <= start < end <= len(text) for _, start, end in found)
    Masker(LABELS, "stand-ins", "DE", KEY).masked(text)
