"""Recipes: counts are exact, draws repeatable, and what is held out stays held out."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.datasets.additions import PARENTS, SYNTHETIC
from studio.datasets.mixing import making, mixture
from studio.datasets.mixing.making import Names, mix, read_recipe
from studio.datasets.mixing.mixture import apportion, blend, look, preview, take_stock
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.splitting import grouping, leaks, plans
from studio.datasets.splitting.sides import SIDES
from studio.datasets.store import Dataset
from studio.datasets.versions.freezing import freeze
from studio.errors import BadInput, NotFound, Refused, StudioError
from studio.files import write_json
from studio.settings.base import check
from studio.settings.mixing import MixSettings, Part, read_part
from studio.settings.splitting import SplitSettings
from tests.sets import make_set
from tests.studio.datasets.splitting.test_grouping import talk

PER_SIDE = {"train": 40, "validation": 5, "test": 5}


def rows(word, sides=PER_SIDE, **more):
    return [
        talk(f"{word} {side} {n}", "answer", split=side, **more) for side, count in sides.items() for n in range(count)
    ]


@pytest.fixture
def three(workspace):
    make_set(workspace, "letters", [{**row, "tags": {"domain": "ab"[n % 2]}} for n, row in enumerate(rows("letter"))])
    make_set(workspace, "calls", rows("call", {"train": 10, "validation": 2, "test": 2}))
    make_set(workspace, "general", rows("any", {"train": 400, "validation": 40, "test": 0}))
    return workspace


def recipe(**given):
    return check(MixSettings, {"name": "mixed", "parts": ["letters", "calls"]} | given)


def counted(workspace, **given):
    told = preview(blend(take_stock(workspace, recipe(**given)), recipe(**given)))
    return {part["dataset"]: part["counts"]["train"] for part in told["parts"]}


def made(workspace, **given):
    entry = mix(workspace, recipe(**given))
    return entry, list(Dataset.open(workspace, "mixed").rows(entry["version"]))


@given(total=st.integers(0, 10_000), shares=st.lists(st.floats(0.001, 1e6), min_size=1, max_size=20))
def test_whole_numbers_add_up_and_stay_within_one_of_their_share(total, shares):
    given = apportion(total, shares)
    assert sum(given) == total
    assert all(abs(got - total * share / sum(shares)) < 1.001 for got, share in zip(given, shares, strict=True))


def test_the_ways_to_weigh(three):
    assert counted(three) == {"letters": 40, "calls": 10}
    assert counted(three, rows=25) == {"letters": 20, "calls": 5}
    assert counted(three, by="temperature", temperature=2.0) == {"letters": 33, "calls": 17}
    assert counted(three, by="temperature", temperature=1.0) == {"letters": 40, "calls": 10}
    assert counted(three, by="weights", parts=["letters=0.5", "calls=2.5"]) == {"letters": 20, "calls": 25}
    assert counted(three, parts=["letters[domain=a]", "calls"]) == {"letters": 20, "calls": 10}


@pytest.mark.parametrize("share", [0.1, 0.15, 0.2])
def test_general_rows_make_their_share(three, share):
    found = counted(three, general="general", general_share=share)
    assert found["general"] == round(50 * share / (1 - share))
    assert abs(found["general"] / sum(found.values()) - share) < 0.01
    limited = counted(three, general="general", general_share=share, rows=100)
    assert sum(limited.values()) == 100 and limited["general"] == round(100 * share)


def test_a_mixture_has_the_very_counts_of_its_preview(three):
    entry, found = made(three, by="weights", parts=["letters=0.5", "calls=2.3"], general="general", general_share=0.2)
    held = Counter((row.tags["source"], row.split) for row in found)
    assert [part["dataset"] for part in entry["parts"]] == ["letters", "calls", "general"]
    for part in entry["parts"]:
        for side in SIDES:
            assert held[part["dataset"], side] == part["counts"][side]
    assert entry["rows"] == len(found) == len({row.row_id for row in found})
    assert entry["counts"] == Dataset.open(three, "mixed").counts()
    again = Counter(row.extra["mixed_from"]["row"] for row in found if row.tags["source"] == "calls")
    assert set(again.values()) == {1, 2, 3} and sorted(again.values())[-3:] == [3, 3, 3]


def test_changes_that_no_version_has_are_told_of_the_latest_alone(three):
    row = next(Dataset.open(three, "letters").rows())
    Reviews(Dataset.open(three, "letters")).exclude(row.row_id)
    entry, found = made(three)
    assert [part["waiting"] for part in entry["parts"]] == [1, 0]
    assert row.row_id in {each.extra["mixed_from"]["row"] for each in found}
    freeze(three, "letters")
    entry, found = made(three)
    assert [part["waiting"] for part in entry["parts"]] == [0, 0]
    assert row.row_id not in {each.extra["mixed_from"]["row"] for each in found}
    Reviews(Dataset.open(three, "letters")).exclude(next(Dataset.open(three, "letters").rows()).row_id)
    assert [part["waiting"] for part in made(three, parts=["letters@1", "calls"])[0]["parts"]] == [0, 0]


def test_the_rows_of_each_part_are_watched_batch_by_batch(three, monkeypatch):
    """So that Stop is heeded in the midst of a large part, and progress moves."""
    monkeypatch.setattr(mixture, "BATCH_ROWS", 16)
    monkeypatch.setattr(grouping, "BATCH", 16)
    seen = {}
    stocks = take_stock(three, recipe(), lambda done, total, what: seen.setdefault((what, total), []).append(done))
    assert seen == {
        ("reading “letters”", 64): [0, 16, 32, 48],
        ("reading “calls”", 64): [50],
        ("looking for what all rows share", 64): [0],
        ("reading rows", 64): [0, 16, 32, 48],
        ("looking for near-duplicates", 64): [64],
    }
    assert [stock.trained for stock in stocks] == [40, 10]

    def stop(done, total, what):
        if done == 32:
            raise InterruptedError(what)

    with pytest.raises(InterruptedError, match="reading “letters”"):
        look(three, recipe(), watch=stop)


def test_long_rows_are_written_a_few_at_a_time(three, monkeypatch):
    _, whole = made(three)
    monkeypatch.setattr(making, "BATCH_CHARACTERS", 2000)
    made(three)
    mixed = Dataset.open(three, "mixed")
    assert list(mixed.rows(2)) == whole
    groups = [pq.ParquetFile(mixed.path(version)).metadata.num_row_groups for version in (1, 2)]
    assert groups[0] == 1 and groups[1] > 5


def test_the_recipe_makes_the_same_again_and_another_seed_others(three):
    _, first = made(three, rows=20)
    saved = read_recipe(three.datasets / "mixed" / "source" / "0001" / "recipe.json")
    assert saved["parts"] == ["letters@1", "calls@1"]
    entry = mix(three, check(MixSettings, saved))
    assert entry["version"] == 2 and list(Dataset.open(three, "mixed").rows(2)) == first
    _, other = made(three, rows=20, seed=1)
    assert {row.row_id for row in other} != {row.row_id for row in first}


def test_what_one_part_holds_out_no_other_trains(three):
    shared = talk("letter test 0", "answer")
    make_set(three, "leaky", [shared, *rows("leaky", {"train": 5})])
    entry, found = made(three, parts=["letters", "leaky"])
    assert entry["parts"][1]["left_out"] == 1 and entry["parts"][1]["counts"]["train"] == 5
    assert [row.split for row in found if row.messages == shared["messages"]] == ["test"]


def test_rows_written_in_a_mixture_wait_again_when_it_is_made_anew(three):
    mix(three, recipe())
    mixed = Dataset.open(three, "mixed")
    parent = next(mixed.rows(None, "train"))
    written = replace(parent, row_id="a1", tags={SYNTHETIC: "paraphrase"}, extra={PARENTS: [parent.row_id]})
    written = replace(written, messages=[{"role": "user", "content": "new"}, *(parent.messages or [])[1:]])
    Reviews(mixed).additions.add([written], "paraphrases")
    Reviews(mixed).apply([{"type": "judge", "row": "a1", "status": "accepted"}])
    freeze(three, "mixed")
    entry = mix(three, recipe())
    assert "1 row written in the studio" in entry["notes"][0]
    assert list(Reviews(Dataset.open(three, "mixed")).accepted()) == ["a1"]


def test_a_row_written_after_a_held_out_one_is_not_trained(three):
    letters = Dataset.open(three, "letters")
    parent = next(row for row in letters.rows() if row.split == "test")
    child = talk("new", "words", tags={"synthetic": "paraphrase"}, parents=[parent.row_id])
    make_set(three, "written", [child, *rows("written", {"train": 3})])
    entry, found = made(three, parts=["letters", "written"])
    assert entry["parts"][1]["left_out"] == 1
    assert not any("synthetic" in row.tags for row in found)


STORY = "On the {n}th day the {who} walked along the harbour wall and counted {n} gulls, {m} boats and {m} nets"


def story(who, n, ending, side, **more):
    return talk(STORY.format(who=who, n=n, m=n * 7) + ending, f"That is {n}.", split=side, **more)


@pytest.fixture
def crossing(workspace):
    """Two parts, each clean by itself, and what they hold in common by twos: one of it to train on, one held out."""
    people = ("pilot", "baker", "diver", "clerk", "nurse")
    lone = [talk(f"{word} knows nothing of the others", word, split="train") for word in ("Oak", "Elm", "Ash", "Fir")]
    plain = {side: [talk(f"{side} only {n}", f"as {n * n} shows", split=side) for n in range(6)] for side in SIDES}
    make_set(workspace, "one", [
        *lone, *plain["validation"], *plain["test"],
        *(story(who, n, ".", "test") for n, who in enumerate(people, 3)),
        talk("How late is it?", "Nine.", split="validation"),
        talk("Page one of it", "So it begins.", split="test", document="handbook.pdf"),
        talk("The third of all", "And the fourth.", split="test", conversation_id="thread-9"),
        talk("A number says nothing", "Of another set.", split="test", conversation_id="12"),
        talk("Kept for the score", "A", split="test"),
    ])  # fmt: skip
    make_set(workspace, "two", [
        *plain["train"],
        *(story(who, n, " today", "train") for n, who in enumerate(people, 3)),
        talk("How late is it?", "Ten o’clock it was.", split="train"),
        talk("Page seven", "So it goes on.", split="train", document="handbook.pdf"),
        talk("Something else", "In the same thread.", split="train", conversation_id="thread-9"),
        talk("With the same number", "In another set.", split="train", conversation_id="12"),
        talk("Kept for the score", "B, as some say", split="validation"),
    ])  # fmt: skip
    return workspace


def check_of(workspace, **given):
    wanted = SplitSettings(dataset="mixed", check=True, **given)
    return plans.plan(Dataset.open(workspace, "mixed"), wanted, lambda *_: None).about["leaks"]


def test_no_group_crosses_a_mixture_whichever_parts_its_rows_are_of(crossing):
    """Near-duplicates, a question, a document, a conversation: those to train on are left out, and one of the
    validation that the test has too. What is of no such group stays."""
    entry, found = made(crossing, parts=["one", "two"])
    assert check_of(crossing) | {"groups": 0, "grouped": 0} == {
        "clean": True, "alike": {"rows": 0, "groups": 0},
        "groups": 0, "grouped": 0, "largest": 1, "crossing": 0, "rows": 0, "by": {}, "examples": []
    }  # fmt: skip
    assert [part["left_out"] for part in entry["parts"]] == [0, 9]
    two = [row for row in found if row.tags["source"] == "two"]
    assert sorted(row.messages[0]["content"] for row in two) == sorted(
        [*(f"train only {n}" for n in range(6)), "With the same number"]
    )
    assert sum(row.tags["source"] == "one" for row in found) == 4 + 12 + 5 + 5


def test_near_duplicates_may_stand_on_two_sides_when_nobody_minds(crossing):
    entry, _ = made(crossing, parts=["one", "two"], near=False)
    assert entry["parts"][1]["left_out"] == 4
    assert not check_of(crossing)["clean"] and check_of(crossing, near=False)["clean"]


def test_a_column_by_which_a_part_was_split_keeps_the_whole_mixture_apart(workspace):
    def visits(word, patients):
        return [
            talk(f"{word} {n} {'abcdefgh'[n % 8] * 9}", f"{n}", patient=str(patient))
            for n, patient in enumerate(patients)
        ]

    first = make_set(workspace, "one", visits("visit", [n // 4 for n in range(40)]))
    make_set(workspace, "two", visits("call", range(10)))
    assert made(workspace, parts=["one", "two"])[0]["parts"][1]["left_out"] == 0
    wanted = SplitSettings(dataset="one", by="group", column="patient", near=False)
    folder = workspace.jobs / "split-1"
    folder.mkdir(parents=True)
    write_json(folder / "settings.json", wanted.model_dump(mode="json") | {"format": 1, "job": "split"})
    plans.save(plans.plan(first, wanted, lambda *_: None), folder)
    plans.apply(first, folder)
    freeze(workspace, "one")
    later = Dataset.open(workspace, "one")
    Reviews(later).apply([{"type": "tag", "tags": {"tone": "dry"}, "row": next(later.rows()).row_id}])
    freeze(workspace, "one")  # what was split before stays split
    held_out = {row.extra["patient"] for row in Dataset.open(workspace, "one").rows() if row.split != "train"}
    entry, found = made(workspace, parts=["one", "two"])
    assert 1 <= len(held_out) == entry["parts"][1]["left_out"] < 10
    sides = {(row.extra["patient"], row.split != "train") for row in found}
    assert len(sides) == 10


def test_a_check_that_keeps_a_column_counts_at_once(workspace):
    """The version is the same as before it, and so are the rows that were asked for."""
    side = {"test": "P1", "train": "P2"}
    words = iter(["in the morning", "at the harbour", "without a coat", "of seven brothers"])
    first = make_set(workspace, "one", [talk(next(words), "a", split=name, patient=who) for name, who in side.items()])
    make_set(workspace, "two", [talk(next(words), "a", split="train", patient=who) for who in side.values()])
    settings = MixSettings(name="both", parts=["one", "two"])
    assert [stock.left_out for stock in take_stock(workspace, settings)] == [0, 0]
    found = plans.plan(first, SplitSettings(dataset="one", check=True, keep=["patient"]), lambda *_: None)
    leaks.remember(first, 0, found.about["leaks"], {"keep": ["patient"]})
    assert [stock.left_out for stock in take_stock(workspace, settings)] == [0, 1]


def test_a_part_that_is_a_mixture_is_kept_apart_from_what_it_was_made_of(workspace):
    """Two documents have the number 5, that of “one” and another one's."""
    make_set(workspace, "one", [talk("in the morning", "a", split="test", document="5"), talk("at noon", "b")])
    mixed = [
        talk(asked, "c", split="train", document="5", mixed_from={"dataset": name})
        for asked, name in (("of seven brothers", "one"), ("without a coat", "else"))
    ]
    make_set(workspace, "two", mixed)
    stocks = take_stock(workspace, MixSettings(name="both", parts=["one", "two"]))
    assert [stock.left_out for stock in stocks] == [0, 1] and len(stocks[1].rows["train"]) == 1


def test_what_all_rows_of_a_part_share_makes_them_no_near_duplicates(workspace):
    """An instruction before each row of a small part: of the whole mixture few have it."""
    order = (
        "You are reading a letter of complaint that has come to the office this week. Say in one word which of our "
        "departments has to answer it: sales, desk, repair, or the legal department. If none of them fits, then say "
        "so. This is the letter: "
    )
    draw = random.Random(1)

    def words() -> str:
        return " ".join("".join(draw.choices("abcdefghiklmnoprstuvw", k=6)) for _ in range(4))

    letters = [talk(order + words(), "desk", split="test" if n % 5 == 0 else "train") for n in range(100)]
    make_set(workspace, "letters", letters)
    make_set(workspace, "wide", [talk(words(), words()) for _ in range(400)])
    entry, _ = made(workspace, parts=["letters", "wide"])
    assert entry["parts"][0]["left_out"] == 0 and check_of(workspace)["clean"]


def test_a_mixture_can_be_split_and_its_copies_stay_together(three):
    made(three, by="weights", parts=["calls=3", "letters"])
    wanted = SplitSettings(dataset="mixed", near=False)
    plan = plans.plan(Dataset.open(three, "mixed"), wanted, lambda *_: None)
    assert plan.about["leaks"]["clean"] and plan.about["leaks"]["groups"] == 10


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "a-2", "a-3", "b", "a-2-2"]), max_size=40))
def test_ids_stay_unique(wanted):
    names = Names()
    given = [names.new(row_id) for row_id in wanted]
    assert len(set(given)) == len(given)
    assert all(name.startswith(row_id) for name, row_id in zip(given, wanted, strict=True))
    assert {row_id: name for name, row_id in reversed(list(zip(given, wanted, strict=True)))}.get("b", "b") == "b"


def test_tokens_are_counted_in_a_model(three, tiny):
    assert look(three, recipe())["model"] is None
    shutil.copytree(tiny, three.models / "tiny")
    told = look(three, recipe())
    assert told["model"] == "tiny" and told["tokens"] == sum(part["tokens"] for part in told["parts"]) > 0


def test_what_can_t_be_mixed(three):
    make_set(three, "raw", [{"kind": "text", "text": f"text {n}"} for n in range(3)])
    make_set(three, "out", rows("out", {"test": 3}))
    refused = [
        ({"parts": ["letters", "raw"]}, "don't mix"),
        ({"parts": ["letters[domain=none]"]}, "nothing to mix in"),
        ({"parts": ["nobody"]}, "no dataset"),
        ({"parts": ["letters@7"]}, "no version 7"),
        ({"parts": ["out"]}, "nothing to train on"),
        ({"parts": ["letters"], "name": "calls"}, "can't become a mixture"),
    ]
    for chosen, words in refused:
        with pytest.raises((BadInput, NotFound, Refused), match=words):
            mix(three, recipe(**chosen))
    assert not (three.datasets / "mixed").exists()


@given(st.text(max_size=40))
def test_any_words_are_a_part_or_refused(text):
    try:
        part = read_part(text)
    except StudioError:
        return
    assert read_part(str(part)) == part and part.weight > 0


def test_parts_as_they_are_written():
    assert read_part("letters@3[domain=a b]=0.5") == Part("letters", 3, "domain", "a b", 0.5)
    assert str(read_part(" letters = 2 ")) == "letters=2"
    with pytest.raises(BadInput):
        check(MixSettings, {"name": "m", "parts": ["a", "a=2"]})
