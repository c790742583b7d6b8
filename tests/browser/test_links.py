"""Addresses that name what was deleted: said once, what and why, with the button that helps; in a real browser."""

from __future__ import annotations

import contextlib
import re

import pytest
from playwright.sync_api import Error, expect

from studio import runs
from studio.jobs import folder as job_folder
from studio.settings.train import TrainSettings
from tests import adapters
from tests.browser.filling import add_rows
from tests.sets import make_set


@pytest.fixture
def gone(studio):
    """A run in the trash: its folder's name, and what people call it."""
    folder = adapters.run(studio.workspace, "desk", "tiny")
    studio.workspace.delete("runs", folder.name)
    return folder.name, f"desk {folder.name[-4:]}"


@pytest.mark.parametrize("tab", ["evaluate", "compare", "runs"])
def test_a_deleted_run_is_named_and_restored_where_it_is_missed(tab, gone, studio, page, page_faults):
    page_faults.allow("409")
    run, name = gone
    studio.open(page, tab=tab, run=run)
    expect(page.get_by_role("heading", name="This run was deleted")).to_be_visible()
    expect(page.get_by_text(re.compile(f"{name}.* is in the trash"))).to_be_visible()
    assert run not in page.locator("body").inner_text()
    page.get_by_role("button", name=re.compile("^Restore")).click()
    expect(page.get_by_role("heading", name="This run was deleted")).to_have_count(0)
    assert run in studio.workspace.names("runs")


@pytest.mark.full
def test_what_is_not_there_is_looked_for_once(gone, studio, page, page_faults):
    page_faults.allow("409")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/studio/evaluations" in request.url else None)
    studio.open(page, tab="evaluate", run=gone[0])
    expect(page.get_by_role("heading", name="This run was deleted")).to_be_visible()
    asked.clear()
    for _ in range(2):  # the header asks every five seconds, Evaluate every three
        with page.expect_response("**/studio/machine"):
            pass
    assert asked == []
    page.get_by_role("link", name="See all evaluations").click()
    expect(page.get_by_role("heading", name="Evaluate", exact=True)).to_be_visible()
    assert asked


@pytest.mark.parametrize(
    ("kind", "tab", "key", "noun"),
    [("evaluations", "evaluate", "evaluation", "evaluation"), ("exports", "export", "export", "export")],
)
def test_a_deleted_result_is_restored(kind, tab, key, noun, studio, page, page_faults):
    page_faults.allow("409")
    job = {"evaluations": "evaluate", "exports": "export"}[kind]
    name = job_folder.create(studio.workspace, job, {"run": "20260101-000000-old-0000", "to": "adapter"}).name
    studio.workspace.delete(kind, name)
    studio.open(page, tab=tab, **{key: name})
    expect(page.get_by_role("heading", name=f"This {noun} was deleted")).to_be_visible()
    page.get_by_role("button", name="Restore it").click()
    expect(page.locator("ft-missing")).to_have_count(0)
    expect(page.locator("h1").locator("visible=true")).to_contain_text("old 0000")
    expect(page).to_have_title(f"old 0000 – {tab.capitalize()} – FlexTune Studio")
    assert name in studio.workspace.names(kind)


def test_a_dataset_s_visits_plans_and_versions_that_are_not_there_lead_on(studio, page, page_faults):
    page_faults.allow("409")
    make_set(studio.workspace, "letters", [{"text": f"Letter {n}"} for n in range(3)])
    for part, key, noun, way in (
        ("doctor", "job", "visit", "Show the newest visit"),
        ("split", "plan", "plan", "Show the split as it is"),
    ):
        studio.open(page, tab="data", dataset="letters", part=part, **{key: "nothing"})
        expect(page.get_by_role("heading", name=f"There is no such {noun}")).to_be_visible()
        page.get_by_role("link", name=way).click()
        expect(page.get_by_role("heading", name=f"There is no such {noun}")).to_have_count(0)
        expect(page).not_to_have_url(re.compile("nothing"))
    studio.open(page, tab="data", dataset="letters", version="9")
    expect(page.get_by_role("heading", name="“letters” has no version 9.")).to_be_visible()
    page.get_by_role("link", name="The latest version").click()
    expect(page.locator("ft-rows article")).to_have_count(3)


@pytest.mark.parametrize(
    ("tab", "key", "noun"),
    [("data", "dataset", "dataset"), ("runs", "run", "run"), ("compare", "run", "run"), ("evaluate", "run", "run"),
     ("evaluate", "evaluation", "evaluation"), ("export", "export", "export")],
)  # fmt: skip
def test_a_name_with_a_slash_is_one_that_is_not_there(tab, key, noun, studio, page, page_faults):
    page_faults.allow("409")
    studio.open(page, tab=tab, **{key: "../../etc"})
    open_tab = page.locator(f"ft-{tab}")
    expect(open_tab.get_by_role("heading", name=re.compile(f"There is no (such )?{noun}"))).to_be_visible()
    expect(open_tab.get_by_role("link", name=re.compile(r"^(See all|All) \w+s$"))).to_be_visible()
    expect(open_tab.locator(".ft-parts")).to_have_count(0)
    expect(page.get_by_text("refused this")).to_have_count(0)


def test_a_comparison_of_curves_names_the_run_that_is_gone(gone, studio, page):
    kept = runs.create(studio.workspace, TrainSettings(dataset="desk", name="The kept one"))
    studio.open(page, tab="runs", runs=f"{kept.name},{gone[0]}")
    told = page.locator("ft-overlay .trouble")
    expect(told).to_contain_text(f"One run is not there any more: {gone[1]}.")
    expect(page.get_by_role("heading", name="1 run", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Training loss")).to_be_visible()
    studio.open(page, tab="runs", runs=f"{gone[0]},../nothing")
    expect(told).to_contain_text("Some runs are not there any more")
    expect(page.get_by_role("heading", name="No run to compare")).to_be_visible()
    expect(page.locator("ft-overlay section:visible")).to_have_count(0)
    told.get_by_role("link", name="See the deleted runs").click()
    expect(page.get_by_role("button", name=f"Restore {gone[1]}")).to_be_visible()


def test_a_run_that_can_not_be_exported_leads_to_where_it_is(gone, studio, page):
    other = adapters.run(studio.workspace, "desk", "tiny")
    (other / "adapter").mkdir()
    studio.open(page, tab="export", run=gone[0])
    expect(page.locator("ft-export .notice")).to_contain_text("The run of this address can’t be exported.")
    page.get_by_role("link", name="See what became of it").click()
    expect(page.get_by_role("heading", name="This run was deleted")).to_be_visible()


def trained(studio, dataset: str) -> str:
    """A run that can be compared."""
    folder = adapters.run(studio.workspace, dataset, "tiny")
    (folder / "adapter").mkdir()
    return folder.name


def test_each_tab_keeps_its_place_and_no_other_s(studio, page, page_faults):
    """What was said on one tab holds there: another run is not shown the last one's comparison, verdict or rows."""
    page_faults.allow("/prompts")  # these runs have no model
    add_rows(studio.workspace, "places")
    one, other, third = (trained(studio, "places") for _ in range(3))

    def at(**query: str | None) -> None:
        for key, value in query.items():
            found = re.search(rf"[?&]{key}=([^&]*)", page.url)
            assert (found and found[1]) == value, page.url

    studio.open(page, tab="data", dataset="places", find="7", **{"from": "20"})
    expect(page.get_by_role("searchbox").first).to_have_value("7")
    expect(page).to_have_title("places – Data – FlexTune Studio")
    page.get_by_role("tab", name="Runs").click()
    at(tab="runs", dataset="places", find=None)
    expect(page).to_have_title("Runs – FlexTune Studio")
    page.get_by_role("tab", name="Data").click()
    at(tab="data", dataset="places", find="7")
    studio.open(page, tab="compare", left=one, right=other)
    expect(page.locator("ft-compare .pickers select").nth(1)).to_have_value(other)
    page.get_by_role("tab", name="Home").click()
    page.get_by_role("tab", name="Compare").click()
    at(tab="compare", left=one, right=other)  # as it was left
    page.get_by_role("tab", name="Runs").click()
    page.locator("ft-run-list a", has_text=f"places {third[-4:]}").first.click()
    page.get_by_role("tab", name="Compare").click()
    at(tab="compare", left=None, right=None, run=third)
    expect(page.locator("ft-compare .pickers select").first).to_have_value(third)


def test_a_run_that_has_just_ended_is_found_by_compare(studio, page, page_faults):
    page_faults.allow("/prompts")
    add_rows(studio.workspace, "fresh")
    trained(studio, "fresh")
    studio.open(page, tab="compare")
    expect(page.locator("ft-compare .pickers select").first).to_be_visible()
    page.get_by_role("tab", name="Home").click()
    new = trained(studio, "fresh")
    page.get_by_role("link", name=f"fresh {new[-4:]}").first.click()
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("ft-compare .pickers select").first).to_have_value(new)
    expect(page.get_by_text("This run has no trained weights yet.")).to_have_count(0)


def test_an_answer_that_comes_late_moves_nobody(studio, page):
    """A look at rules was left before it was answered: its job is not written into the address of another page."""
    add_rows(studio.workspace, "late")
    held = []
    page.route("**/studio/datasets-tags/late/look", lambda route: held.append(route))
    studio.open(page, tab="data", dataset="late", part="tag")
    page.get_by_label("Words, one a line").fill("number")
    page.get_by_label("Value", exact=True).fill("numbers")
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/look")):
        page.get_by_role("button", name="Show the rows").click()
        page.get_by_role("link", name="‹ All datasets").click()
    with contextlib.suppress(Error):  # nobody waits for it any more
        held[0].fulfill(json={"job": "20260101-000000-late-0000"})
    expect(page.get_by_role("heading", name="Data", exact=True)).to_be_visible()
    page.evaluate("() => new Promise((done) => setTimeout(done))")
    assert "job=" not in page.url
