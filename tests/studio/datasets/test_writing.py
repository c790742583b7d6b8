"""What a writer is asked, what becomes of its answers, and what is kept out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.datasets.additions import MADE_BY, PARENTS, SYNTHETIC
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import Row
from studio.datasets.store import Dataset
from studio.datasets.writing import Screen, Unwritten, parents, screened, task, ways
from studio.errors import BadInput
from studio.settings.importing import ImportSettings
from studio.settings.writing import WriteSettings

SYSTEM = {"role": "system", "content": "Be kind."}
ASKED = {"role": "user", "content": "Where is my parcel?"}
SAID = {"role": "assistant", "content": "On its way."}
CHAT = Row("c1", "chat", [SYSTEM, ASKED, SAID], tags={"domain": "post"}, source_file="a.csv", source_line=3)
LABEL = Row("l1", "label", [ASKED], label="LOST")
PASSAGE = Row("t1", "text", text="The lighthouse was built in 1881 by hand.", extra={"document": "a.pdf"})


def led(way, row, *answers, **given):
    """The prompts of a task, and its draft."""
    made, before, prompts = task(way, row, made_by="starter", **given), "", []
    for step, answer in zip(made.steps, answers, strict=True):
        prompts.append(step(before)[0]["content"])
        before = answer
    return prompts, made.draft(before)


def test_a_paraphrase_has_another_question_and_all_else():
    prompts, row = led("paraphrase", CHAT, ' "Has my parcel got lost?" ', guidance="No slang.")
    assert "Where is my parcel?" in prompts[0] and "No slang." in prompts[0] and "On its way." not in prompts[0]
    assert row.messages == [SYSTEM, {"role": "user", "content": "Has my parcel got lost?"}, SAID]
    assert (row.split, row.tags) == ("train", {"domain": "post", SYNTHETIC: "paraphrase"})
    assert row.extra == {PARENTS: ["c1"], MADE_BY: "starter"} and row.row_id not in ("", "c1") and row.source_line == 3
    label = led("paraphrase", LABEL, "My parcel is gone.")[1]
    assert (label.kind, label.label) == ("label", "LOST")


def test_a_back_translation_goes_there_and_back():
    prompts, row = led("back-translation", LABEL, "Wo ist mein Paket?", "Where did my package go?", language="German")
    assert "into German" in prompts[0] and "Where is my parcel?" in prompts[0]
    assert "Wo ist mein Paket?" in prompts[1] and row.messages[0]["content"] == "Where did my package go?"


def test_in_style_makes_both_sides_or_a_text_for_the_label():
    prompts, row = led("in-style", CHAT, "Question: Can I\npay later?\nAnswer: Yes, within a month.")
    assert "On its way." in prompts[0]
    assert [turn["content"] for turn in row.messages] == ["Be kind.", "Can I\npay later?", "Yes, within a month."]
    prompts, row = led("in-style", LABEL, "I wait since May.")
    assert "LOST" in prompts[0] and (row.label, row.messages[0]["content"]) == ("LOST", "I wait since May.")


def test_questions_are_asked_about_passages():
    prompts, row = led("questions", PASSAGE, "**Question:** When was it built?\n**Answer:** In 1881.")
    assert "1881 by hand" in prompts[0] and row.kind == "chat"
    assert [turn["content"] for turn in row.messages] == ["When was it built?", "In 1881."]
    assert row.extra[PARENTS] == ["t1"] and row.tags == {SYNTHETIC: "questions"}


@pytest.mark.parametrize("said", ["", "  ``` ", '""', "Where is my parcel", "…"])
def test_an_answer_that_says_nothing_new_is_no_draft(said):
    with pytest.raises(Unwritten):
        led("paraphrase", CHAT, said)


@pytest.mark.parametrize("said", ["It was built in 1881.", "Question: only this?", "Question: a?\nAnswer: …"])
def test_half_a_pair_is_no_draft(said):
    with pytest.raises(Unwritten):
        led("questions", PASSAGE, said)


@pytest.mark.parametrize(
    "row",
    [
        Row("1", "chat", [ASKED, SAID, ASKED, SAID]),
        Row("2", "chat", [{"role": "user", "content": " "}, SAID]),
        Row("3", "chat", [ASKED, SAID], [{"type": "function", "function": {"name": "f"}}]),
    ],
)
def test_rows_that_can_t_be_written_after_say_why(row):
    with pytest.raises(Unwritten):
        task("paraphrase", row, made_by="x")


@given(st.text(max_size=200))
def test_whatever_a_writer_says_becomes_a_draft_or_a_reason(said):
    for way, row in (("paraphrase", CHAT), ("in-style", CHAT), ("in-style", LABEL), ("questions", PASSAGE)):
        made = task(way, row, made_by="x")
        try:
            draft = made.draft(said)
        except Unwritten as reason:
            assert str(reason)
        else:
            assert draft.split == "train" and draft.extra[PARENTS] == [row.row_id] and draft.tags[SYNTHETIC] == way
            assert all(turn["content"].strip() for turn in draft.messages)


def question(text, split="train", row_id="x"):
    return Row(row_id, "label", [{"role": "user", "content": text}], label="A", split=split)


HELD = "My parcel was handed to a neighbour whom I do not know, and nobody told me about it at all."


def test_what_would_give_away_a_held_out_row_is_kept_out():
    screen = Screen([question(HELD, "test"), question("A row to learn from, about an invoice that was paid twice.")])
    near = HELD.replace("at all", "in time")
    kept, why = screen.keep(
        [
            question(near),
            question(HELD.upper()),
            question("A row to learn from, about an invoice that was paid twice!"),
            question("A row to learn from, about an invoice which was paid twice over."),
            question("Something else altogether: the lid of my kettle does not close."),
        ]
    )
    assert [row.messages[0]["content"][:5] for row in kept] == ["A row", "Somet"]
    assert why == {"like a held-out row": 2, "there already": 1}
    again, why = screen.keep([question("something ELSE altogether: the lid of my kettle does not close")])
    assert again == [] and why == {"there already": 1}
    assert screen.keep([question(near.replace("nobody", "no one"))])[1] == {"like a held-out row": 1}


def test_only_rows_of_the_training_side_are_written_after(workspace, tmp_path):
    source = tmp_path / "rows.jsonl"
    sides = ["train", "test", "train", "validation"] * 5
    records = [{"text": f"text {n}", "label": "A", "split": side} for n, side in enumerate(sides)]
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    import_file(workspace, ImportSettings(source=str(source), name="set"))
    dataset = Dataset.open(workspace, "set")
    assert {row.split for row in parents(dataset, None, 4, 1)} == {"train"}
    drawn = [tuple(row.row_id for row in parents(dataset, None, 4, seed)) for seed in (1, 1, 2, 3)]
    assert drawn[0] == drawn[1] and len(set(drawn)) == 3 and {len(ids) for ids in drawn} == {4}
    assert len(parents(dataset, None, 500, 1)) == 10
    train = [row.row_id for row in dataset.rows(None, "train")]
    assert {row.row_id for row in parents(dataset, train[:3], 1, 1)} == set(train[:3])
    with pytest.raises(BadInput, match="held out"):
        parents(dataset, [next(dataset.rows(None, "test")).row_id], 1, 1)
    with pytest.raises(BadInput, match="no row to write after"):
        parents(dataset, ["nobody"], 1, 1)


def test_rows_are_written_after_as_they_are_now(workspace, tmp_path):
    source = tmp_path / "rows.jsonl"
    records = [{"prompt": f"q{n}", "completion": "a", "split": "train"} for n in range(3)]
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    import_file(workspace, ImportSettings(source=str(source), name="set"))
    dataset = Dataset.open(workspace, "set")
    moved, out, edited = (row.row_id for row in dataset.rows())
    reviews = Reviews(dataset)
    reviews.apply([{"type": "move", "row": moved, "split": "test"}, {"type": "exclude", "row": out}])
    reviews.edit(edited, [{"of": "messages", "at": 0, "text": "Better?"}])
    assert [row.messages[0]["content"] for row in parents(dataset, None, 5, 1)] == ["Better?"]
    with pytest.raises(BadInput, match="held out"):
        parents(dataset, [moved], 1, 1)
    drafts = [Row(f"a{words}", "chat", [{"role": "user", "content": words}]) for words in ("q0", "q1", "better", "new")]
    kept, why = Screen(screened(dataset)).keep(drafts)
    assert [row.row_id for row in kept] == ["anew"] and why == {"like a held-out row": 1, "there already": 2}


def test_every_kind_of_row_has_its_ways():
    assert ways("text") == ("questions",) and "in-style" in ways("label") and "in-style" not in ways("preference")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"address": "ftp://x"}, "https://"),
        ({"address": "https://me:key@x.org/v1"}, "FLEXTUNE_API_KEY"),
        ({"each": 3, "temperature": 0}, "temperature"),
    ],
)
def test_settings_that_make_no_sense_say_so(given, words):
    with pytest.raises(ValueError, match=words):
        WriteSettings.model_validate({"dataset": "set", **given})


def test_an_address_is_taken_as_people_copy_it():
    settings = WriteSettings.model_validate({"dataset": "s", "address": " http://127.0.0.1:80/v1/chat/completions "})
    assert settings.address == "http://127.0.0.1:80/v1"
