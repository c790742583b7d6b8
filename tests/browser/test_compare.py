"""The Compare page in a real browser, with the tiny model and two runs that answer differently."""

from __future__ import annotations

import json
import re

from filelock import FileLock
from playwright.sync_api import expect

from studio import engines, events, logs
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.runs import create as make_run
from studio.settings.train import TrainSettings
from tests import adapters
from tests.browser.comparing import LOADING_MS, answered, ask, longest, opened, words
from tests.browser.comparing import runs as runs
from tests.browser.comparing import studio as studio
from tests.browser.conftest import WAIT_MS

# The question “goes on” gets a whole tuned answer and a base that never ends, until it is stopped.
GOES_ON = """(() => {
  const real = window.fetch;
  window.fetch = (path, options = {}) => {
    const asks = options.method === 'POST' && /answers\\/[^/]+$/.test(path);
    if (!asks || JSON.parse(options.body).messages.at(-1).content !== 'goes on') return real(path, options);
    const line = (said) => new TextEncoder().encode(JSON.stringify(said) + '\\n');
    return Promise.resolve(new Response(new ReadableStream({ start(stream) {
      stream.enqueue(line({ side: 'base', text: 'and on ' }));
      stream.enqueue(line({ side: 'tuned', text: 'the tuned answer' }));
      stream.enqueue(line({ side: 'tuned', text: '', ended: true, weights: 'b'.repeat(12) + '+' + 'c'.repeat(12) }));
      options.signal.addEventListener('abort', () => stream.error(options.signal.reason));
    } }), { status: 200 }));
  };
})();"""
BLOCKED = """for (const kind of ['localStorage', 'sessionStorage'])
  Object.defineProperty(window, kind, { get() { throw new Error('blocked'); } });"""
# How often each side was seen to grow.
COUNT_PIECES = """() => {
  window.seen = { base: 0, tuned: 0 };
  const count = (one, at) => { if (one.textContent) window.seen[at ? 'tuned' : 'base'] += 1; };
  new MutationObserver(() => document.querySelectorAll('.answer-card .writing').forEach(count))
    .observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


def test_an_empty_workspace_says_what_to_do(start_studio, page):
    studio = start_studio()
    studio.open(page, tab="compare")
    expect(page.get_by_role("heading", name="No trained model yet")).to_be_visible()
    page.locator("ft-compare").get_by_role("link", name="Train a model").click()
    expect(page).to_have_url(re.compile("tab=train"))


def test_a_first_run_that_trains_is_waited_for(start_studio, page, page_faults):
    """No tab that needs its model says that there is none, and each shows it by itself when it is there."""
    page_faults.allow("/prompts")  # the run has no model
    studio = start_studio()
    folder = make_run(studio.workspace, TrainSettings(dataset="letters", model="tiny", name="First"), total_steps=60)
    with FileLock(folder / job_folder.LOCK, is_singleton=False), logs.Log(folder / events.EVENTS) as log:
        log.append("starting", pid=1)
        log.append("training", total_steps=60)
        with logs.Log(folder / events.METRICS) as metrics:
            metrics.append("step", step=12, loss=1.0)
        for tab in ("export", "evaluate", "compare"):
            studio.open(page, tab=tab)
            waiting = page.locator(f"ft-{tab} ft-untrained")
            expect(waiting).to_contain_text("First is training")
            expect(waiting).to_contain_text("Step 12 of 60")
            waiting.get_by_role("link", name="Watch it").click()
            expect(page).to_have_url(re.compile(f"tab=runs&run={folder.name}"))
            page.get_by_role("tab", name=tab.capitalize()).click()  # the run is named in the address now
            expect(waiting).to_contain_text("Step 12 of 60")
        (folder / "adapter").mkdir()
        log.append("finished", steps=60)
    expect(page.locator("#compare-prompt")).to_be_visible()
    expect(waiting).to_have_count(0)


def test_both_sides_stream_and_end_stamped_by_their_weights(runs, studio, page):
    opened(studio, page, run=runs[0])
    longest(page, 30)
    page.evaluate(COUNT_PIECES)
    place = page.locator(".composer").bounding_box()
    ask(page)
    expect(page.locator(".engine .chip")).to_have_text(re.compile("Loading|Ready"))
    answered(page)
    assert all(count > 3 for count in page.evaluate("window.seen").values()), "nothing was seen while it was written"
    assert page.locator(".composer").bounding_box() == place, "the place to write moved"
    stamps = page.locator(".stamp").evaluate_all("all => all.map((one) => one.dataset.weights)")
    assert stamps[1].startswith(f"{stamps[0]}+")
    assert stamps == list(engines.state(studio.workspace, runs[0]).weights.values())
    expect(page.locator(".foot").first).to_contain_text(re.compile(r"\d+ tokens · \d+\.\d s"))
    base, tuned = words(page)
    assert base != tuned
    first = page.locator(".foot .num").first.get_attribute("title")
    print(f"tiny model: {first}")


def test_the_first_word_of_the_starter_comes_at_once(studio, starter, page):
    """A real model: 135 million weights, and a random adapter on it."""
    model = adapters.install(starter, studio.workspace, "starter")
    run = adapters.run(studio.workspace, "desk", "starter")
    adapters.adapter(model, run / "adapter", size=0.01)
    opened(studio, page, run=run.name)
    longest(page, 4)
    ask(page)
    answered(page)
    ask(page, "And when will it come?")
    answered(page)
    said = page.locator(".foot .num").last.get_attribute("title")
    print(f"starter, warm: {said}")
    assert float(re.search(r"([\d.]+) s", said)[1]) < 20  # under 1 s on a machine with nothing else to do


def test_each_side_goes_on_from_its_own_answer_and_a_reload_keeps_it(runs, studio, page):
    opened(studio, page, run=runs[0])
    longest(page, 12)
    ask(page)
    answered(page)
    with page.expect_request(lambda request: request.url.endswith(runs[0]) and request.method == "POST") as asked:
        ask(page, "<b>And</b> now?")
    body = asked.value.post_data_json
    answered(page)
    first = [turn for turn in body["messages"] if turn["role"] == "assistant"]
    other = [turn for turn in body["tuned_messages"] if turn["role"] == "assistant"]
    shown = page.locator(".turn").first.locator(".answer-card .words").all_text_contents()
    assert [first[0]["content"], other[0]["content"]] == shown
    expect(page.locator(".asked .words").last).to_have_text("<b>And</b> now?")
    before = page.locator(".talk").inner_text()
    page.reload()
    expect(page.locator(".turn")).to_have_count(2)
    assert page.locator(".talk").inner_text() == before
    ask(page, "Go on")
    answered(page)
    expect(page.locator(".turn")).to_have_count(3)
    expect(page.get_by_text("Goes on from what is above.")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("heading", name="Nothing asked yet")).to_be_visible()
    expect(page.get_by_text("Goes on from what is above.")).to_be_hidden()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".turn")).to_have_count(3)


def test_stop_ends_the_answer_in_the_engine_too(runs, studio, page):
    opened(studio, page, run=runs[0])
    longest(page, 450)
    page.locator(".options > summary").click()
    page.locator("[name=temperature]").fill("2")
    page.locator(".options > summary").click()
    ask(page)
    page.wait_for_function(  # pressed in the same moment: on a slow machine the whole answer would come in between
        """() => {
            const writing = document.querySelector(".writing")?.textContent.length > 3;
            if (writing) document.querySelector("[data-stop]").click();
            return writing;
        }""",
        timeout=LOADING_MS,
    )
    expect(page.locator(".foot", has_text="stopped").first).to_be_visible()  # the other side may have come to its end
    expect(page.locator(".stamp")).to_have_count(2)
    page.wait_for_function(
        """async (run) => !(await (await fetch(`/studio/answers/${run}/engine`)).json()).busy""", arg=runs[0]
    )
    expect(page.get_by_role("button", name="Send")).to_be_enabled()


def test_a_new_question_stops_the_side_that_still_writes(runs, studio, page):
    """One side is done, the other one goes on and on: whoever asks anew need not wait for it."""
    page.add_init_script(GOES_ON)
    opened(studio, page, run=runs[0])
    longest(page, 5)
    ask(page, "goes on")
    cards = page.locator(".turn").first.locator(".answer-card")
    expect(cards.nth(1)).to_contain_text(
        "Done. The other one is still being written; asking anew stops it.", timeout=LOADING_MS
    )
    expect(page.locator("[data-stop]")).to_be_visible()
    ask(page)
    answered(page)
    expect(page.locator(".turn")).to_have_count(2)
    expect(cards.nth(0).locator(".foot")).to_contain_text("stopped")
    expect(cards.nth(1).locator(".foot")).not_to_contain_text("stopped")
    expect(cards.nth(1).locator(".words")).to_have_text("the tuned answer")
    expect(cards.nth(1).locator(".stamp")).to_have_attribute("data-weights", f"{'b' * 12}+{'c' * 12}")


def test_what_was_cleared_while_it_was_answered_does_not_come_back(runs, studio, page):
    page.add_init_script(GOES_ON)
    opened(studio, page, run=runs[0])
    ask(page, "goes on")
    expect(page.locator(".answer-card .words").first).to_have_text("and on ", timeout=LOADING_MS)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("[data-stop]")).to_be_hidden()
    page.reload()
    expect(page.get_by_role("heading", name="Nothing asked yet")).to_be_visible()


def test_an_answer_that_repeats_itself_is_ended_and_says_so(runs, studio, page):
    bodies = []

    def answer(route):
        bodies.append(json.loads(route.request.post_data))
        sides = {"base": ("no no no no", "repeats"), "tuned": ("yes", "stop")}
        found = {
            side: {"text": text, "tokens": [1], "weights": "a" * 12, "finish": finish, "seconds": 1, "cut": 0}
            for side, (text, finish) in sides.items()
        }
        route.fulfill(status=200, body=json.dumps({"answers": found}) + "\n")

    opened(studio, page, run=runs[0])
    page.route(
        re.compile(r"/studio/answers/[^/]+$"),
        lambda route: answer(route) if route.request.method == "POST" else route.continue_(),
    )
    ask(page)
    answered(page)
    feet = page.locator(".answer-card .foot")
    expect(feet.nth(0)).to_contain_text("it began to repeat itself")
    expect(feet.nth(1)).not_to_contain_text("repeat")
    page.locator(".options > summary").click()
    page.get_by_text("Advanced", exact=True).click()
    page.get_by_label("End repeats").uncheck()
    expect(page.locator("[data-changed]")).to_contain_text("end repeats off")
    ask(page)
    answered(page)
    assert [body["options"]["stop_repeats"] for body in bodies] == [True, False]


def test_two_presses_at_once_ask_once(runs, studio, page):
    """While one side still writes, a press first stops it; a second press in that moment is one too many."""
    page.add_init_script(GOES_ON)
    asked = []
    page.on(
        "request",
        lambda one: one.method == "POST" and one.url.endswith(f"/answers/{runs[0]}") and asked.append(one.post_data),
    )
    opened(studio, page, run=runs[0])
    longest(page, 5)
    ask(page, "goes on")
    expect(page.locator(".answer-card").nth(1)).to_contain_text("Done.", timeout=LOADING_MS)
    page.evaluate("() => [...document.querySelectorAll('.ask-row')].slice(0, 2).forEach((row) => row.click())")
    answered(page)
    assert len(asked) == 1


def test_at_a_temperature_regenerate_takes_another_seed(runs, studio, page):
    opened(studio, page, run=runs[0])
    longest(page, 12)
    page.locator(".options > summary").click()
    page.locator("[name=temperature]").fill("1.5")
    ask(page)
    answered(page)
    before = words(page)
    page.locator("form").get_by_role("button", name="Regenerate").click()
    expect(page.locator(".writing").first).to_be_attached()
    answered(page)
    assert words(page) != before
    expect(page.locator("[data-changed]")).to_contain_text("answer seed 1")


def test_held_out_rows_are_asked_with_a_click_and_the_expected_answer_stands_beside(runs, studio, page):
    opened(studio, page, run=runs[0])
    longest(page, 6)
    expect(page.locator("[data-count]")).to_have_text("20 held-out rows")
    row = page.locator(".ask-row").nth(1)
    prompt = row.locator(".two-lines").inner_text()
    row.click()
    answered(page)
    expect(page.locator(".asked .words")).to_have_text(prompt)
    expect(page.locator(".expected .words")).to_have_text(re.compile("^QUEUE: "))
    expect(page.locator(".foot .mark").first).to_have_text("✗ not as expected")
    expect(page.locator("[data-count]")).to_have_text("2 of 20")
    page.get_by_role("button", name="Ask the next row").click()
    expect(page.locator("[data-count]")).to_have_text("3 of 20")
    answered(page)
    page.locator("#held-find").fill("number 7?")
    expect(page.locator(".ask-row")).to_have_count(1)
    page.locator("#held-find").fill("nowhere to be found")
    expect(page.locator("[data-list]")).to_contain_text("No row holds these words.")


def test_differing_words_are_marked_on_demand_and_answers_copied(runs, studio, open_page):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    opened(studio, page, run=runs[0])
    longest(page, 10)
    ask(page)
    answered(page)
    expect(page.locator("mark")).to_have_count(0)
    page.get_by_label("Mark differing words").check()
    expect(page.locator(".answer-card").nth(1).locator("mark").first).to_be_visible()
    text = page.locator(".answer-card .words").nth(1).text_content()
    page.get_by_role("button", name="Copy the answer of Tuned").click()
    expect(page.get_by_role("button", name="Copy the answer of Tuned")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == text


def test_words_that_differ(runs, studio, page):
    """The comparison itself: words, punctuation, scripts without spaces, long texts."""
    opened(studio, page, run=runs[0])
    own = """([one, other]) => import(document.querySelector('script[src$="/studio.js"]').src.replace(
        'studio.js', 'differences.js')).then(({ differences }) =>
      differences(one, other).map((side) => side.filter(([, own]) => own).map(([text]) => text)))"""
    assert page.evaluate(own, ["the quick brown fox", "the slow brown fox!"]) == [["quick"], ["slow", "!"]]
    assert page.evaluate(own, ["same  words", "same\nwords"]) == [[], []]
    assert page.evaluate(own, ["", "new"]) == [[], ["new"]]
    assert page.evaluate(own, ["你好世界", "你好地界"]) == [["世"], ["地"]]
    assert page.evaluate(own, ["a b c", "c a b"]) == [["c"], ["c"]]
    long = ["word " * 3000 + "end", "word " * 2999 + "other end"]
    assert page.evaluate(own, long) == [["word"], ["other"]]


def test_scripts_in_answers_are_shown_and_not_run(runs, studio, page):
    evil = '<img src=x onerror="window.ran = true"><script>window.ran = true</script> مرحبا'
    opened(studio, page, run=runs[0])
    pieces = [{"side": side, "text": evil} for side in ("base", "tuned")]
    whole = {"text": evil, "tokens": [1], "seconds": 0.1, "weights": "abc", "finish": "stop", "cut": 0}
    page.route(
        f"**/studio/answers/{runs[0]}",
        lambda route: route.fulfill(
            content_type="application/x-ndjson",
            body="".join(
                f"{line}\n" for line in map(json.dumps, [*pieces, {"answers": {"base": whole, "tuned": whole}}])
            ),
        ),
    )
    page.get_by_label("Mark differing words").check()
    ask(page, evil)
    answered(page)
    assert words(page) == [evil, evil]
    page.reload()
    expect(page.locator(".answer-card .words").first).to_have_text(evil)
    assert page.evaluate("window.ran") is None


def test_two_runs_answer_side_by_side(runs, studio, page):
    opened(studio, page, run=runs[0])
    page.get_by_label("Against").select_option(runs[1])
    expect(page).to_have_url(re.compile(f"left={runs[0]}&right={runs[1]}|right={runs[1]}&left={runs[0]}"))
    expect(page.locator(".engine")).to_contain_text("Two runs need an engine each")
    longest(page, 8)
    ask(page)
    answered(page)
    stamps = page.locator(".stamp").evaluate_all("all => all.map((one) => one.dataset.weights)")
    assert len(set(stamps)) == 2 and all("+" in stamp for stamp in stamps)
    page.go_back()
    expect(page.locator(".side-head").first).to_contain_text("Base")


def test_links_to_runs_that_can_not_answer_say_so(runs, studio, page, page_faults):
    page_faults.allow("409")
    studio.open(page, tab="compare", run="20200101-000000-gone-0000")
    expect(page.locator("ft-compare ft-missing")).to_contain_text("There is no such run")
    page.locator("ft-compare [name=run]").select_option(runs[0])
    expect(page.locator("#compare-prompt")).to_be_visible()
    bare = adapters.run(studio.workspace, "desk", "tiny").name
    studio.open(page, tab="compare", run=bare)
    expect(page.locator("ft-compare .notice")).to_contain_text("no trained weights yet")


def test_a_training_that_shares_the_machine_is_told(runs, studio, page):
    other = job_folder.create(studio.workspace, "train", {"dataset": "desk", "model": "tiny"})
    with queue.take_device(studio.workspace, other):
        opened(studio, page, run=runs[0])
        expect(page.locator(".engine .warning")).to_contain_text(
            f"This machine is training “desk {other.name[-4:]}” now."
        )
        expect(page.locator(".engine .warning")).to_contain_text("answers take longer")
    with logs.Log(other / events.EVENTS) as log:
        log.append("stopped")
    expect(page.locator(".engine .warning")).to_have_count(0)


def test_rows_of_a_deleted_dataset_are_restored_beside_the_conversation(runs, studio, page, page_faults):
    page_faults.allow("409")
    studio.workspace.delete("datasets", "desk")
    opened(studio, page, run=runs[0])
    told = page.locator("ft-held-out .trouble")
    expect(told).to_contain_text("“desk” was deleted.")
    expect(told).not_to_contain_text(str(studio.workspace.root))
    told.get_by_role("button", name="Restore it").click()
    expect(told).to_be_empty()
    expect(page.locator("ft-held-out .ask-row").first).to_be_visible()


def test_models_that_left_the_memory_are_not_called_ready(runs, studio, page):
    """An engine of which nobody has asked anything for long lives on without its weights."""

    def without_weights(route):
        answer = route.fetch()
        route.fulfill(response=answer, body=json.dumps(answer.json() | {"loaded": False}))

    opened(studio, page, run=runs[0])
    longest(page, 5)
    ask(page)
    answered(page)
    expect(page.locator(".engine .chip")).to_have_text("Ready", timeout=WAIT_MS)
    page.route("**/engine*", without_weights)
    expect(page.locator(".engine .chip")).to_have_text("At rest", timeout=WAIT_MS)
    expect(page.get_by_role("button", name="Free the memory")).to_have_count(0)


def test_without_storage_everything_works_but_the_reload(runs, studio, open_page):
    page = open_page()
    page.add_init_script(BLOCKED)
    opened(studio, page, run=runs[0])
    longest(page, 5)
    ask(page)
    answered(page)
    expect(page.locator(".stamp")).to_have_count(2)
