"""The Settings page in a real browser."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from studio import preferences
from studio.datasets.importing.steps import import_file
from studio.jobs import folder as job_folder
from studio.settings.importing import ImportSettings
from ui.password import Password

TABS = ("home", "data", "train", "runs", "compare", "evaluate", "export", "settings")
DARK = re.compile(r"(^| )dark( |$)")


def part(page, name):
    return page.locator(f"#settings-{name}")


@pytest.fixture
def settings(studio, page):
    studio.open(page, tab="settings")
    expect(part(page, "versions")).to_contain_text("gradio")
    return page


def add_dataset(workspace, name: str) -> None:
    source = workspace.root.parent / f"{name}.jsonl"
    source.write_text('{"prompt": "Is it?", "completion": "It is."}\n' * 3, encoding="utf-8")
    import_file(workspace, ImportSettings(source=str(source), name=name))


def test_the_workspace_and_what_it_takes(studio, settings):
    expect(part(settings, "workspace")).to_contain_text(str(studio.workspace.root))
    expect(part(settings, "workspace")).to_contain_text(re.compile(r"free on this disk"))
    settings.context.grant_permissions(["clipboard-read", "clipboard-write"])
    part(settings, "workspace").get_by_role("button", name="Copy").click()
    expect(part(settings, "workspace").get_by_role("button", name="Copied")).to_be_visible()
    assert settings.evaluate("navigator.clipboard.readText()") == str(studio.workspace.root)


def test_what_was_deleted_comes_back_or_goes_for_good(studio, page):
    for name in ("first", "second", "third"):
        add_dataset(studio.workspace, name)
        studio.workspace.delete("datasets", name)
    studio.open(page, tab="settings", part="trash")
    trash = part(page, "trash")
    expect(trash.locator("tbody tr")).to_have_count(3)
    expect(trash.locator("tbody tr", has_text="first")).to_contain_text("kB")
    trash.get_by_role("button", name="Restore first").click()
    expect(trash.locator("tbody tr")).to_have_count(2)
    assert studio.workspace.names("datasets") == ["first"]

    # Another “second” was made meanwhile: the restore is refused, and says what to do.
    add_dataset(studio.workspace, "second")
    page_says = part(page, "trash").get_by_role("alert")
    trash.get_by_role("button", name="Restore second").click()
    expect(page_says).to_contain_text("Rename or delete that one first.")

    trash.get_by_role("button", name="Empty the trash…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Delete 2 items for good?")
    dialog.get_by_role("button", name="Keep them").click()
    expect(trash.locator("tbody tr")).to_have_count(2)
    trash.get_by_role("button", name="Empty the trash…").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(trash).to_contain_text("What you delete waits here")
    assert list(studio.workspace.trash.iterdir()) == []


@pytest.fixture(autouse=True)
def meant(page_faults):
    """A refusal is an answer with 409, which the browser writes to its console."""
    page_faults.allow(r"status of 409")


def test_offline_holds_until_it_is_taken_back(studio, settings):
    switch = settings.get_by_role("switch", name="Stay offline")
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(part(settings, "network").get_by_text("Allowed")).to_have_count(6)
    switch.focus()
    settings.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(switch).to_be_focused()
    expect(part(settings, "network").get_by_text("Allowed")).to_have_count(0)
    assert preferences.read(studio.workspace).offline
    told = settings.request.get(studio.url() + "studio/models/search?words=smollm")
    assert told.status == 409 and "told to stay offline" in told.json()["error"]["why"]
    settings.reload()
    expect(switch).to_have_attribute("aria-checked", "true")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    assert not preferences.read(studio.workspace).offline


def test_a_password_is_set_changed_and_taken_away(studio, settings):
    password = part(settings, "password")
    field = password.get_by_label("Password", exact=True)
    field.fill("short")
    password.get_by_role("button", name="Set").click()
    expect(password.get_by_role("alert")).to_have_text("At least 8 characters are needed.")
    expect(password.get_by_text("No password is set")).to_be_visible()
    field.fill("correct horse")
    password.get_by_role("button", name="Set").click()
    expect(password.get_by_text("A password is set")).to_be_visible()
    assert Password(studio.workspace.root).fits("correct horse")
    password.get_by_label("New password").fill("battery staple")
    password.get_by_role("button", name="Change").click()
    expect(password.get_by_label("New password")).to_have_value("")
    assert Password(studio.workspace.root).fits("battery staple")
    kept = settings.evaluate("JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
    assert "horse" not in kept and "staple" not in kept
    password.get_by_role("button", name="Remove").click()
    expect(password.get_by_text("No password is set")).to_be_visible()


def test_what_is_typed_is_not_drawn_over(settings):
    field = part(settings, "password").get_by_label("Password", exact=True)
    field.fill("half a pass")
    settings.evaluate("document.querySelector('ft-settings').tick()")
    expect(field).to_have_value("half a pass")


def test_the_theme_is_there_before_the_first_paint(studio, page):
    page.add_init_script("""
        const look = () => document.body?.firstElementChild
          ? window.first ??= getComputedStyle(document.documentElement).backgroundColor : requestAnimationFrame(look);
        requestAnimationFrame(look);""")
    studio.open(page, tab="settings")
    page.get_by_text("Dark", exact=True).click()
    expect(page.locator("body")).to_have_class(DARK)
    second = page.context.new_page()  # another window of the same browser
    studio.open(second, tab="home")
    expect(second.locator("body")).to_have_class(DARK)
    page.reload()
    page.wait_for_selector("ft-settings .card")
    assert page.evaluate("window.first") == "rgb(18, 24, 30)"
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    expect(page.locator("body")).to_have_class(DARK)
    page.emulate_media(color_scheme="light")  # the system changes; the choice stays
    page.get_by_role("radio", name="Dark").wait_for()
    expect(page.locator("body")).to_have_class(DARK)
    page.get_by_text("Light", exact=True).click()
    expect(page.locator("body")).not_to_have_class(DARK)
    expect(second.locator("body")).not_to_have_class(DARK)
    page.get_by_text("As the system", exact=True).click()
    page.emulate_media(color_scheme="dark")
    expect(page.locator("body")).to_have_class(DARK)


def test_single_keys(studio, settings):
    settings.locator("h2", has_text="Versions").click()
    settings.keyboard.press("?")
    dialog = settings.get_by_role("dialog")
    expect(dialog).to_contain_text("Go to Compare")
    settings.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    for letter, tab in zip("hdtrcexs", TABS, strict=True):
        settings.keyboard.press("g")
        settings.keyboard.press(letter)
        expect(settings).to_have_url(re.compile(rf"tab={tab}"))
        expect(settings.locator(f"#tab-{tab}-button")).to_be_focused()
    field = part(settings, "password").get_by_label("Password", exact=True)
    field.click()
    settings.keyboard.type("g h?")
    expect(field).to_have_value("g h?")
    expect(settings).to_have_url(re.compile("tab=settings"))
    settings.get_by_role("switch", name="Single keys").click()
    settings.keyboard.press("g")
    settings.keyboard.press("h")
    settings.keyboard.press("?")
    expect(settings.get_by_role("dialog")).to_be_hidden()
    expect(settings).to_have_url(re.compile("tab=settings"))
    settings.get_by_role("switch", name="Single keys").click()


def test_the_support_bundle_holds_what_it_shows(studio, page, tmp_path):
    jobs = [job_folder.create(studio.workspace, "rehearsal", {"steps": n}) for n in (1, 2)]
    (jobs[0] / "output.log").write_text("with hf_abcdefghijklmnopqrstuvwxyz0123 in it", encoding="utf-8")
    studio.open(page, tab="settings", part="support")
    support = part(page, "support")
    expect(support.locator(".files")).to_contain_text(f"runs/{jobs[0].name}/output.log")
    support.get_by_role("checkbox", name=jobs[1].name).uncheck()
    expect(support.locator(".files")).not_to_contain_text(jobs[1].name)
    with page.expect_download() as waiting:
        support.get_by_role("link", name="Download the bundle").click()
    path = tmp_path / "bundle.zip"
    waiting.value.save_as(path)
    with zipfile.ZipFile(path) as archive:
        shown = support.locator(".files li bdi").all_text_contents()
        assert archive.namelist() == shown and archive.testzip() is None
        assert archive.read(f"runs/{jobs[0].name}/output.log").decode() == "with ‹token› in it"
        assert json.loads(archive.read("versions.json"))["studio"]
        assert str(Path.home()) not in archive.read("check.json").decode()


def test_a_part_has_an_address(studio, page):
    studio.open(page, tab="settings", part="support")
    expect(part(page, "support").get_by_role("heading", name="Support")).to_be_in_viewport()
    expect(page.get_by_role("navigation", name="Settings").get_by_role("link", name="Support")).to_have_attribute(
        "aria-current", "true"
    )
    page.get_by_role("navigation", name="Settings").get_by_role("link", name="Network").click()
    expect(page).to_have_url(re.compile("part=network"))
    page.go_back()
    expect(page).to_have_url(re.compile("part=support"))


def test_the_table_names_all_that_leaves(studio, page):
    studio.open(page, tab="settings", part="network")
    rows = part(page, "network").get_by_role("row")
    for what in ("Models", "Datasets of the hub", "Publishing a dataset", "More rows from another address", "Packages"):
        expect(rows.filter(has_text=what)).to_have_count(1)
    expect(rows.filter(has_text="Publishing a dataset")).to_contain_text("the rows of a version")
