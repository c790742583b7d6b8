"""The Evaluate and Export pages in a real browser, with the tiny model."""

from __future__ import annotations

import csv
import json
import re
import zipfile

import pytest
from playwright.sync_api import expect

from studio import migrate
from studio.datasets.importing.steps import import_file
from studio.jobs import folder as job_folder
from studio.logs import Log
from studio.settings.importing import ImportSettings
from studio.statistics import no_interval
from tests import adapters
from tests.backend.conftest import dataset
from tests.studio.test_evaluations import answered, made

WORKING_MS = 120_000
EVIL = '<img src=x onerror="window.ran = true"> مرحبا'


@pytest.fixture(scope="module")
def run(studio_of_file, tiny, tmp_path_factory) -> str:
    """A run on a dataset with 20 held-out rows."""
    workspace = studio_of_file.workspace
    model = adapters.install(tiny, workspace)
    dataset(workspace, tmp_path_factory.mktemp("rows"))
    folder = adapters.run(workspace, "desk", "tiny")
    adapters.adapter(model, folder / "adapter")
    return folder.name


def points(value: float) -> str:
    """As the page writes a difference."""
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    return f"{sign}{abs(100 * value):.{1 if abs(value) < 0.1 else 0}f}"


def share(value: float) -> str:
    return f"{100 * value:.{1 if 0 < value < 0.1 else 0}f} %"


def test_empty_pages_say_what_to_do(start_studio, page):
    studio = start_studio()
    studio.open(page, tab="evaluate")
    expect(page.get_by_role("heading", name="Nothing to evaluate yet")).to_be_visible()
    studio.open(page, tab="export")
    expect(page.get_by_role("heading", name="Nothing to export yet")).to_be_visible()


def test_a_run_is_evaluated_and_the_page_shows_the_verdicts_own_figures(run, studio, page):
    studio.open(page, tab="evaluate")
    page.locator("ft-evaluate").get_by_role("link", name="Evaluate", exact=True).click()
    expect(page).to_have_url(re.compile(f"run={run}"))
    expect(page.locator("[name=split]")).to_contain_text("20 held-out rows")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    expect(page.locator("ft-job")).to_be_visible()
    expect(page.get_by_role("link", name="Evaluate again")).to_have_count(0)
    expect(page.locator(".verdict .word")).to_be_visible(timeout=WORKING_MS)
    (name,) = studio.workspace.names("evaluations")
    expect(page).to_have_url(re.compile(f"evaluation={name}"))
    verdict = migrate.load(studio.workspace.evaluations / name / "verdict.json", "verdict")
    for metric, figures in verdict["metrics"].items():
        spread = f"95 % interval {points(figures['low'])} to {points(figures['high'])}"
        for part, text in {
            "base": share(figures["base"]),
            "tuned": share(figures["tuned"]),
            "difference": points(figures["difference"]),
            "interval": no_interval(verdict["rows"], figures["low"], figures["high"]) or spread,
        }.items():
            expect(page.locator(f"[data-figure='{metric}-{part}']")).to_have_text(text)
    expect(page.locator(".verdict .word")).to_have_text("Can’t tell")
    expect(page.locator("table.rows tbody tr")).to_have_count(20)
    studio.open(page, tab="evaluate")
    expect(page.locator("table.evaluations tbody tr")).to_have_count(1)
    expect(page.locator("table.evaluations")).to_contain_text(share(verdict["metrics"]["token_f1"]["tuned"]))
    studio.open(page, tab="evaluate", run=run)
    expect(page.locator(".verdict .word")).to_be_visible()
    page.get_by_role("link", name="Evaluate again").click()
    expect(page.locator("[name=split]")).to_be_visible()


@pytest.fixture(scope="module")
def many(studio_of_file) -> str:
    """An evaluation of 3,000 rows, one of them odd."""
    rows = [answered(n, "no", "QUEUE: billing" if n % 3 == 1 else "no") for n in range(3000)]
    rows[7] = answered(7, "QUEUE: billing", EVIL, row_id="odd")
    return made(studio_of_file.workspace, rows).name


def test_thousands_of_rows_are_paged_filtered_searched_and_downloaded(many, studio, page, tmp_path):
    studio.open(page, tab="evaluate", evaluation=many)
    expect(page.locator(".verdict .word")).to_have_text("Better")
    expect(page.locator("table.rows tbody tr")).to_have_count(25)
    expect(page.locator(".pages")).to_contain_text("1 to 25 of 3,000")
    expect(page.locator("table.rows tbody tr").nth(1).locator(".tuned .mark")).to_contain_text("✓ right")
    page.get_by_role("button", name=re.compile("^Worse")).click()
    expect(page.locator("table.rows tbody tr")).to_have_count(1)
    expect(page.locator("table.rows .tuned .words")).to_have_text(EVIL)
    page.get_by_label("Mark differing words").check()
    expect(page.locator("table.rows .base mark").first).to_be_visible()
    assert page.evaluate("window.ran") is None
    page.get_by_role("button", name=re.compile("^Better")).click()
    expect(page.locator(".pages")).to_contain_text("of 999")
    page.get_by_role("button", name="Next ›").click()
    expect(page.locator(".pages")).to_contain_text("26 to 50 of 999")
    page.reload()
    expect(page.locator(".pages")).to_contain_text("26 to 50 of 999")
    page.go_back()
    expect(page.locator(".pages")).to_contain_text("1 to 25 of 999")
    page.get_by_role("button", name=re.compile("^All")).click()
    page.locator("#rows-find").fill("“1234”")
    expect(page.locator("table.rows tbody tr")).to_have_count(1)
    expect(page.locator(".shows")).to_contain_text("All 1")
    page.locator("[name=metric]").select_option("token_f1")
    expect(page).to_have_url(re.compile("by=token_f1"))
    expect(page.locator("table.rows tbody tr")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    download.value.save_as(tmp_path / "rows.csv")
    with open(tmp_path / "rows.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3000 and rows[7]["tuned"] == EVIL
    with page.expect_download() as download:
        page.get_by_role("link", name="Download JSONL").click()
    download.value.save_as(tmp_path / "rows.jsonl")
    assert len([json.loads(line) for line in (tmp_path / "rows.jsonl").read_text("utf-8").splitlines()]) == 3000


def test_a_verdict_on_a_base_in_few_bits_says_so(studio, page):
    rows = [answered(n, "no", "QUEUE: billing") for n in range(12)]
    for bits in ({}, {"bits": "4"}):
        folder = made(studio.workspace, rows)
        verdict = migrate.load(folder / "verdict.json", "verdict")
        migrate.save(folder / "verdict.json", "verdict", verdict | bits)
        studio.open(page, tab="evaluate", evaluation=folder.name)
        expect(page.locator(".verdict .sentence")).to_be_visible()
        expect(page.locator(".verdict").get_by_text("Both answered on the base in 4 bits")).to_have_count(len(bits))


def test_an_evaluation_is_deleted_and_taken_back(many, studio, page, page_faults):
    page_faults.allow("409")
    studio.open(page, tab="evaluate", evaluation=many)
    page.get_by_label(re.compile("^More for the evaluation")).click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Evaluate", exact=True)).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".verdict .word")).to_have_text("Better")


@pytest.mark.parametrize(
    ("held", "told"),
    [("validation", "This dataset keeps no held-out rows."), ("test", "1 held-out row is too few for a verdict.")],
)
def test_a_dataset_with_too_few_test_rows_says_what_to_do(run, studio, page, tmp_path, held, told):
    source = tmp_path / "all.csv"
    source.write_text(f"prompt,completion,split\nA?,b,train\nC?,d,{held}\n", encoding="utf-8")
    import_file(studio.workspace, ImportSettings(source=str(source), name=f"all-{held}"))
    folder = adapters.run(studio.workspace, f"all-{held}", "tiny")
    (folder / "adapter").mkdir()
    studio.open(page, tab="evaluate", run=folder.name)
    expect(page.locator("ft-evaluate .notice")).to_contain_text(told)
    expect(page.locator("[name=split] option")).to_have_text([re.compile("^1 "), re.compile("memorised")])


def test_a_stopped_evaluation_goes_on(studio, run, page):
    workspace = studio.workspace
    folder = job_folder.create(workspace, "evaluate", {"run": run, "split": "test", "threads": 1})
    with Log(folder / "events.jsonl") as log:
        log.append("starting", pid=0)
        log.append("stopped", rows=0)
    studio.open(page, tab="evaluate", evaluation=folder.name)
    expect(page.locator("ft-evaluate .notice")).to_contain_text("The answers so far are kept.")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".verdict .word")).to_be_visible(timeout=WORKING_MS)


def test_links_to_what_is_gone_say_so(studio, page, page_faults):
    page_faults.allow("409")
    for query, words in (
        ({"tab": "evaluate", "evaluation": "20200101-000000-gone-0000"}, "There is no such evaluation"),
        ({"tab": "evaluate", "run": "20200101-000000-gone-0000"}, "There is no such run"),
        ({"tab": "export", "export": "20200101-000000-gone-0000"}, "There is no such export"),
    ):
        studio.open(page, **query)
        expect(page.locator("ft-missing:visible")).to_contain_text(words)
        page.get_by_role("link", name=re.compile("^‹ All")).click()
        expect(page.locator("ft-evaluate:visible h1, ft-export:visible h1")).to_be_visible()


def test_a_run_is_exported_replayed_and_downloaded(run, studio, page, tmp_path):
    studio.open(page, tab="export", run=run)
    page.locator("[name=to][value=adapter]").check()
    page.get_by_role("button", name="Export", exact=True).click()
    expect(page.locator("ft-job")).to_be_visible()
    expect(page.locator("ft-export .chip.finished")).to_have_text("✓ 5 of 5 answers the same", timeout=WORKING_MS)
    (name,) = studio.workspace.names("exports")
    page.get_by_role("link", name="Use it").click()
    expect(page.locator("pre.command").first).to_have_text(str(studio.workspace.exports / name / "adapter"))
    expect(page.locator("table.replays tbody tr")).to_have_count(5)
    expect(page.locator("ft-export .notice.good")).to_contain_text("It answers as the tuned model did.")
    expect(page.locator("pre.command").last).to_contain_text("PeftModel.from_pretrained")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download zip").click()
    download.value.save_as(tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as pack:
        assert pack.testzip() is None
        names = {path.split("/")[-1] for path in pack.namelist()}
    assert {"adapter_model.safetensors", "adapter_config.json", "README.md", "tokenizer.json"} <= names
    studio.open(page, tab="export")
    page.get_by_label(re.compile("^More for this export")).click()
    page.get_by_role("button", name=re.compile("^Delete")).click()
    expect(page.locator("ft-export article")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("ft-export article")).to_have_count(1)


def test_an_export_that_answers_differently_is_red(studio, run, page):
    from tests.studio.test_exports import export

    folder = export(studio.workspace, "merged", equal=False)
    studio.open(page, tab="export")
    expect(page.locator("ft-export .chip.failed")).to_have_text("✗ 0 of 1 answers the same")
    studio.open(page, tab="export", export=folder.name)
    expect(page.locator("table.replays")).to_contain_text("✗ different")
    expect(page.locator("ft-export .notice.error").last).to_contain_text("does not answer as the tuned model did")
