"""The Train page in a real browser, with the tiny model."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from studio import events, logs, runs
from studio.settings.flags import flags
from studio.settings.train import TrainSettings
from tests.browser.filling import add_rows, choose_tiny, field, typed
from tests.browser.filling import ready as ready

BLOCKED = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('blocked'); } });"


@pytest.fixture
def train(ready, studio, page):
    """The page with dataset and model chosen and looked at."""
    studio.open(page, tab="train", dataset="questions")
    choose_tiny(page)
    return page


def test_a_new_workspace_says_what_to_do(start_studio, page):
    studio = start_studio()
    studio.open(page, tab="train")
    expect(page.get_by_role("heading", name="No datasets yet")).to_be_visible()
    expect(page.get_by_role("button", name="Download (93 MB)")).to_be_visible()
    expect(page.locator(".pf-start")).to_be_disabled()
    expect(page.locator(".pf-problems")).to_contain_text("No dataset is chosen.")
    page.get_by_role("link", name="Import a file").click()
    expect(page).to_have_url(re.compile(r"tab=data&import=1|import=1&tab=data"))


def test_every_setting_is_there_once_and_basic_ones_first(train):
    paths = [".".join(flag.path) for flag in flags(TrainSettings) if flag.path[0] not in ("dataset", "model")]
    drawn = train.locator("[data-path]").evaluate_all("nodes => nodes.map((node) => node.dataset.path)")
    assert sorted(drawn) == sorted(paths)
    expect(field(train, "learning_rate")).to_be_visible()
    expect(field(train, "learning_rate").locator(".form-chosen")).to_contain_text("0.001")
    expect(field(train, "learning_rate").locator("input")).to_have_attribute("placeholder", "0.001")
    expect(field(train, "warmup")).to_be_hidden()
    train.get_by_role("button", name="Show all settings").click()
    for path in paths:
        variants = (field(train, path).get_attribute("data-variants") or "lora").split()
        here = {"lora", "sft"} & set(variants)  # others exist with another method, or with several processes, only
        expect(field(train, path)).to_be_visible() if here else expect(field(train, path)).to_be_hidden()


def test_search_finds_settings_by_their_words(train):
    train.get_by_label("Search the settings").fill("gradient checkpointing")
    expect(field(train, "recompute")).to_be_visible()
    expect(field(train, "learning_rate")).to_be_hidden()
    expect(train.locator(".tr-found")).to_have_text("1 found.")
    train.get_by_label("Search the settings").fill("no such words")
    expect(train.locator(".tr-found")).to_contain_text("No setting")
    train.get_by_label("Search the settings").fill("")
    expect(field(train, "learning_rate")).to_be_visible()


def test_a_setting_is_there_only_where_it_applies(train):
    train.get_by_text("Full", exact=True).click()
    expect(field(train, "method.rank")).to_be_hidden()
    expect(field(train, "learning_rate").locator(".form-chosen")).to_contain_text("0.0001")
    train.locator("summary", has_text="command").click()
    expect(train.locator(".pf-command")).to_have_text(
        re.compile(r"^python3 launch.py train --dataset questions --model tiny --method full --workspace ")
    )
    field(train, "method.name").get_by_role("button", name="Reset").click()
    expect(field(train, "method.rank")).to_be_visible()


def test_steps_that_are_given_speak_for_the_passes_too(train):
    train.get_by_label("Search the settings").fill("steps")
    field(train, "max_steps").locator("input").fill("25")
    train.get_by_label("Search the settings").fill("")
    passes = field(train, "epochs")
    expect(passes.locator(".form-chosen")).to_have_text(
        re.compile(r"^The steps decide: 25 of them are about \S+ passes")
    )
    expect(passes.locator("input")).to_have_attribute("placeholder", "–")


def test_what_is_wrong_stands_beside_its_field_and_blocks_start(train):
    train.get_by_role("button", name="Show all settings").click()
    typed(train, "name").fill("<img src=x onerror=alert(1)>" * 180)
    typed(train, "learning_rate").fill("abc")
    typed(train, "cutoff").fill("9999")
    expect(field(train, "name").get_by_role("alert")).to_contain_text("at most 120 are allowed")
    expect(field(train, "learning_rate").get_by_role("alert")).to_contain_text("“abc” is not a number")
    expect(field(train, "cutoff").get_by_role("alert")).to_contain_text("at most 512 tokens")
    expect(train.locator(".pf-start")).to_be_disabled()
    train.locator(".pf-problem", has_text="cut-off").click()
    expect(typed(train, "cutoff")).to_be_focused()
    for path in ("name", "learning_rate", "cutoff"):
        typed(train, path).fill("")
    expect(train.locator(".pf-start")).to_be_enabled()
    expect(train.locator("[role=alert]:visible")).to_have_count(0)


def test_what_was_typed_survives_a_reload(train):
    typed(train, "learning_rate").fill("0.0042")
    typed(train, "method.rank").fill("3")
    expect(train.locator(".tr-presets")).to_contain_text("Your own")
    train.reload()
    expect(typed(train, "learning_rate")).to_have_value("0.0042")
    expect(typed(train, "method.rank")).to_have_value("3")
    expect(train.locator("[data-slot=model]")).to_contain_text("tiny")
    train.get_by_role("button", name="Thorough").click()
    expect(typed(train, "method.rank")).to_have_value("32")
    train.get_by_role("button", name="Undo").click()
    expect(typed(train, "method.rank")).to_have_value("3")


def test_a_browser_that_keeps_nothing_can_be_used(ready, studio, page):
    page.add_init_script(BLOCKED)
    studio.open(page, tab="train", dataset="questions")
    choose_tiny(page)
    typed(page, "method.rank").fill("5")
    expect(page.locator(".pf-good")).to_be_visible()


def test_start_makes_the_run_and_shows_it(train, studio):
    train.get_by_role("button", name="Show all settings").click()
    typed(train, "name").fill("true")  # a word like others
    typed(train, "method.rank").fill("2")
    typed(train, "epochs").fill("2.5")
    expect(train.locator(".pf-state")).to_have_text("")
    train.get_by_role("button", name="Start training").click()
    train.wait_for_url(re.compile(r"tab=runs.*run=\d{8}|run=\d{8}.*tab=runs"))
    (run,) = [item for item in runs.list_runs(studio.workspace) if item.name == "true"]
    assert run.id in train.url and run.status in ("running", "finished")
    settings = runs.settings_of(studio.workspace.runs / run.id)
    assert (settings.method.rank, settings.epochs, settings.model) == (2, 2.5, "tiny")
    kinds = [line["type"] for line in logs.read(studio.workspace.runs / run.id / events.EVENTS)[0]]
    assert kinds[:2] == ["created", "starting"]


def test_start_waits_until_the_page_knows_what_it_starts(ready, studio, page):
    """Pressed before the choices were here, it was refused: no dataset was chosen yet."""
    held, free = [], []
    page.route("**/studio/train/choices", lambda route: route.continue_() if free else held.append(route))
    studio.open(page, tab="train", dataset="questions")
    expect(page.locator(".pf-start")).to_have_text("Checking …")
    expect(page.locator(".pf-start")).to_be_disabled()
    free.append(True)
    for route in held:
        route.continue_()
    expect(page.locator(".pf-start")).to_be_enabled()


def test_start_looks_at_what_was_changed_a_moment_ago(train, studio):
    """A press right after a key says beside the field what is wrong; the studio has nothing to refuse."""
    before = studio.workspace.names("runs")
    typed(train, "learning_rate").fill("abc")
    train.locator(".pf-start").dispatch_event("click")
    expect(field(train, "learning_rate").get_by_role("alert")).to_contain_text("“abc” is not a number")
    expect(train.locator(".pf-start")).to_be_disabled()
    assert studio.workspace.names("runs") == before


def test_an_old_run_fills_the_form(ready, studio, page):
    settings = TrainSettings(dataset="questions", model="tiny", learning_rate=0.02, name="old", batch_size=3)
    run = runs.create(studio.workspace, settings)
    studio.open(page, tab="train", **{"from": run.name})
    expect(typed(page, "learning_rate")).to_have_value("0.02")
    expect(typed(page, "batch_size")).to_have_value("3")
    expect(page.locator("[data-slot=dataset]")).to_contain_text("questions")
    typed(page, "batch_size").fill("7")
    page.reload()  # what was filled in is filled in once
    expect(typed(page, "batch_size")).to_have_value("7")


def test_a_settings_file_is_saved_and_loaded(train, tmp_path):
    typed(train, "method.rank").fill("6")
    expect(train.locator(".pf-state")).to_have_text("")
    train.locator("summary", has_text="Settings file").click()
    with train.expect_download() as download:
        train.get_by_role("button", name="Download", exact=True).click()
    saved = tmp_path / "mine.json"
    download.value.save_as(saved)
    assert json.loads(saved.read_text(encoding="utf-8"))["method"]["rank"] == 6
    train.get_by_role("button", name="Balanced").click()
    expect(typed(train, "method.rank")).to_have_value("8")
    train.locator("[data-load]").set_input_files(saved)
    expect(typed(train, "method.rank")).to_have_value("6")


def test_a_file_that_is_none_is_refused_and_nothing_is_lost(train, tmp_path, page_faults):
    page_faults.allow("409")
    (tmp_path / "odd.json").write_text('{"epochs": "many"}', encoding="utf-8")
    typed(train, "method.rank").fill("6")
    train.locator("[data-load]").set_input_files(tmp_path / "odd.json")
    expect(train.locator(".pf-error")).to_contain_text("Passes can't be used as it is")
    expect(typed(train, "method.rank")).to_have_value("6")


def test_a_model_is_added_from_a_folder(train, studio, tmp_path: Path, tiny):
    folder = tmp_path / "my-model"
    shutil.copytree(tiny, folder)
    train.locator("[data-slot=model] [data-change]").click()
    train.get_by_label("A hub id, words to search for, or a folder").fill(str(folder))
    train.get_by_role("button", name="Add", exact=True).click()
    expect(train.locator("[data-slot=model] .tr-chosen")).to_contain_text("my-model")
    expect(train.locator(".pf-good")).to_be_visible()
    assert "my-model" in studio.workspace.names("models")


def test_the_hub_is_not_searched_offline(train, page_faults):
    page_faults.allow("409")
    train.locator("[data-slot=model] [data-change]").click()
    train.get_by_label("A hub id, words to search for, or a folder").fill("smol")
    train.get_by_role("button", name="Search the hub").click()
    expect(train.locator(".tr-found-models")).to_contain_text("The hub can't be searched.")


def test_a_hub_id_without_a_network_says_what_why_and_next(train, studio, page_faults):
    page_faults.allow("409")
    train.locator("[data-slot=model] [data-change]").click()
    train.get_by_label("A hub id, words to search for, or a folder").fill("some-owner/some-model")
    train.get_by_role("button", name="Add", exact=True).click()
    told = train.locator(".notice.error", has_text="can't be fetched")
    expect(told).to_contain_text("some-owner/some-model")
    expect(told).to_contain_text("offline")
    expect(told).to_contain_text("folder")
    assert "some-model" not in studio.workspace.names("models")


def test_something_deleted_is_said_beside_its_choice(ready, studio, page):
    studio.open(page, tab="train", dataset="gone")
    expect(page.locator("[data-slot=dataset] + .tr-beside")).to_contain_text("There is no dataset “gone”.")
    expect(page.locator(".pf-start")).to_be_disabled()


def test_what_came_meanwhile_is_there_on_return(train, studio):
    train.get_by_role("tab", name="Home").click()
    expect(train.get_by_role("heading", name="Recent runs")).to_be_visible()
    add_rows(studio.workspace, "later", 60)
    train.get_by_role("tab", name="Train").click()
    train.locator("[data-slot=dataset] [data-change]").click()
    train.locator("[data-name=later]").click()
    expect(train.locator(".pf-figures")).to_contain_text("48")
    expect(train).to_have_url(re.compile("dataset=later"))


def test_train_with_it_takes_the_version_that_was_looked_at(train, studio):
    train.get_by_role("button", name="Show all settings").click()
    typed(train, "version").fill("1")
    expect(train.locator(".tr-version")).to_have_text("Version 1 is used, as the settings say.")
    studio.open(train, tab="data", dataset="questions")
    train.get_by_role("link", name="Train with it").click()
    expect(typed(train, "version")).to_have_value("")
    expect(train.locator(".tr-version")).to_have_text("")
    expect(train).not_to_have_url(re.compile("take="))
