"""The review queue in a real browser: keys, speed, nothing lost, nobody overwritten, agreement."""

from __future__ import annotations

import json
import random
import re
import statistics
import time
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from studio import logs
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing import guidelines
from studio.datasets.reviewing.judgements import Eye
from studio.datasets.reviewing.queue import Queue
from studio.settings.importing import ImportSettings

PRESSES = 200
FAST = 0.15  # seconds until the next row is there
WORDS = ["parcel", "courier", "refund", "invoice", "lamp", "box", "broken", "late", "address", "login", "bank"]
EVIL = "<img src=x onerror=\"document.title='run'\">"


def put(studio, tmp_path: Path, name: str, rows: list[dict]) -> Queue:
    source = tmp_path / f"{name}.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    import_file(studio.workspace, ImportSettings(source=str(source), name=name, split="train=1"))
    return Queue(studio.workspace, name)


def labelled(count: int) -> list[dict]:
    draw = random.Random(1)
    return [
        {"text": f"Message {n}: {' '.join(draw.choices(WORDS, k=12))}", "label": "abc"[n % 3]} for n in range(count)
    ]


def enter(studio, page: Page, name: str, by: str = "Ann", blind: bool = False, **more: str) -> Page:
    studio.open(page, tab="data", dataset=name, part="review", **more)
    page.get_by_label("Your name").fill(by)
    if blind:
        page.get_by_label("Work blind").check()
    page.keyboard.press("Enter")
    expect(page.locator(".rv-head h2")).to_be_visible()
    return page


def lines(queue: Queue) -> list[dict]:
    return logs.read(queue.reviews.path)[0]


def until(page: Page, test) -> None:
    """Waits for something on the disk."""
    for _ in range(200):
        if test():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come true")


def first(page: Page, text: str) -> None:
    expect(page.locator(".rv-said")).to_contain_text(text)


def test_two_hundred_presses_lose_none_and_each_shows_the_next_row_at_once(studio, page, tmp_path, capsys):
    queue = put(studio, tmp_path, "many", labelled(PRESSES + 20))
    enter(studio, page, "many")
    page.evaluate("""() => { window.waits = []; let began = 0, was = '';
      const text = () => document.querySelector('.rv-said')?.textContent;
      addEventListener('keydown', () => { began = performance.now(); was = text(); }, true);
      const seen = () => { waits.push(performance.now() - began); began = 0; };
      new MutationObserver(() => { if (began && text() && text() !== was) seen(); })
        .observe(document.querySelector('.rv-view'), { childList: true, subtree: true, characterData: true }); }""")
    slow = 0.0
    for press in range(PRESSES):
        began = time.perf_counter()
        page.keyboard.press("Enter")
        page.wait_for_function(f"waits.length === {press + 1}", polling=5)
        slow = max(slow, time.perf_counter() - began)
    waits = page.evaluate("waits")
    until(page, lambda: len(lines(queue)) == PRESSES)
    with capsys.disabled():
        told = f"median {statistics.median(waits):.1f} ms, longest {max(waits):.1f} ms"
        print(f"\n    {PRESSES} presses: the next row after {told} (with the driver's way {slow * 1000:.0f} ms)")
    judged = lines(queue)
    assert [line["row"] for line in judged] == list(queue.ids[:PRESSES])
    assert len({line["key"] for line in judged}) == PRESSES
    assert {(line["status"], line["by"]) for line in judged} == {("accepted", "Ann")}
    expect(page.locator(".rv-done")).to_contain_text(f"{PRESSES} of {PRESSES + 20} judged")
    assert statistics.median(waits) < FAST * 1000


def test_what_was_judged_while_the_studio_was_away_is_sent_when_it_is_back(start_studio, page, tmp_path, page_faults):
    page_faults.allow("ERR_", "Failed to load", "Failed to fetch")
    studio = start_studio()
    queue = put(studio, tmp_path, "away", labelled(30))
    enter(studio, page, "away")
    page.keyboard.press("Enter")
    until(page, lambda: len(lines(queue)) == 1)
    studio.kill()
    page.keyboard.press("e")
    page.get_by_label("User (turn 1)").fill("Written before the reload")
    page.keyboard.press("Control+Enter")
    for key in ("Enter", "Backspace", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(".rv-top")).to_contain_text("4 not saved yet")
    page.keyboard.press("n")
    page.keyboard.type("half a note")
    studio.start()
    page.reload()
    first(page, "Message 5:")
    until(page, lambda: len(lines(queue)) == 5)
    assert [line["status"] for line in lines(queue)] == ["accepted", "accepted", "accepted", "discarded", "accepted"]
    assert lines(queue)[1]["content"]["messages"][0]["content"] == "Written before the reload"
    expect(page.get_by_label("Note")).to_have_value("half a note")
    page.keyboard.press("u")  # also what was judged before the page was left
    first(page, "Message 4:")
    until(page, lambda: lines(queue)[-1]["type"] == "undo")


def test_two_browsers_are_shown_both_and_asked(studio, page, open_page, tmp_path):
    queue = put(studio, tmp_path, "both", labelled(10))
    other = open_page()
    enter(studio, page, "both", "Ann")
    enter(studio, other, "both", "Bob")
    first(other, "Message 0:")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    until(page, lambda: len(lines(queue)) == 1)
    other.keyboard.press("Backspace")
    asked = other.get_by_role("alert")
    expect(asked).to_contain_text("This row was changed while you looked at it")
    expect(asked).to_contain_text("Ann")
    expect(asked).to_contain_text("discard it")
    assert len(lines(queue)) == 1
    other.reload()  # it is not forgotten
    expect(other.get_by_role("alert")).to_contain_text("Nothing is overwritten")
    other.get_by_role("button", name="Put mine over it").click()
    until(other, lambda: len(lines(queue)) == 2)
    expect(other.get_by_role("alert")).to_have_count(0)
    assert [(line["by"], line["status"]) for line in lines(queue)] == [("Ann", "accepted"), ("Bob", "discarded")]
    page.keyboard.press("Enter")  # the same on both: nothing to ask
    other.keyboard.press("Enter")
    until(other, lambda: len(lines(queue)) == 4)
    expect(other.get_by_role("alert")).to_have_count(0)


def test_a_second_reviewer_works_blind_and_agreement_is_told(studio, page, open_page, tmp_path):
    queue = put(studio, tmp_path, "blind", labelled(12))
    enter(studio, page, "blind", "Ann")
    for _ in range(6):
        page.keyboard.press("2")
        page.keyboard.press("Enter")
    until(page, lambda: len(lines(queue)) == 6)
    other = enter(studio, open_page(), "blind", "Bob", blind=True)
    first(other, "Message 0:")
    expect(other.locator(".rv-done")).to_contain_text("0 of 12 judged")
    expect(other.locator("[data-label=a]")).to_have_attribute("aria-pressed", "true")  # not Ann's
    expect(other.locator(".rv-side")).not_to_contain_text("Ann")
    expect(other.get_by_role("link", name="Open the row’s page")).to_have_count(0)  # it shows what others changed
    for key in ("2", "2", "2", "2", "3", "2"):
        other.keyboard.press(key)
        other.keyboard.press("Enter")
    until(other, lambda: len(lines(queue)) == 12)
    other.get_by_role("button", name="Agreement").click()
    expect(other.locator(".rv-agreement")).to_contain_text("Not while you work blind")
    page.get_by_role("button", name="Agreement").click()
    label = page.locator(".rv-table tbody tr", has_text="Label")
    expect(label).to_contain_text("83 %")
    expect(page.locator(".rv-agreement")).to_contain_text("1 row is in conflict")
    page.get_by_role("button", name="Resolve them").click()
    first(page, "Message 4:")
    expect(page.locator(".rv-opinions")).to_contain_text("label c")
    page.locator(".rv-opinions li", has_text="Bob").get_by_role("button", name="Decide so").click()
    until(page, lambda: len(lines(queue)) == 13)
    assert Queue(studio.workspace, "blind").conflicts() == {}
    expect(page.locator(".rv-row")).to_contain_text("No rows here")


def test_nobody_reviews_without_a_name(studio, page, tmp_path):
    put(studio, tmp_path, "nameless", labelled(3))
    studio.open(page, tab="data", dataset="nameless", part="review")
    for _ in range(2):
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("alert")).to_contain_text("Give a name first")
    name = page.get_by_label("Your name")
    expect(name).to_be_focused()
    expect(name).to_have_attribute("aria-invalid", "true")
    name.fill("Ann")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".rv-head h2")).to_be_visible()


def test_a_whole_judgement_by_keys_only(studio, page, tmp_path):
    rows = [{"prompt": f"{EVIL} Does Anna live in Rome, Nr {n}?", "completion": f"Yes {n}."} for n in range(4)]
    queue = put(studio, tmp_path, "keys", rows)
    enter(studio, page, "keys")
    page.keyboard.press("i")
    page.get_by_role("button", name="Edit", exact=True).last.click()
    page.get_by_label("What makes a row good").fill("Be kind.")
    page.get_by_label("Requirements").fill("Polite\nShort")
    page.get_by_label("Things to mark").fill("Person\nPlace")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".rv-rating")).to_have_count(3)
    page.keyboard.press("m")
    page.keyboard.press("ArrowUp")
    for _ in range(20):  # to “Anna”
        if page.evaluate("String(getSelection())") == "Anna":
            break
        page.keyboard.press("ArrowRight")
    page.keyboard.press("1")
    expect(page.locator("mark")).to_have_text("Anna")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("2")
    expect(page.locator("mark")).to_have_count(2)
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    for key in "453":
        page.keyboard.press(key)
    page.keyboard.press("t")
    page.keyboard.type("tone: warm")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.type("Lovely")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    until(page, lambda: len(lines(queue)) == 1)
    deed, tag = lines(queue)[0]["deeds"]
    assert [(span["text"], span["label"]) for span in deed["spans"]] == [("Anna", "Person"), ("Rome", "Place")]
    assert (deed["ratings"], deed["note"]) == ({"": 4, "Polite": 5, "Short": 3}, "Lovely")
    assert tag["tags"] == {"tone": "warm"}
    first(page, "Nr 1?")
    page.keyboard.press("u")
    first(page, "Nr 0?")
    expect(page.locator("mark")).to_have_count(2)  # what was said is there again
    until(page, lambda: Queue(studio.workspace, "keys").counts(Eye())["pending"] == 4)
    page.keyboard.press("d")
    page.keyboard.press("s")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("A row, on its page and in Review")
    page.keyboard.press("Escape")
    first(page, "Nr 2?")
    assert page.title() != "run"


def test_the_better_of_two_answers(studio, page, tmp_path):
    rows = [{"prompt": f"Q{n}?", "chosen": f"one {n}", "rejected": f"two {n}"} for n in range(4)]
    queue = put(studio, tmp_path, "answers", rows)
    enter(studio, page, "answers")
    for key in ("a", "b", "="):
        page.keyboard.press(key)
        page.keyboard.press("Enter")
    until(page, lambda: len(lines(queue)) == 3)
    assert [(line["choice"], line["status"]) for line in lines(queue)] == [
        ("chosen", "accepted"), ("rejected", "accepted"), ("tie", "discarded"),
    ]  # fmt: skip
    assert lines(queue)[1]["content"]["chosen"][0]["content"] == "two 1"


def test_suggestions_fill_the_form_and_one_key_takes_them(studio, page, tmp_path):
    rows = labelled(6)
    rows[0]["text"] = "The lamp is broken"  # the row says a, the rule says c
    queue = put(studio, tmp_path, "suggested", rows)
    guidelines.save(queue.dataset, {"labels": ["a", "b", "c"], "rules": [{"words": ["lamp is"], "label": "c"}]}, 0)
    enter(studio, page, "suggested")
    page.get_by_label("Suggestions").select_option(label="Rules of the guidelines")
    filled = page.locator("[data-label=c]")
    expect(filled).to_contain_text("suggested")
    expect(filled).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("y")
    first(page, "Message 1:")
    expect(page.locator(".chip.suggestion")).to_have_count(0)
    page.keyboard.press("y")  # there is nothing to take
    page.keyboard.press("Enter")
    until(page, lambda: len(lines(queue)) == 2)
    assert [line.get("label") for line in lines(queue)] == ["c", None]
    assert lines(queue)[0]["content"]["label"] == "c"


def test_a_suggestion_without_a_place_in_the_row_is_not_taken(studio, page, tmp_path):
    """A judged answer is right or wrong: what a model says is not to be written over it."""
    rows = [{"prompt": f"The lamp {n} is broken", "completion": "We mend it.", "label": n % 2 == 0} for n in range(4)]
    queue = put(studio, tmp_path, "judged", rows)
    said = json.dumps({"answers": {"tuned": {"text": "We never mend it."}}})
    page.route(
        "**/rows/*/question?*", lambda route: route.fulfill(json={"messages": [{"role": "user", "content": ""}]})
    )
    page.route("**/studio/answers/some/engine/start", lambda route: route.fulfill(json={"phase": "ready"}))
    page.route("**/studio/answers/some", lambda route: route.fulfill(body=said))
    enter(studio, page, "judged", source="live:some:tuned")
    expect(page.locator(".rv-suggested")).to_contain_text("We never mend it.")
    page.keyboard.press("y")
    page.keyboard.press("Enter")
    until(page, lambda: len(lines(queue)) == 1)
    assert lines(queue)[0]["status"] == "accepted" and "content" not in lines(queue)[0]


def test_a_suggestion_that_comes_late_leaves_the_label_that_was_chosen(studio, page, tmp_path):
    """The model says c of every row; its answer is held back until the reviewer has chosen."""
    rows = [{"text": f"Message {n}", "label": "ab"[n % 2]} for n in range(6)]
    queue = put(studio, tmp_path, "late", rows)
    guidelines.save(queue.dataset, {"labels": ["a", "b", "c"]}, 0)
    waiting = []
    said = json.dumps({"answers": {"tuned": {"text": "c"}}})
    page.route(
        "**/rows/*/question?*", lambda route: route.fulfill(json={"messages": [{"role": "user", "content": ""}]})
    )
    page.route("**/studio/answers/some/engine/start", lambda route: route.fulfill(json={"phase": "ready"}))
    page.route("**/studio/answers/some", lambda route: waiting.append(route))

    def answered() -> None:
        until(page, lambda: waiting)
        waiting.pop().fulfill(body=said)

    def pressed(label: str) -> None:
        expect(page.locator(f"[data-label={label}]")).to_have_attribute("aria-pressed", "true")

    beside = page.get_by_text("The suggestion is “c”")
    enter(studio, page, "late", source="live:some:tuned")
    expect(page.get_by_text("Thinking…")).to_be_visible()
    page.keyboard.press("2")
    answered()
    expect(beside).to_be_visible()
    pressed("b")
    page.keyboard.press("Enter")
    first(page, "Message 1")  # of the label b
    page.keyboard.press("1")
    page.keyboard.press("1")  # taken off again: the row keeps its own
    answered()
    expect(beside).to_be_visible()
    pressed("b")
    page.keyboard.press("Enter")
    first(page, "Message 2")  # nothing is chosen
    answered()
    pressed("c")
    page.keyboard.press("Enter")
    until(page, lambda: len(lines(queue)) == 3)
    assert [line.get("label") for line in lines(queue)] == ["b", None, "c"]
    page.keyboard.press("i")
    expect(page.locator(".rv-guidelines .grid3")).to_have_text(re.compile(r"^Labels\s*a\s*b\s*c$"))  # and no other list


def test_many_at_once_and_one_undo(studio, page, tmp_path):
    rows = labelled(20)
    for n in (3, 7, 11):
        rows[n]["text"] = f"The blue lamp arrived broken in its box number {n}"
    queue = put(studio, tmp_path, "bulk", rows)
    enter(studio, page, "bulk", item=queue.ids[3])
    first(page, "number 3")
    page.keyboard.press("f")
    expect(page.locator(".rv-list li")).not_to_have_count(0)
    expect(page.locator(".rv-selected")).to_have_text("3 selected")
    page.keyboard.press("3")
    until(page, lambda: len(lines(queue)) == 1)
    assert {deed["row"] for deed in lines(queue)[0]["deeds"]} == {queue.ids[n] for n in (3, 7, 11)}
    expect(page.locator(".rv-done")).to_contain_text("3 of 20 judged")
    page.keyboard.press("u")
    until(page, lambda: len(lines(queue)) == 2)
    assert Queue(studio.workspace, "bulk").counts(Eye())["pending"] == 20
    page.keyboard.press("Control+a")
    page.keyboard.press("x")
    until(page, lambda: len(lines(queue)) == 3)
    assert Queue(studio.workspace, "bulk").counts(Eye())["discarded"] >= 3


@pytest.mark.parametrize("width, dark", [(1280, False), (768, True)])
def test_axe_finds_nothing_in_any_view(studio, open_page, tmp_path, width, dark):
    name = f"axe{width}"
    put(studio, tmp_path, name, labelled(12))
    page = enter(studio, open_page(width=width, dark=dark), name)
    page.evaluate(AXE_SCRIPT)
    for view in ("", "Many at once", "Agreement"):
        if view:
            page.get_by_role("button", name=view).click()
            expect(page.locator(".rv-view")).not_to_contain_text("…", timeout=10_000)
        found = page.evaluate("axe.run({ resultTypes: ['violations'] }).then((found) => found.violations)")
        bad = [
            f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in ("serious", "critical")
        ]
        assert not bad, f"{view}: {bad}"
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth + 1"), view
