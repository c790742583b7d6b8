"""The Runs page in a real browser, on rehearsals: runs that speak every event of a training, without torch."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from playwright.sync_api import Page, Response, expect

from studio import events, runs
from studio.jobs import folder as job_folder
from studio.logs import Log
from studio.settings.train import TrainSettings
from tests.browser.conftest import ROOT, kill_worker
from tests.worlds import World, places

LOSS = "[data-chart=loss]"


def rehearse(studio, steps: int, seconds: float, **settings: Any) -> Path:
    """A run in the queue; the open studio starts it."""
    settings = {"dataset": "letters", "model": "tiny", **settings}
    fields = {"steps": steps, "seconds": seconds, **settings}
    return job_folder.create(studio.workspace, "rehearsal", fields, total_steps=steps)


def ended(studio, name: str, steps: int = 20, how: str = "finished", **settings: Any) -> Path:
    """A run that is over, with its curve, its checks and its sample answers."""
    settings = {"dataset": "letters", "name": name, **settings}
    folder = runs.create(studio.workspace, TrainSettings(**settings), total_steps=steps)
    with Log(folder / events.EVENTS) as log:
        log.append("starting", pid=1)
        log.append("training", total_steps=steps)
        for step in (0, steps // 2, steps):
            log.append("eval", step=step, loss=3.0 - step / steps)
        log.append(
            how,
            step=steps,
            **({"what": "It broke.", "why": "A reason.", "next": "Mend it."} if how == "failed" else {}),
        )
    line = '{"type": "step", "time": 1700000000.1, "step": %d, "loss": %.4f, "tokens": 100, "seconds": 0.5}\n'
    (folder / events.METRICS).write_text("".join(line % (step, 3 - step / steps) for step in range(1, steps + 1)))
    return folder


def write_samples(folder: Path, *lines: tuple[int, str, str]) -> None:
    with Log(folder / "samples.jsonl") as log:
        for step, prompt, answer in lines:
            log.append("sample", step=step, row_id="r1", prompt=prompt, expected="what was expected", answer=answer)


def curve(page: Page) -> list[int]:
    """The steps that the loss chart holds."""
    return page.evaluate(f"document.querySelector('{LOSS}')?.data?.find((one) => one.name === 'Training')?.x ?? []")


def wait_for_step(page: Page, step: int) -> None:
    inside = f"(document.querySelector('{LOSS}')?.data?.find((one) => one.name === 'Training')?.x ?? []).at(-1)"
    page.wait_for_function(f"{inside} >= {step}")


def row(page: Page, name: str):
    return page.locator("table.runs tbody tr", has_text=name)


def test_an_empty_page_says_what_to_do(start_studio, page):
    start_studio().open(page, tab="runs")
    expect(page.get_by_role("heading", name="No runs yet")).to_be_visible()
    page.get_by_role("link", name="Start the first run").click()
    expect(page).to_have_url(re.compile("tab=train"))
    page.go_back()
    expect(page.get_by_role("heading", name="No runs yet")).to_be_visible()


def test_curves_stream_and_only_what_is_new_is_asked_for(studio, page):
    folder = rehearse(studio, 2000, 0.02)
    asked: list[tuple[int, int, list[int]]] = []

    def note(response: Response) -> None:
        if "/news?" in response.url:
            told = response.json()["steps"]
            asked.append(
                (int(re.search(r"steps=(\d+)", response.url)[1]), told["offset"], told["columns"].get("step", []))
            )

    page.on("response", note)
    studio.open(page, tab="runs", run=folder.name)
    wait_for_step(page, 30)
    page.evaluate(f"Plotly.relayout(document.querySelector('{LOSS}'), {{'xaxis.range': [5, 15]}})")
    wait_for_step(page, 90)
    assert page.evaluate(f"document.querySelector('{LOSS}').layout.xaxis.range") == [5, 15], "the zoom was lost"
    assert curve(page) == list(range(1, curve(page)[-1] + 1))
    for (_, end, had), (start, _, got) in pairwise(asked):
        assert start == end
        assert not got or not had or got[0] == had[-1] + 1
    # What is drawn, not only what is held.
    small = "[...document.querySelectorAll('.minis [data-chart]')]"
    assert page.evaluate(f"{small}.length") > 0
    page.wait_for_function(f"{small}.every((one) => one.calcdata.at(-1).at(-1).x >= 90)")
    page.get_by_label("Log scale").check()
    page.wait_for_function(f"document.querySelector('{LOSS}').layout.yaxis.type === 'log'")
    expect(page.get_by_text(re.compile("about .* left"))).to_be_visible()


def test_reload_second_window_stop_and_resume(studio, page, open_page):
    other = studio.open(open_page(), tab="runs")
    folder = rehearse(studio, 150, 0.05)
    studio.open(page, tab="runs", run=folder.name)
    wait_for_step(page, 10)
    page.reload()
    wait_for_step(page, 15)
    assert curve(page)[0] == 1

    other.locator(f'tr[data-run="{folder.name}"]').get_by_role("link").click()
    other.get_by_role("button", name="Stop", exact=True).click()
    for window in (page, other):
        expect(window.get_by_role("status").get_by_text("Stopped", exact=True)).to_be_visible()
        expect(window.locator(".timeline")).to_contain_text("Stopping: saving what there is.")
    page.get_by_role("button", name="Resume").click()
    expect(other.get_by_role("status").get_by_text("Finished", exact=True)).to_be_visible()
    expect(page.locator(".timeline")).to_contain_text("Going on from step")
    for window in (page, other):
        wait_for_step(window, 150)
    assert curve(page) == curve(other) == list(range(1, 151))
    expect(page).to_have_title(f"✓ finished – letters {folder.name[-4:]}")
    page.keyboard.press("Shift")
    expect(page).to_have_title(f"letters {folder.name[-4:]} – Runs – FlexTune Studio")


@pytest.mark.parametrize("both", [False, True], ids=["the worker", "the studio too"])
def test_a_killed_run_is_interrupted_and_resumes(studio, page, page_faults, both):
    folder = rehearse(studio, 90, 0.05)
    studio.open(page, tab="runs", run=folder.name)
    wait_for_step(page, 12)
    if both:
        page_faults.allow("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "503")
        studio.kill()
    kill_worker(folder)
    if both:
        studio.start()
    expect(page.get_by_text("This run was interrupted.")).to_be_visible()
    expect(page.locator(".trouble")).to_contain_text("Resume goes on from its last resume point.")
    expect(page).to_have_title(re.compile("^✕ interrupted"))
    page.reload()
    wait_for_step(page, 12)
    expect(page.locator(".resume-point")).to_have_text(
        re.compile(r"Last resume point: step \d+0\. The newest ones and")
    )
    page.get_by_role("button", name="Resume").click()
    wait_for_step(page, 90)
    expect(page.get_by_role("status").get_by_text("Finished", exact=True)).to_be_visible()
    assert curve(page) == list(range(1, 91))


def test_the_first_step_moves_nothing_below_the_curves(studio, page):
    folder = runs.create(studio.workspace, TrainSettings(dataset="letters", model="tiny"), total_steps=100)
    height = "document.querySelector('.curves').offsetHeight"
    with FileLock(folder / job_folder.LOCK, is_singleton=False), Log(folder / events.EVENTS) as log:
        log.append("starting", pid=1)
        log.append("training", total_steps=100)
        studio.open(page, tab="runs", run=folder.name)
        expect(page.get_by_text("The curve begins with the first step.")).to_be_visible()
        before = page.evaluate(height)
        seen = {"learning_rate": 1e-4, "grad_norm": 1.0, "tokens": 90, "seconds": 0.5, "memory_gb": 1.0}
        with Log(folder / events.METRICS) as metrics:
            metrics.append("step", step=1, loss=1.0, tokens_per_second=180, **seen)
        wait_for_step(page, 1)
        page.wait_for_function("[...document.querySelectorAll('.minis .plot')].every((one) => one.data)")
        assert page.locator(".minis .plot").count() == 4 and abs(page.evaluate(height) - before) <= 2
        log.append("stopped", step=1)


def test_a_resumed_run_shows_at_once_where_it_goes_on_from(studio, page):
    """Between Resume and the word of its worker, which loads for long, nothing shows what will be taken back."""
    folder = runs.create(studio.workspace, TrainSettings(dataset="letters", model="tiny"), total_steps=100)
    said, bar = page.locator(".state strong"), page.locator(".state [role=progressbar]")
    with FileLock(folder / job_folder.LOCK, is_singleton=False), Log(folder / events.EVENTS) as log:
        log.append("starting", pid=1)
        log.append("training", total_steps=100)
        with Log(folder / events.METRICS) as metrics:
            for step in range(1, 58):
                metrics.append("step", step=step, loss=1.0)
        log.append("checkpoint", step=40)
        studio.open(page, tab="runs", run=folder.name)
        expect(said).to_have_text("Step 57 of 100")
        for kind in ("queued", "starting"):
            log.append(kind, pid=2)
            expect(said).to_have_text("Resuming from step 40.")
            expect(bar).to_have_attribute("aria-valuenow", "40")
        log.append("resumed", from_step=40, metrics=(folder / events.METRICS).stat().st_size)
        expect(said).to_have_text("Step 40 of 100")


def test_a_run_that_ended_before_its_first_step_promises_no_more_than_it_has(studio, page):
    folder = runs.create(studio.workspace, TrainSettings(dataset="letters", model="tiny"), total_steps=20)
    with Log(folder / events.EVENTS) as log:
        log.append("starting", pid=1)
        log.append("training", total_steps=20)
        log.append("eval", step=0, loss=3.0)
    write_samples(folder, (0, "What is asked", "what was said before"))
    studio.open(page, tab="runs", run=folder.name)
    expect(page.locator(".trouble")).to_contain_text("no resume point yet: Resume begins at its first step.")
    expect(page.get_by_role("columnheader", name="Before training")).to_have_class("base-ink")
    page.wait_for_function(f"document.querySelector('{LOSS}')?.layout?.xaxis.range?.join() === '0,1'")


def test_a_killed_and_restarted_studio_loses_nothing(start_studio, page, page_faults):
    page_faults.allow("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "503")
    studio = start_studio()
    folder = rehearse(studio, 3000, 0.02)
    studio.open(page, tab="runs", run=folder.name)
    wait_for_step(page, 20)
    studio.kill()
    expect(page.get_by_text("The studio does not answer.")).to_be_visible()
    before = curve(page)[-1]
    page.get_by_role("button", name="Stop", exact=True).click()
    pressed = page.get_by_text("This did not reach the studio.")
    expect(pressed).to_be_visible()
    expect(page.get_by_text("The studio does not answer.")).to_have_count(1)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_enabled()
    studio.start()
    wait_for_step(page, before + 20)
    expect(pressed).to_have_count(0)
    expect(page.get_by_text("The studio does not answer.")).to_have_count(0)
    assert curve(page) == list(range(1, curve(page)[-1] + 1))
    assert job_folder.status(folder) == "running"


def test_twenty_thousand_steps_open_quickly(studio, page, capsys):
    folder = ended(studio, "long", steps=20_000)
    studio.open(page, tab="runs")
    row(page, "long").wait_for()
    began = time.perf_counter()
    row(page, "long").get_by_role("link").click()
    wait_for_step(page, 20_000)
    warm = time.perf_counter() - began
    began = time.perf_counter()
    studio.open(page, tab="runs", run=folder.name)
    wait_for_step(page, 20_000)
    with capsys.disabled():
        print(f"\n20,000 steps: curve {warm:.2f} s after a click, {time.perf_counter() - began:.2f} s after a new load")
    drawn = len(curve(page))
    assert drawn < 4000
    page.evaluate(f"Plotly.relayout(document.querySelector('{LOSS}'), {{'xaxis.range': [1000, 1200]}})")
    training = f"document.querySelector('{LOSS}').data.find((one) => one.name === 'Training')"
    page.wait_for_function(f"{training}.x.filter((x) => x >= 1000 && x <= 1200).length === 201")


def test_an_event_reaches_the_page_soon(studio, page, capsys):
    folder = ended(studio, "prompt")
    studio.open(page, tab="runs", run=folder.name)
    expect(page.locator(".timeline")).to_contain_text("Finished.")
    took = []
    for number in range(3):
        with Log(folder / events.EVENTS) as log:
            log.append("message", text=f"word {number}")
        began = time.perf_counter()
        page.get_by_text(f"word {number}").wait_for()
        took.append(time.perf_counter() - began)
    with capsys.disabled():
        print(f"\nan event reached the page within {max(took):.2f} s ({', '.join(f'{one:.2f}' for one in took)})")
    assert max(took) < 5


def test_a_failed_run_says_what_why_and_next(studio, page):
    folder = ended(studio, "broken off", how="failed", learning_rate=7e-4)
    studio.open(page, tab="runs", run=folder.name)
    alert = page.get_by_role("alert")
    for words in ("It broke.", "A reason.", "Mend it."):
        expect(alert).to_contain_text(words)
    expect(page.get_by_role("button", name="Resume")).to_be_enabled()
    page.get_by_role("button", name="Change the settings").click()
    expect(page).to_have_url(re.compile("tab=train"))
    expect(page.get_by_role("textbox", name="Learning rate")).to_have_value("0.0007")


def test_the_list_is_searched_sorted_and_overlaid(studio, page):
    ended(studio, "apple", steps=30, learning_rate=1e-4)
    ended(studio, "cherry", steps=10, learning_rate=1e-3)
    studio.open(page, tab="runs")
    row(page, "apple").wait_for()
    page.get_by_role("button", name="Run", exact=True).click()
    names = page.locator("table.runs tbody th a")
    shown = names.all_inner_texts()
    assert shown == sorted(shown, key=str.lower)
    page.get_by_label("Search runs").fill("cherry")
    expect(names).to_have_text(["cherry"])
    page.reload()
    expect(names).to_have_text(["cherry"])
    page.get_by_label("Search runs").fill("")
    for name in ("apple", "cherry"):
        row(page, name).get_by_role("checkbox").check()
    page.get_by_role("button", name="Compare curves (2)").click()
    expect(page.get_by_role("heading", name="2 runs compared")).to_be_visible()
    page.wait_for_function("document.querySelector('[data-chart=training]')?.data?.length === 2")
    rows = page.locator(".settings-table tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Learning rate")
    page.get_by_label("Show equal ones too").check()
    expect(rows.nth(10)).to_be_visible()
    colours = page.evaluate("[...document.querySelectorAll('.legend-rows i')].map((one) => one.style.borderTop)")
    page.get_by_role("button", name="Leave out apple").click()
    expect(page.get_by_role("heading", name="1 run")).to_be_visible()
    expect(page.locator(".legend-rows tr")).to_have_count(1)
    assert (
        page.evaluate("document.querySelector('.legend-rows i').style.borderTop").split("var")[1]
        == colours[1].split("var")[1]
    )


def test_names_notes_delete_undo_and_restore(studio, page):
    folder = ended(studio, "plain name")
    hostile = "<img src=x onerror=window.ran=1> \u202bשלום\u202c " + "y" * 60
    studio.open(page, tab="runs")
    row(page, "plain name").get_by_label(re.compile("More for")).click()
    page.get_by_role("button", name="Name and notes…").click()
    page.get_by_role("textbox", name="Name").fill(hostile)
    page.get_by_role("textbox", name="Notes").fill("<b>bold</b>\n" + "z" * 4900)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(row(page, "onerror").locator("a")).to_contain_text("<img src=x")
    assert runs.note(folder).text.startswith("<b>bold</b>")

    row(page, "onerror").get_by_label(re.compile("More for")).click()
    row(page, "onerror").get_by_role("button", name="Delete").click()
    expect(row(page, "onerror")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    row(page, "onerror").get_by_role("link").click()
    expect(page.get_by_role("heading", name=re.compile("onerror"))).to_be_visible()
    page.locator("ft-run").get_by_label(re.compile("More for")).click()
    page.get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile(r"tab=runs$"))

    studio.open(page, tab="runs", run=folder.name)
    expect(page.get_by_role("heading", name="This run was deleted")).to_be_visible()
    page.get_by_role("button", name="Restore").click()
    wait_for_step(page, 20)
    assert folder.exists() and page.evaluate("window.ran") is None
    studio.open(page, tab="runs", run="nix")
    expect(page.get_by_role("heading", name="There is no such run")).to_be_visible()


def test_a_broken_run_hides_nothing(studio, page):
    folder = ended(studio, "to be broken")
    (folder / "settings.json").write_text('{"format": 99}')
    ended(studio, "still there")
    studio.open(page, tab="runs")
    expect(row(page, "newer studio")).to_contain_text("Broken")
    expect(row(page, "still there")).to_be_visible()
    studio.open(page, tab="runs", run=folder.name)
    expect(page.get_by_role("alert")).to_contain_text("Update the studio")


def test_the_queue_shows_places(studio, page):
    rehearse(studio, 4000, 0.02, name="runs now")
    studio.open(page, tab="runs")
    expect(row(page, "runs now")).to_contain_text("Running")
    for name in ("first", "second"):
        rehearse(studio, 10, 0.01, name=name)
    expect(row(page, "first")).to_contain_text("1st in line")
    expect(row(page, "second")).to_contain_text("2nd in line")
    row(page, "first").get_by_role("button", name="Stop").click()
    expect(row(page, "second")).to_contain_text("1st in line")
    row(page, "runs now").get_by_role("button", name="Stop").click()
    expect(row(page, "second")).to_contain_text("Finished")


def test_two_commands_on_one_workspace_are_shown_both(start_studio, tiny, page):
    studio = start_studio()
    shutil.copytree(tiny, studio.workspace.models / "tiny")
    World(studio.workspace).dataset("places", places("train", 30) + places("validation", 6))
    studio.open(page, tab="runs")
    command = [sys.executable, "launch.py", "train", "--dataset", "places", "--model", "tiny", "--samples", "0"]
    command += ["--eval-steps", "2000", "--workspace", str(studio.workspace.root)]
    for name, steps, words in (("theirs", 20_000, "Running"), ("mine", 5, "1st in line")):
        subprocess.run([*command, "--name", name, "--max-steps", str(steps)], cwd=ROOT, check=True, capture_output=True)
        expect(row(page, name)).to_contain_text(words)
    row(page, "theirs").get_by_role("button", name="Stop").click()
    expect(row(page, "theirs")).to_contain_text("Stopped")
    expect(row(page, "mine")).to_contain_text("Finished")


def test_what_the_run_left_behind_is_marked_as_the_result(studio, page):
    """The best check was kept, not the last: answers, curve and figure are its own."""
    folder = runs.create(studio.workspace, TrainSettings(dataset="letters", name="kept the best"), total_steps=60)
    with Log(folder / events.EVENTS) as log:
        log.append("starting", pid=1)
        log.append("training", total_steps=60)
        for step, loss in ((24, 1.25), (60, 2.5)):
            log.append("eval", step=step, loss=loss)
    write_samples(folder, (24, "What?", "the kept answer"), (60, "What?", "a later answer"))
    table = page.locator("table.samples")
    studio.open(page, tab="runs", run=folder.name)
    expect(table).to_contain_text("a later answer")
    with Log(folder / events.EVENTS) as log:
        log.append("finished", steps=60, best_step=24, validation_loss=1.25)
    expect(table).to_contain_text("the kept answer")
    expect(table.locator("thead")).to_contain_text("At step 24, the result")
    expect(page.locator(".facts")).to_contain_text(
        re.compile(r"Validation loss\s*1.25\s*of the result, step 24; 2.5 at")
    )
    page.wait_for_function(
        f"document.querySelector('{LOSS}').data?.find((one) => one.name === 'The result')?.x[0] === 24"
    )
    page.get_by_label("Step of the sample answers").press("ArrowRight")
    expect(table.locator("thead")).to_have_text(re.compile("At step 60$"))


def test_answers_settings_and_log(studio, page):
    folder = ended(studio, "with answers", learning_rate=1e-4)
    write_samples(
        folder, (0, "What?", "nonsense"), (10, "What?", "better"), (20, "What?", "<script>window.ran=1</script>")
    )
    (folder / job_folder.OUTPUT).write_text("line of the log\n")
    studio.open(page, tab="runs", run=folder.name)
    table = page.locator("table.samples")
    expect(table).to_contain_text("<script>window.ran=1</script>")
    expect(table).to_contain_text("nonsense")
    slider = page.get_by_label("Step of the sample answers")
    slider.press("ArrowLeft")
    expect(table).to_contain_text("better")
    expect(table.locator("thead")).to_contain_text("At step 10")
    page.get_by_text("Settings", exact=True).last.click()
    expect(page.get_by_label("Command")).to_contain_text("--learning-rate 0.0001")
    page.get_by_text("Log of the worker").click()
    expect(page.get_by_label("Log", exact=True)).to_have_text("line of the log\n")
    with open(folder / job_folder.OUTPUT, "a", encoding="utf-8") as log:
        log.write("and one more\n")
    expect(page.get_by_label("Log", exact=True)).to_contain_text("and one more")
    assert page.evaluate("window.ran") is None


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_is_cut_off_at_768_and_the_theme_is_followed(studio, open_page, dark):
    one, two = ended(studio, "narrow one"), ended(studio, "narrow two")
    write_samples(one, (0, "What? " * 30, "x" * 400))
    page = open_page(width=768, dark=dark)
    for query in ({}, {"run": one.name}, {"runs": f"{one.name},{two.name}"}):
        studio.open(page, tab="runs", **query)
        page.locator("ft-runs").get_by_text("narrow one").first.wait_for()
        page.wait_for_function("document.querySelector('ft-runs').offsetHeight > 200")
        assert page.evaluate("document.documentElement.scrollWidth") <= 768, query
    studio.open(page, tab="runs", run=one.name)
    wait_for_step(page, 20)
    line = f"document.querySelector('{LOSS}').data.find((one) => one.name === 'Training').line.color"
    colours = {False: "#0f7a68", True: "#3bb59d"}
    assert page.evaluate(line) == colours[dark]
    page.emulate_media(color_scheme="light" if dark else "dark")
    page.wait_for_function(f"{line} === {json.dumps(colours[not dark])}")


def test_blocked_storage_and_choices_that_stay(studio, page, open_page):
    folder = ended(studio, "choices")
    studio.open(page, tab="runs", run=folder.name)
    page.get_by_label("play a sound").check()
    page.reload()
    expect(page.get_by_label("play a sound")).to_be_checked()

    blocked = open_page()
    blocked.add_init_script(
        "for (const kind of ['localStorage', 'sessionStorage'])"
        " Object.defineProperty(window, kind, { get() { throw new DOMException('no', 'SecurityError'); } });"
    )
    studio.open(blocked, tab="runs", run=folder.name)
    wait_for_step(blocked, 20)
    blocked.get_by_label("play a sound").check()
    expect(blocked.get_by_label("play a sound")).to_be_checked()
