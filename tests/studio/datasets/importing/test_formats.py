"""Formats recognised from names and content, each applied to a record of it."""

from __future__ import annotations

import json

import pytest

from studio.datasets.importing.drafts import Drafter
from studio.datasets.importing.formats import choose, recognise
from studio.datasets.reading.readers import columns_of
from studio.errors import BadInput

U, A = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
B, S = {"role": "assistant", "content": "b"}, {"role": "system", "content": "s"}
HUMAN, GPT = {"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}
WORSE = {"from": "gpt", "value": "b"}
TOOL = {"name": "f", "parameters": {}}
TOOLS = [{"type": "function", "function": TOOL}]


def chat(*turns, **more):
    return {"kind": "chat", "messages": list(turns), **more}


def pair(**more):
    return {"kind": "preference", "messages": [U], "chosen": [A], "rejected": [B], **more}


def judged(label):
    return {"kind": "feedback", "messages": [U, A], "label": label}


CASES = [
    ("alpaca", {"instruction": "q", "output": "a"}, chat(U, A)),
    ("alpaca", {"Instruction": "q", "Input": "", "Output": "a"}, chat(U, A)),
    ("alpaca", {"instruction": "q", "input": "i", "output": "a", "system": "s"},
     chat(S, {"role": "user", "content": "q\ni"}, A)),
    ("alpaca", {"instruction": "q", "output": "a", "history": [["q", "a"]]}, chat(U, A, U, A)),
    ("alpaca", {"instruction": "q", "context": "i", "response": "a", "category": "qa"},
     chat({"role": "user", "content": "q\ni"}, A, extra={"category": "qa"})),
    ("sharegpt", {"conversations": [HUMAN, GPT]}, chat(U, A)),
    ("sharegpt", {"conversations": [HUMAN, GPT], "system": "s", "tools": json.dumps([TOOL])},
     chat(S, U, A, tools=TOOLS)),
    ("sharegpt", {"conversation": json.dumps([HUMAN, GPT])}, chat(U, A)),
    ("messages", {"messages": [U, A]}, chat(U, A)),
    ("messages", {"messages": [S, U, A, U, A], "tools": TOOLS, "id": 7},
     chat(S, U, A, U, A, tools=TOOLS, extra={"id": 7})),
    ("messages", {"some_column": [U, A], "n": 1}, chat(U, A, extra={"n": 1})),
    ("messages", {"messages": json.dumps([U, A])}, chat(U, A)),
    ("prompt_completion", {"prompt": "q", "completion": "a"}, chat(U, A)),
    ("prompt_completion", {"prompt": [U], "completion": [A]}, chat(U, A)),
    ("prompt_completion", {"Input": "q", "Target": "a"}, chat(U, A)),
    ("prompt_completion", {"prompt": "q", "response": "a", "system_prompt": "s"}, chat(S, U, A)),
    ("question_answer", {"question": "q", "answer": "a"}, chat(U, A)),
    ("question_answer", {"id": 1, "Question": "q", "Answer": "a", "context": "c"},
     chat({"role": "user", "content": "c\nq"}, A, extra={"id": 1})),
    ("label", {"text": "q", "label": "a"}, {"kind": "label", "messages": [U], "label": "a"}),
    ("label", {"text": "q", "label": 1}, {"kind": "label", "messages": [U], "label": "1"}),
    ("label", {"message": "q", "Intent": "a", "tone": "dry"},
     {"kind": "label", "messages": [U], "label": "a", "tags": {"tone": "dry"}}),
    ("preference", {"prompt": "q", "chosen": "a", "rejected": "b"}, pair()),
    ("preference", {"instruction": "q", "input": "", "chosen": "a", "rejected": "b"}, pair()),
    ("preference", {"prompt": [U], "chosen": [A], "rejected": [B]}, pair()),
    ("preference", {"prompt": "q", "chosen": [U, A], "rejected": [U, B], "score": 1.5}, pair(extra={"score": 1.5})),
    ("preference", {"chosen": [U, A], "rejected": [U, B]}, pair()),
    ("preference", {"messages": [S, U], "chosen": [A], "rejected": [U, B]}, pair(messages=[S, U])),
    ("preference", {"conversations": [HUMAN], "chosen": GPT, "rejected": WORSE}, pair()),
    ("preference", {"input": {"messages": [U], "tools": TOOLS}, "preferred_output": [A], "non_preferred_output": [B]},
     pair(tools=TOOLS)),
    ("feedback", {"messages": [U, A], "label": True}, judged("true")),
    ("feedback", {"messages": [U, A], "label": "no"}, judged("false")),
    ("feedback", {"prompt": "q", "completion": "a", "label": 0}, judged("false")),
    ("feedback", {"prompt": [U], "completion": [A], "label": True}, judged("true")),
    ("feedback", {"conversations": [HUMAN, GPT], "kto_tag": False}, judged("false")),
    ("text", {"text": "words"}, {"kind": "text", "text": "words"}),
    ("text", {"whatever": "words"}, {"kind": "text", "text": "words"}),
    ("text", {"id": 1, "content": "words", "url": "http://x"},
     {"kind": "text", "text": "words", "extra": {"id": 1, "url": "http://x"}}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "record", "wanted"), CASES)
def test_each_format(name, record, wanted):
    guess = recognise(list(record), [record])
    assert guess.format == name
    assert guess.reasons
    draft = Drafter(guess.mapping).draft(record)
    plain = {"messages": None, "tools": None, "chosen": None, "rejected": None, "label": None, "text": None}
    assert {key: getattr(draft, key) for key in (*plain, "kind", "tags", "extra")} == (
        plain | {"tags": {}, "extra": {}} | wanted
    )


def test_what_is_not_recognised_names_the_columns_and_a_mapping_to_give():
    records = [{"id": n, "Betreff Zeile": "long " * 20, "Antwort": "long " * 30} for n in range(3)]
    with pytest.raises(BadInput) as caught:
        recognise(columns_of(records), records)
    assert "“Betreff Zeile”, “Antwort”" in caught.value.why
    assert '--map "user=Betreff Zeile" --map assistant=Antwort' in caught.value.next


def test_the_mapping_of_that_advice_works():
    record = {"Betreff Zeile": "q", "Antwort": "a", "n": 1}
    guess = choose(list(record), [record], ["user=Betreff Zeile", "assistant=Antwort"])
    assert guess.format == "mapped"
    assert Drafter(guess.mapping).draft(record).messages == [U, A]


def test_a_part_of_a_mapping_is_laid_over_what_was_recognised():
    record = {"instruction": "q", "input": "i", "output": "a", "id": "7", "mood": "dry"}
    guess = choose(list(record), [record], ["user=Please: {instruction}", "system=s", "key=id", "tags=mood"])
    draft = Drafter(guess.mapping).draft(record)
    assert draft.messages == [S, {"role": "user", "content": "Please: q"}, A]
    assert (draft.key, draft.tags, draft.extra) == ("7", {"mood": "dry"}, {"input": "i", "id": "7"})


def test_half_a_mapping_says_what_is_missing():
    with pytest.raises(BadInput, match="not complete"):
        choose(["left", "right"], [{"left": "x" * 99, "right": "y" * 99}], ["user=left"])


def test_a_format_that_is_wanted_wins_or_is_refused_with_what_it_needs():
    record = {"prompt": "q", "completion": "a", "text": "whole"}
    assert recognise(list(record), [record], "text").mapping.learned == {"text"}
    with pytest.raises(BadInput) as caught:
        recognise(list(record), [record], "preference")
    assert "chosen" in caught.value.why and caught.value.field == "read_as"


def test_empty_and_odd_cells_do_not_hide_a_format():
    records = [
        {"conversations": [HUMAN, GPT]},
        {"conversations": []},
        {"conversations": [3]},
        {"conversations": [HUMAN]},
    ]
    assert recognise(["conversations"], records).format == "sharegpt"


def test_a_column_of_few_values_that_come_again_is_a_label():
    records = [{"message": f"words {n}", "queue": "billing" if n % 3 else "refund"} for n in range(12)]
    assert recognise(["message", "queue"], records).mapping.roles["label"].columns == ("queue",)
    with pytest.raises(BadInput):
        recognise(["message", "queue"], records[:5] + [{"message": "x" * 60, "queue": f"{n}" * 60} for n in range(9)])


def test_a_text_and_few_repeating_values_are_known_whatever_they_are_called():
    records = [{"note": f"patient {n} coughs", "triage": f"AMBER {n % 3}", "ward": f"W{n}"} for n in range(12)]
    guess = recognise(["note", "triage", "ward"], records)
    assert guess.format == "label" and guess.mapping.roles["user"].columns == ("note",)
    two_texts = [record | {"ward": f"ward {n} east"} for n, record in enumerate(records)]
    with pytest.raises(BadInput):
        recognise(["note", "triage", "ward"], two_texts)


def test_a_split_column_counts_only_when_all_of_it_names_sides():
    def split_of(*names):
        return recognise(["q", "a", "split"], [{"q": "x", "a": "y", "split": name} for name in names]).mapping.split

    assert split_of("train", "dev", "TEST") == "split"
    assert split_of("train", "banana") is None
