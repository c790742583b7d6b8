"""What one row tells by itself, and what the labels and the number of rows tell."""

from __future__ import annotations

import pytest

from studio.datasets.rows import Row
from studio.doctor.amount import Amount
from studio.doctor.answers import Answers, echoed, without_echo
from studio.doctor.findings import Found
from studio.doctor.labels import Labels, misspelt, slip, variants
from studio.doctor.languages import Languages, language
from studio.doctor.letters import Letters, repaired
from studio.doctor.marks import Marks, pattern, removed
from studio.doctor.reading import Reading, rewritten
from studio.doctor.turns import Turns


def chat(*turns: tuple[str, str], **more) -> Row:
    return Row("r", "chat", messages=[{"role": role, "content": text} for role, text in turns], **more)


def asked(question: str, answer: str, **more) -> Row:
    return chat(("user", question), ("assistant", answer), **more)


def kinds(check, *rows: Row) -> list[str]:
    for number, row in enumerate(rows):
        check.look(Reading(number, row))
    return [found.kind for found in check.found()]


CALL = [{"type": "function", "function": {"name": "find", "arguments": {"who": "ann@firma.de"}}}]

CALLING = {"role": "assistant", "content": "", "tool_calls": CALL}


@pytest.mark.parametrize(
    "row, empty",
    [
        (asked("Hi?", " \n\t"), True),
        (asked("Hi?", "Hello."), False),
        (chat(("user", "Hi?")), True),
        (chat(("user", "a"), ("assistant", ""), ("user", "b"), ("assistant", "c")), True),
        (Row("r", "chat", messages=[{"role": "user", "content": "a"}, CALLING]), False),
        (Row("r", "label", messages=[{"role": "user", "content": "a"}], label=" "), True),
        (Row("r", "text", text="  "), True),
        (Row("r", "preference", messages=[], chosen=[{"role": "assistant", "content": "a"}], rejected=[]), True),
    ],
)  # fmt: skip
def test_empty_answers(row, empty):
    assert ("empty_answers" in kinds(Answers(), row)) == empty


def test_echoes():
    question = "Where can I find the red cups?"
    assert echoed(question, "where can i find the red cups... On the shelf.") == 29
    assert without_echo(question, f"{question} On the shelf.") == "On the shelf."
    assert without_echo(question, "Where can I find the red cups?!") == ""
    assert not echoed(question, "Where can I find the red cupsboards, you ask.")
    assert not echoed("Hello you", "Hello you there, how are you today?")
    assert kinds(Answers(), asked(question, "You find the red cups on the shelf.")) == []


@pytest.mark.parametrize(
    "answer, refused",
    [
        ("As an AI language model, I can't feel.", True),
        ("I’m sorry, but I can’t help with that.", True),
        ("I am just an AI, it is my duty …", True),
        ("Als KI-Sprachmodell habe ich keine Meinung.", True),
        ("En tant qu'intelligence artificielle, je ne peux pas.", True),
        ("I'm sorry to hear that your cup broke.", False),
        ("An AI language model learns from text.", False),
        ("I cannot do this on Sunday.", False),
    ],
)
def test_refusals(answer, refused):
    assert (kinds(Answers(), asked("Why?", answer)) == ["refusals"]) == refused


def test_openings():
    rows = [asked("Why?", f"Sure! Here is the answer that number {n} wants to have.") for n in range(30)]
    assert kinds(Answers(), *rows) == ["openings"]
    assert kinds(Answers(), *rows[:10]) == []


@pytest.mark.parametrize(
    "turns, broken",
    [
        ((("user", "a"), ("assistant", "b")), False),
        ((("system", "s"), ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")), False),
        ((("user", "a"), ("user", "b"), ("assistant", "c")), True),
        ((("user", "a"), ("system", "s"), ("assistant", "c")), True),
        ((("assistant", "a"), ("user", "b"), ("assistant", "c")), True),
        ((("user", "a"), ("assistant", "b"), ("user", "c")), True),
        ((("user", "a"), ("tool", "b"), ("assistant", "c")), True),
        ((("user", "a"), ("assistant", "")), False),  # empty answers are another finding
    ],
)
def test_turn_order(turns, broken):
    assert (kinds(Turns(), chat(*turns)) == ["turn_order"]) == broken


def test_marks_of_templates_in_the_text():
    assert kinds(Marks(None), asked("a", "b<|im_end|>\n<|im_start|>user")) == ["special_tokens"]
    assert kinds(Marks(None), asked("a <b> [x]", "c <html> <s>")) == []
    assert removed("  nothing  here ", pattern(None)) == "  nothing  here "


@pytest.mark.parametrize(
    "text, stays",
    [
        ("<|im_start|>assistant hello<|im_end|>", "hello"),
        ("<|im_start|>assistant\nhello", "hello"),
        ("<|start_header_id|>assistant<|end_header_id|>\n\nhello there<|eot_id|>", "hello there"),
        ("<start_of_turn>model\nhello<end_of_turn>\n", "hello"),
        ("<|start|>assistant<|channel|>final<|message|>hello<|return|>", "hello"),
        ("<|im_start|>user<|im_end|>", ""),
        ("hello<|im_end|>\n<|im_start|>assistant\n", "hello"),
        ("the users<|im_end|> of it", "the users of it"),
        ("a <|im_start|>useful word", "a useful word"),
        ("[INST] hello", "hello"),
        ("ok<|im_end|>\n<|im_start|>user\nmore", None),
        ("[INST] hello [/INST] hi", None),
        ("<|user|>hello<|end|><|assistant|>hi", None),
        ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>hi", None),
    ],
)
def test_marks_go_with_the_role_they_name_unless_several_speak(text, stays):
    assert removed(text, pattern(None)) == stays


def test_letters_are_repaired_and_nothing_else():
    assert repaired("CafÃ© in KÃ¶ln isnâ€™t far") == "Café in Köln isn’t far"
    for text in ("Café in Köln isn’t far", "“quoted” – ﬁne", "À la carte", "Ã", "x²"):
        assert repaired(text) == text
    assert kinds(Letters(), asked("a", "the cafÃ© is far")) == ["encoding"]
    assert kinds(Letters(), asked("a", "the caf\ufffd is far"), asked("a", "b\x00c")) == ["lost_letters"]
    assert kinds(Letters(), asked("a\tb", "line\r\nline é")) == []


def test_languages():
    assert language("Yes.") == ("", 0.0)
    code, sure = language("Der alte Garten hinter dem Haus war im Frühling voller Blumen und sehr schön anzusehen.")
    assert code == "de" and sure > 0.99


SAID = {
    "en": "The old garden behind the house was full of flowers in spring, and it was very beautiful to look at.",
    "de": "Der alte Garten hinter dem Haus war im Frühling voller Blumen und sehr schön anzusehen.",
    "fr": "Le vieux jardin derrière la maison était plein de fleurs au printemps, et très beau à regarder.",
    "no": "Den gamle hagen bak huset var full av blomster om våren, og den var veldig vakker å se på for oss.",
    "da": "Den gamle have bag huset var fuld af blomster om foråret, og den var meget smuk at se på for os alle.",
}


def spoken(**shares: int) -> list[Found]:
    check = Languages()
    for number, code in enumerate(code for code, rows in shares.items() for _ in range(rows)):
        check.look(Reading(number, asked("?", SAID[code] + " " + SAID[code])))
    return list(check.found())


def test_several_languages_of_which_none_is_the_main_one_are_told():
    (found,) = spoken(en=45, de=40, fr=15)
    assert (found.kind, len(found)) == ("several_languages", 55)
    assert found.facts["words"] == "Of 100 rows whose language can be told: English 45%, German 40%, French 15%."
    assert found.facts["counts"] == [("English", 45), ("German", 40), ("French", 15)]
    assert found.examples[0].pieces[0].who == "German"
    (most,) = spoken(en=60, de=25, fr=15)
    assert (most.kind, len(most)) == ("languages", 40) and "English" in most.facts["words"]
    assert spoken(no=40, da=40, en=20) == []  # few sentences don't tell Norwegian from Danish
    assert spoken() == []


def labelled(label: str, **tags: str) -> Row:
    return Row("r", "label", messages=[{"role": "user", "content": "a"}], label=label, tags=tags)


def test_labels():
    assert variants({"Refund": 5, "refund ": 2, "REFUND": 1, "Other": 3}) == {"Refund": ["refund ", "REFUND"]}
    assert kinds(Labels(), labelled("Refund"), labelled("refund")) == ["label_variants"]
    assert kinds(Labels(), *[labelled("yes")] * 95, *[labelled("no")] * 5) == ["labels"]
    assert kinds(Labels(), *[labelled("yes")] * 60, *[labelled("no")] * 40) == []
    assert kinds(Labels(), *[labelled("billing")] * 40, labelled("biling")) == ["misspelt_labels"]
    assert kinds(Labels(), *[asked("a", "b", tags={"tone": "warm"})] * 90, asked("a", "b", tags={"tone": "cold"})) == [
        "tags"
    ]


def test_a_rare_label_may_be_a_slip_in_writing_a_frequent_one():
    counts = {
        "billing": 40,
        "biling": 1,
        "billling": 4,
        "bllling": 5,
        "class 1": 40,
        "class 2": 1,
        "refund": 9,
        "refnd": 1,
    }
    assert misspelt(counts) == {"billing": ["billling", "biling"]}
    assert misspelt({"billing": 100, "billin": 10, "billi": 1}) == {"billing": ["billin", "billi"]}


@pytest.mark.parametrize(
    "written, meant, same",
    [
        ("biling", "billing", True), ("billingg", "billing", True), ("bilking", "billing", True),
        ("bliling", "billing", True), ("creditcard", "credit card", True), ("lost parcle", "lost parcel", True),
        ("billing", "billing", False), ("class 1", "class 2", False), ("class2024", "class2025", False),
        ("type a", "type b", False), ("stage ii", "stage iii", False), ("legal", "illegal", False),
        ("card", "cart", False), ("hypotension", "hypertension", False), ("positive", "negative", False),
        ("", "billing", False), ("lots parcle", "lost parcel", False),
        ("国内贸易纠纷", "国际贸易纠纷", False), ("договр купли", "договор купли", True),
        ("قانون العمال", "قانون العمل", True),
    ],
)  # fmt: skip
def test_what_counts_as_a_slip(written, meant, same):
    assert slip(written, meant) is slip(meant, written) is same


def test_amount():
    assert kinds(Amount("task"), *[asked("a", "b")] * 499) == ["too_few"]
    assert kinds(Amount("task"), *[asked("a", "b")] * 500) == []
    assert kinds(Amount("instructions"), *[asked("a", "b")] * 500) == ["too_few"]
    varied = [asked(f"Word{n} other{n} please", "b") for n in range(600)]
    assert kinds(Amount("auto"), *varied) == ["too_few"]
    assert kinds(Amount("auto"), *[asked("Classify this", "b")] * 600) == []


def test_every_text_of_a_row_is_seen_and_can_be_rewritten():
    turns = [
        {"role": "system", "content": "s"}, {"role": "user", "content": "u"},
        {"role": "assistant", "content": "a", "reasoning_content": "t", "tool_calls": CALL},
    ]  # fmt: skip
    row = Row("r", "chat", messages=turns)
    assert [text for _, text in Reading(0, row).texts] == ["s", "u", "a", "t", "ann@firma.de"]
    content = rewritten(row, lambda text, _: text.upper())
    assert content["messages"][2]["tool_calls"][0]["function"] == {"name": "find", "arguments": {"who": "ANN@FIRMA.DE"}}
    assert rewritten(row, lambda text, _: text) == {"messages": turns}
    judged = Row("r", "feedback", messages=turns[:2], label="true")
    assert rewritten(judged, lambda text, _: "x")["label"] == "true"
