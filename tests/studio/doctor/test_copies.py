"""Rows that say the same: which is the copy, which stays, what leaks, and what only looks alike."""

from __future__ import annotations

from studio.datasets.reviewing.reviews import Reviews
from tests.studio.doctor.conftest import examine, lines, talk

LONG = (
    "The customer wrote that the parcel did arrive on Tuesday morning, but the box was open and one of the cups broken."
)
ANSWER = "We are sorry about the broken cup. A new one leaves our house today and reaches you within two working days."


def found(make, rows, kind, **settings):
    dataset = make(rows)
    return lines(dataset, examine(dataset, **settings), kind)


def test_the_first_of_equal_rows_stays(make):
    rows = [talk("Where is it?", "Here."), talk("Who are you?", "A shop."), talk("Where  is it?", "Here. ")]
    assert found(make, rows, "duplicates") == [3]


def test_the_accepted_of_equal_rows_stays(make):
    dataset = make([talk("Where is it?", "Here."), talk("Where is it?", "Here."), talk("Where is it?", "Here.")])
    third = next(row.row_id for row in dataset.rows() if row.source_line == 3)
    Reviews(dataset).apply([{"type": "judge", "row": third, "status": "accepted"}])
    assert lines(dataset, examine(dataset), "duplicates") == [1, 2]


def test_a_near_copy_is_found_and_names_the_row_that_stays(make):
    dataset = make(
        [talk(LONG, ANSWER), talk("Something else?", "No."), talk(LONG.upper(), ANSWER.replace("today", "now"))]
    )
    examined = examine(dataset)
    assert lines(dataset, examined, "near_duplicates") == [3]
    ids = {row.source_line: row.row_id for row in dataset.rows()}
    assert [line["other_id"] for line in examined.table.to_pylist() if line["kind"] == "near_duplicates"] == [ids[1]]


def test_what_is_nearly_alike_is_told_by_the_similarity_asked_for(make):
    rows = [talk(LONG, ANSWER), talk(LONG, ANSWER + " Thank you.")]
    for similarity in (0.6, 0.9):
        (found,) = [one for one in examine(make(rows), similarity=similarity).findings if one.kind == "alike"]
        assert f"at least {similarity:.0%} of their wording" in found.words


def test_another_number_or_a_denial_makes_another_row(make):
    rows = [talk(LONG, ANSWER), talk(LONG, ANSWER.replace("two", "2")), talk(LONG.replace("did", "did not"), ANSWER)]
    assert found(make, rows, "near_duplicates") == []


def test_a_shared_instruction_does_not_make_rows_alike(make):
    instruction = "Say in one word how the writer of the following message feels about the delivery and the goods. " * 3
    words = ["apple", "bridge", "candle", "desert", "engine", "forest", "garden", "harbour", "island", "jungle"]
    rows = [talk(f"{instruction}{one} {two} {one}", f"{two} {one}") for one in words for two in words if one != two]
    assert found(make, rows, "near_duplicates") == []


def test_the_same_prompt_with_different_answers_is_for_a_person(make):
    rows = [talk("Do you open on Sunday?", "Yes."), talk("Do you open on Sunday?", "No."), talk("Do you?", "Yes.")]
    dataset = make(rows)
    examined = examine(dataset)
    assert lines(dataset, examined, "contradictions") == [1, 2]
    assert lines(dataset, examined, "near_duplicates") == []


def test_the_same_prompt_contradicts_on_any_side_and_however_short_it_is(make):
    asked = "Who made the blue cup with the handle?"
    rows = [
        talk(asked, "Ann."), talk(asked, "Ben.", "validation"), talk(asked, "Cleo.", "test"),
        talk("Open?", "Yes.", "validation"), talk("Open?", "No.", "test"),
        talk("Closed?", "Yes."), talk("Closed?", "Yes.", "test"),
    ]  # fmt: skip
    dataset = make(rows)
    examined = examine(dataset)
    assert (lines(dataset, examined, "contradictions"), lines(dataset, examined, "leaks")) == ([1, 2, 3, 4, 5], [1, 6])
    (told,) = [finding.words for finding in examined.findings if finding.kind == "contradictions"]
    assert told.startswith("5 rows; 1 of them is a training row that is held out too.")
    ids = {row.row_id: row.source_line for row in dataset.rows()}
    found = [line for line in examined.table.to_pylist() if line["kind"] == "contradictions"]
    beside = {ids[line["row_id"]]: ids[line["other_id"]] for line in found}
    assert beside[2] == 3 and beside[3] == 2  # the first will be left out, these two stay


def test_other_tools_or_another_system_prompt_is_another_prompt(make):
    system = [[{"role": "system", "content": who}] for who in ("You sell cups.", "You sell cars.")]
    rows = [talk("Do you open on Sunday?", answer) for answer in ("Yes.", "No.")]
    rows = [row | {"messages": first + row["messages"]} for first, row in zip(system, rows, strict=True)]
    assert found(make, rows, "contradictions") == []


def test_preferences_contradict_when_they_are_turned_round(make):
    def pair(chosen, rejected):
        return {"prompt": "Say hello to the customer.", "chosen": chosen, "rejected": rejected, "split": "train"}

    assert found(make, [pair("Hello!", "Go."), pair("Hi!", "Go.")], "contradictions") == []
    assert found(make, [pair("Hello!", "Go."), pair("Go.", "Hello!")], "contradictions", similarity=1.0) == [1, 2]


def test_training_rows_that_are_held_out_too(make):
    rows = [
        talk(LONG, ANSWER), talk(LONG, ANSWER, "test"),
        talk("Who made the blue cup with the handle?", "Ann."),
        talk("Who made the blue cup with the handle?", "Ben.", "validation"),
        talk("Hello!", "Hi."), talk("Hello!", "Hello.", "test"),
    ]  # fmt: skip
    assert found(make, rows, "leaks") == [1, 3]


def test_what_people_changed_is_looked_at_not_what_was_imported(make):
    dataset = make(
        [talk("Where is it?", "Here."), talk("Where is it?", "Here."), talk("Who?", "Me."), talk("Who?", "Me.")]
    )
    ids = {row.source_line: row.row_id for row in dataset.rows()}
    Reviews(dataset).exclude(ids[2])
    Reviews(dataset).edit(ids[4], [{"of": "messages", "at": 0, "text": "What then?"}])
    examined = examine(dataset)
    assert lines(dataset, examined, "duplicates") == []
    assert examined.rows == 3
