"""The doctor in a real browser: find, look, fix, undo, ignore; a reload and a link show the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.doctor import visits
from studio.doctor.kinds import FAMILIES
from studio.jobs import follow
from studio.settings.importing import ImportSettings
from tests.studio.doctor.planted import grow

EVIL = "<img src=x onerror=\"document.title='run'\"> ann@firma.de 🙂"


def put(studio, tmp_path: Path, name: str, rows: list[dict]) -> Dataset:
    source = tmp_path / f"{name}.jsonl"
    source.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    import_file(studio.workspace, ImportSettings(source=str(source), name=name))
    return Dataset.open(studio.workspace, name)


def talk(asked: str, answered: str) -> dict:
    turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return {"messages": turns, "split": "train"}


def finding(page: Page, kind: str):
    return page.locator(f".dr-finding[data-kind={kind}]")


def look(studio, page: Page, name: str) -> None:
    studio.open(page, tab="data", dataset=name, part="doctor")
    page.get_by_role("button", name="Look at the rows").click()
    expect(page.locator(".dr-finding, .dr-well").first).to_be_visible()


def test_find_look_fix_and_undo(studio, page, tmp_path):
    planted = grow(60, 2, seed=2)
    dataset = put(studio, tmp_path, "planted", planted.rows)
    look(studio, page, "planted")
    kinds = [one.get_attribute("data-kind") for one in page.locator(".dr-finding").all()]
    assert set(planted.truth) < set(kinds) and kinds[0] == "leaks"
    emails = finding(page, "emails")
    expect(emails.locator(".chip").first).to_have_text("2 rows")
    expect(emails.locator("mark").first).to_contain_text("@")

    emails.get_by_role("button", name="Look at the 2 rows").click()
    page.wait_for_function("new URLSearchParams(location.search).get('finding') === 'emails'")
    expect(page.locator("ft-doctor-rows [data-row]")).to_have_count(2)
    page.reload()
    expect(page.locator("ft-doctor-rows [data-row]")).to_have_count(2)
    page.locator("ft-doctor-rows .open").first.click()
    expect(page.get_by_role("heading", name=re.compile("^Row"))).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="‹ All findings").click()

    emails.get_by_label("What stands for it").select_option("stand-ins")
    emails.get_by_role("button", name="Mask in 2 rows").click()
    expect(emails).to_contain_text("Fixed: 2 rows")
    assert len(Reviews(dataset).pending()) == 2
    expect(page.get_by_text("2 changes not yet in a version.")).to_be_visible()
    page.reload()
    expect(emails).to_contain_text("Fixed: 2 rows")
    finding(page, "duplicates").get_by_role("button", name="Leave out 2 rows").click()
    expect(emails).to_contain_text("undo those first")
    finding(page, "duplicates").get_by_role("button", name="Undo").click()
    expect(finding(page, "duplicates").get_by_role("button", name="Leave out 2 rows")).to_be_visible()
    emails.get_by_role("button", name="Undo").click()
    expect(emails.get_by_role("button", name="Mask in 2 rows")).to_be_visible()
    assert Reviews(dataset).pending() == {}


def test_ignored_findings_stay_ignored_and_all_may_be_well(studio, page, tmp_path):
    put(studio, tmp_path, "small", [talk(f"Question {n}?", f"Answer {n}.") for n in range(10)])
    look(studio, page, "small")
    finding(page, "too_few").get_by_role("button", name="Ignore").click()
    expect(page.get_by_role("heading", name="All is well")).to_be_visible()
    page.get_by_text("Look again…").click()
    page.get_by_text("More settings").click()
    before = page.url
    page.get_by_label("Similarity").fill("0.7")
    page.get_by_label("Copies").check()
    page.get_by_role("button", name="Look at the rows").click()
    page.wait_for_url(lambda url: url != before)
    expect(page.get_by_role("heading", name="All is well")).to_be_visible()
    visit = visits.told(studio.workspace, page.evaluate("new URLSearchParams(location.search).get('job')"))
    assert (visit["settings"]["similarity"], visit["settings"]["leave_out"]) == (0.7, ["copies"])
    page.get_by_text("Look again…").click()
    expect(page.get_by_label("Copies")).to_be_checked()
    page.get_by_text("Look again…").click()
    page.get_by_text("Ignored (1)").click()
    finding(page, "too_few").get_by_role("button", name="Take up again").click()
    expect(page.get_by_role("heading", name="Good to know")).to_be_visible()


def test_rows_sent_to_review_are_found_there_with_the_reason(studio, page, tmp_path):
    lost = [talk(f"Is the caf\ufffd {n} open?", "Yes.") for n in range(2)]
    put(studio, tmp_path, "sent", [*lost, *(talk(f"Where is café {n}?", "Here.") for n in range(4))])
    page.add_init_script("""localStorage.setItem("flextune-reviewer", '{"by": "Ann", "blind": false}')""")
    look(studio, page, "sent")
    found = finding(page, "lost_letters")
    found.get_by_role("button", name="Send to review: 2 rows").click()
    expect(found).to_contain_text("Sent to review: 2 rows")
    told = page.locator(".ft-toast")
    expect(told).to_contain_text("2 rows sent to the review queue.")
    told.get_by_role("button", name="Review them").click()
    expect(page.get_by_role("button", name="To look at again 2")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".rv-head")).to_contain_text("Lost letters")
    expect(page.locator(".rv-side")).not_to_contain_text("Judged before")
    page.get_by_role("button", name="Accept Enter").click()
    expect(page.get_by_role("button", name="To look at again 1")).to_be_visible()


def test_a_changed_dataset_makes_the_report_stale(studio, page, tmp_path):
    dataset = put(studio, tmp_path, "changing", [talk("Who?", EVIL), talk("Who else?", "Bob.")])
    look(studio, page, "changing")
    expect(finding(page, "emails").locator("mark")).to_have_text("ann@firma.de")
    assert page.title() != "run"
    Reviews(dataset).exclude(next(row.row_id for row in dataset.rows()))
    page.reload()
    expect(page.get_by_text("The rows changed.")).to_be_visible()
    page.locator(".dr-body").get_by_role("button", name="Look again", exact=True).click()
    expect(finding(page, "too_few")).to_be_visible()
    expect(finding(page, "emails")).to_have_count(0)


def test_phone_numbers_are_found_as_they_are_written_in_the_country_named(studio, page, tmp_path):
    rows = [talk(f"Where is my order {n}, please?", "You can reach me at 0171 2345678 in the morning.") for n in (1, 2)]
    put(studio, tmp_path, "abroad", rows)
    look(studio, page, "abroad")
    expect(finding(page, "phones")).to_have_count(0)
    page.get_by_text("Look again…").click()
    page.get_by_label("Country of the phone numbers").select_option(label="Germany")
    page.get_by_role("button", name="Look at the rows").click()
    expect(finding(page, "phones").locator("mark").first).to_have_text("0171 2345678")
    page.get_by_text("Look again…").click()
    expect(page.get_by_label("Country of the phone numbers")).to_have_value("DE")


def test_a_benchmark_file_that_is_not_there_is_told(studio, page, tmp_path):
    put(studio, tmp_path, "bench", [talk("Who?", "Bob.")])
    studio.open(page, tab="data", dataset="bench", part="doctor")
    page.get_by_text("Compare with benchmark files").click()
    page.get_by_label("Files on this machine").fill("/none.jsonl")
    page.get_by_role("button", name="Look at the rows").click()
    expect(page.get_by_role("alert").first).to_contain_text("There is no file /none.jsonl")
    expect(page.get_by_role("button", name="Look at the rows")).to_be_visible()


@pytest.mark.parametrize("dark", [False, True])
def test_it_is_accessible(studio, open_page, tmp_path, dark):
    name = f"axe-{'dark' if dark else 'light'}"
    put(studio, tmp_path, name, grow(40, 1, seed=4).rows)
    page = open_page(width=768, dark=dark)
    look(studio, page, name)
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate("axe.run('ft-doctor', { resultTypes: ['violations'] }).then((found) => found.violations)")
    assert not [one["help"] for one in found if one["impact"] in ("serious", "critical")]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_fix_of_a_large_dataset_is_a_job_that_a_reload_still_shows(studio, page, tmp_path):
    rows = [talk(f"Who is number {n}?", f"Ask ann{n}@firma.de.") for n in range(20_000)]
    dataset = put(studio, tmp_path, "large", rows)
    others = [family for family in FAMILIES if family != "personal"]
    visit = visits.create(studio.workspace, {"dataset": "large", "leave_out": others})
    follow.start_and_follow(studio.workspace, visit)
    studio.open(page, tab="data", dataset="large", part="doctor")
    emails = finding(page, "emails")
    emails.get_by_role("button", name="Mask in 20,000 rows").click()
    expect(page.locator(".dr-fixing")).to_contain_text("Fixing the rows")
    page.reload()
    expect(emails).to_contain_text("Fixed: 20,000 rows")
    expect(page.locator(".dr-fixing")).to_be_empty()
    assert len(Reviews(dataset).pending()) == 20_000
