"""Split, tags, bulk deeds and mixtures in a real browser."""

from __future__ import annotations

import re
from collections import Counter

from playwright.sync_api import Page, expect

from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from tests.sets import make_set

EVIL = "<img src=x onerror=\"document.title='run'\">"


def talk(question: str, **more: object) -> dict[str, object]:
    said = [{"role": "user", "content": question}, {"role": "assistant", "content": "Certainly."}]
    return {"messages": said, **more}


def visits(studio, name: str) -> Dataset:
    """60 rows of 12 patients, whose rows stand on all sides; one question asked twice."""
    rows = [
        talk(f"Visit {n}: {'cough' if n % 3 else 'fever'} of patient {n % 12} {EVIL}", patient=f"P{n % 12}",
             tags={"domain": ("lung", "skin")[n % 12 % 2]}, split=("train", "train", "test")[n % 3])
        for n in range(58)
    ]  # fmt: skip
    return make_set(studio.workspace, name, [*rows, talk("twice", split="train"), talk("twice", split="test", n=1)])


def frozen_words(page: Page) -> None:
    expect(page.locator(".ft-dataset > .told")).to_contain_text("not yet in a version")


def test_a_leak_is_told_a_split_planned_moved_and_taken_back(studio, page):
    dataset = visits(studio, "visits")
    studio.open(page, tab="data", dataset="visits", part="split")
    expect(page.locator(".now")).to_contain_text("Not checked")
    page.get_by_role("button", name="Check it").click()
    check = page.get_by_role("region", name="What the check found")
    expect(check).to_contain_text("Not clean")
    examples = page.locator(".sp-examples article")
    expect(examples.filter(has_text="the same question").first).to_contain_text("twice")
    expect(page.locator(".now .chip")).to_have_text("Not clean")

    page.get_by_text("By a column", exact=True).click()
    page.get_by_label("Which column makes a group").select_option("patient")
    page.get_by_label("Keep in balance").select_option("domain")
    page.get_by_label("nearly the same text").uncheck()
    page.get_by_role("button", name="Plan the split").click()
    plan = page.get_by_role("region", name="The plan")
    expect(plan.locator(".chip").first).to_have_text("Clean")
    expect(plan).to_contain_text("By domain")
    expect(plan.locator(".sp-track").first.locator("i")).to_have_count(3)
    assert "plan=" in page.url
    page.reload()
    expect(page.get_by_role("region", name="The plan")).to_contain_text("none stands on two sides")
    page.get_by_role("button", name=re.compile("Move .* rows")).click()
    expect(page.locator(".sp > .told")).to_contain_text("moved")
    frozen_words(page)
    moved = {row: change.split for row, change in Reviews(dataset).pending().items()}
    sides: dict[str, set[str]] = {}
    for row in dataset.rows():
        if "patient" in row.extra:
            sides.setdefault(row.extra["patient"], set()).add(moved.get(row.row_id) or row.split)
    assert all(len(side) == 1 for side in sides.values())
    page.locator(".ft-toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".ft-dataset > .told")).not_to_contain_text("not yet in a version")
    assert Reviews(dataset).pending() == {}

    page.get_by_role("button", name="Plan the split").click()
    page.get_by_role("button", name=re.compile("Move .* rows")).click()
    expect(page.locator(".sp > .told")).to_contain_text("Training sees it once a version is frozen.")
    page.get_by_role("button", name="Freeze version 2").click()
    expect(page.locator(".sp > .told")).to_be_empty()


def test_labels_are_kept_in_balance_unless_one_says_otherwise(studio, page):
    """One row in ten has the rare label: a split by chance may leave none of them for the score."""
    rows = [talk(f"Letter {n} of the day", kind="label", label="rare" if n % 10 == 0 else "usual") for n in range(60)]
    make_set(studio.workspace, "labelled", rows)
    studio.open(page, tab="data", dataset="labelled", part="split")
    expect(page.get_by_label("Keep in balance")).to_have_value("label")
    page.get_by_role("button", name="Plan the split").click()
    plan = page.get_by_role("region", name="The plan")
    expect(plan.locator(".sp-balance .chip")).to_have_text("In balance")
    page.get_by_label("Keep in balance").select_option("")
    page.get_by_text("By a column", exact=True).click()
    expect(page.get_by_label("Keep in balance")).to_have_value("")


def test_what_can_t_be_planned_is_said(studio, page, page_faults):
    page_faults.allow("409")
    visits(studio, "refused")
    studio.open(page, tab="data", dataset="refused", part="split")
    page.get_by_label("Held out").fill("40")
    page.get_by_role("button", name="Plan the split").click()
    expect(page.locator(".sp > .told")).to_contain_text("add up to 1.3")
    expect(page.get_by_label("Held out")).to_have_value("40")
    page.get_by_text("By date", exact=True).click()
    page.get_by_label("Which column has the date").select_option("patient")
    page.get_by_label("Held out").fill("10")
    page.get_by_role("button", name="Plan the split").click()
    expect(page.locator(".sp .job")).to_contain_text("This column has no dates.")


def test_rows_of_a_search_are_tagged_and_moved_at_once(studio, page):
    dataset = visits(studio, "bulk")
    studio.open(page, tab="data", dataset="bulk", find="fever")
    page.get_by_text("Move, tag or leave out many rows").click()
    expect(page.locator("ft-bulk .words")).to_contain_text("20 rows")
    page.get_by_label("Tag", exact=True).fill("task")
    page.get_by_label("Value of the tag").fill("triage")
    page.get_by_label("Value of the tag").press("Enter")
    expect(page.locator(".ft-toast")).to_contain_text("20 rows tagged")
    page.locator("ft-bulk").get_by_role("button", name="To validation").click()
    expect(page.locator(".ft-toast")).to_contain_text("20 rows moved to validation")
    changes = Reviews(dataset).pending().values()
    assert {(change.split, change.tags["task"]) for change in changes} == {("validation", "triage")}
    with page.expect_response("**/undo"):
        page.locator(".ft-toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".ft-toast")).to_be_empty()
    frozen_words(page)
    assert {change.split for change in Reviews(dataset).pending().values()} == {None}


def test_a_single_row_is_moved(studio, page):
    dataset = visits(studio, "single")
    row = next(dataset.rows())
    studio.open(page, tab="data", dataset="single", row=row.row_id)
    page.locator("select[name=side]").select_option("validation")
    expect(page.locator(".ft-toast")).to_contain_text("Moved to validation")
    expect(page.locator(".ft-row .head .chip").first).to_have_text("Validation")
    assert Reviews(dataset).pending()[row.row_id].split == "validation"


def test_a_rule_shows_its_rows_before_it_tags_them(studio, page, page_faults):
    page_faults.allow("409")
    dataset = visits(studio, "tagged")
    studio.open(page, tab="data", dataset="tagged", part="tag")
    page.get_by_label("Name of the tag", exact=True).fill("task")
    page.get_by_label("Value", exact=True).fill("cold")
    page.get_by_label("Words, one a line").fill("cough\nflu")
    page.get_by_role("button", name="Show the rows").click()
    found = page.get_by_role("region", name="What would be tagged")
    expect(found).to_contain_text("38 rows would be tagged")
    expect(found.locator("mark").first).to_have_text("cough")
    assert Reviews(dataset).pending() == {} and page.title() != "run"
    found.get_by_role("button", name="Tag 38 rows").click()
    expect(page.locator(".tg > .told")).to_contain_text("38 rows tagged.")
    assert len(Reviews(dataset).pending()) == 38
    page.get_by_label("take them as patterns").check()
    page.get_by_label("Patterns, one a line").fill("(never closed")
    page.get_by_role("button", name="Show the rows").click()
    expect(page.locator(".tg > .told")).to_contain_text("This pattern can't be read.")


def test_a_mixture_is_shown_then_made(studio, page, page_faults):
    page_faults.allow("409")
    visits(studio, "clinic")
    make_set(studio.workspace, "chatter", [talk(f"Small talk {n}") for n in range(200)])
    held = []
    asked = re.compile(r"/studio/mixes\?")
    page.route(asked, lambda route: held.append(route), times=1)
    studio.open(page, tab="data")
    with page.expect_request(asked):
        page.get_by_role("link", name="Mix datasets").click()
    expect(page.locator(".mx [role=status]")).to_have_text("Looking at the datasets…")
    held.pop().continue_()
    page.get_by_label("Part 1", exact=True).select_option("clinic")
    page.get_by_label("Which rows of part 1").select_option("domain=lung")
    page.get_by_text("By hand", exact=True).click()
    page.get_by_label("Weight of part 1").fill("2")
    page.get_by_label("General questions, against forgetting").select_option("chatter")
    page.get_by_label("Share of general questions").fill("20")
    found = page.get_by_role("region", name="What comes of it")
    expect(found.locator("tbody tr").nth(1)).to_contain_text("20.8 %")
    expect(found.locator("tbody tr").first).to_contain_text("2 times")
    train = found.locator("tfoot td").nth(2).inner_text()
    page.get_by_label("Name of the mixture").fill("clinic")
    page.get_by_role("button", name="Make the mixture").click()
    expect(page.locator(".mx .job")).to_contain_text("can't become a mixture")
    page.get_by_label("Name of the mixture").fill("both")
    page.get_by_role("button", name="Make the mixture").click()
    expect(page.locator(".mx .job")).to_contain_text("“both” version 1 is made")
    made = Dataset.open(studio.workspace, "both")
    assert made.counts()["train"] == int(train)
    page.get_by_role("link", name="Open it").click()
    expect(page.get_by_role("heading", name="both", exact=True)).to_be_visible()
    page.get_by_role("link", name="Mix", exact=True).click()
    expect(page.get_by_label("Weight of part 1")).to_have_value("2")


def test_in_large_datasets_rules_and_recipes_are_worked_out_by_jobs(studio, page):
    make_set(
        studio.workspace, "large", (talk(f"Call {n} about a {'refund' if n % 4 else 'lamp'}") for n in range(20_000))
    )
    studio.open(page, tab="data", dataset="large", part="tag")
    page.get_by_label("Name of the tag", exact=True).fill("task")
    page.get_by_label("Value", exact=True).fill("money")
    page.get_by_label("Words, one a line").fill("refund")
    page.get_by_role("button", name="Show the rows").click()
    page.wait_for_url(re.compile("job="))
    page.reload()  # the job goes on, and knows the rule
    found = page.get_by_role("region", name="What would be tagged")
    expect(found).to_contain_text("15,000 rows would be tagged")
    expect(page.get_by_label("Words, one a line")).to_have_value("refund")
    found.get_by_role("button", name="Tag 15,000 rows").click()
    expect(page.locator(".tg > .told")).to_contain_text("15,000 rows tagged.")
    assert len(Reviews(Dataset.open(studio.workspace, "large")).pending()) == 15_000
    page.locator(".ft-toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".tg > .told")).to_be_empty()

    make_set(studio.workspace, "beside", [talk("Hello")])  # a mixture takes two
    studio.open(page, tab="data", mix="1")
    page.get_by_label("Part 1", exact=True).select_option("large")
    page.get_by_label("Number for chance").fill("5")
    expect(page.get_by_role("region", name="What comes of it")).to_contain_text("These parts have 20,000 rows")
    page.get_by_role("button", name="Count rows and tokens").click()
    page.wait_for_url(re.compile("count="))
    page.reload()  # the job goes on, and knows the recipe
    found = page.get_by_role("region", name="What comes of it")
    expect(found.locator("tbody tr").first).to_contain_text("once")
    expect(found.locator("tfoot")).to_contain_text("20,000")
    expect(page.get_by_label("Number for chance")).to_have_value("5")
    assert "count=" not in page.url


def test_the_counting_of_a_recipe_ends_with_the_recipe(studio, page):
    """Changed while the counting is asked for or at work: that is stopped, and never shown."""
    asked, stopped = [], []

    def look(route):
        body = route.request.post_data_json
        if not body["patient"]:
            route.fulfill(json={"large": 90_000})
        else:
            asked.append(route)

    def stop(route):
        stopped.append(route.request.url.split("/")[-2])
        route.fulfill(json={})

    page.route("**/studio/mixes/look", look)
    page.route("**/studio/jobs/jobs/count-*/stop", stop)
    page.route(
        "**/studio/jobs/jobs/count-*?*",
        lambda route: route.fulfill(json={"status": "running", "offset": 0, "events": [], "text": "reading"}),
    )
    for name in ("held", "kept"):
        make_set(studio.workspace, name, [talk(f"{name} {n}") for n in range(3)])
    studio.open(page, tab="data", mix="1")
    page.get_by_label("Part 1", exact=True).select_option("held")
    count = page.get_by_role("button", name="Count rows and tokens")
    with page.expect_request("**/studio/mixes/look"):
        count.click()
    page.get_by_label("Part 2", exact=True).select_option("kept")
    expect(count).to_be_visible()
    with page.expect_request("**/studio/jobs/jobs/count-1/stop"):
        asked[0].fulfill(json={"job": "count-1"})
    assert "count=" not in page.url
    with page.expect_request("**/studio/mixes/look"):
        count.click()
    asked[1].fulfill(json={"job": "count-2"})
    page.wait_for_url(re.compile("count=count-2"))
    page.get_by_label("Name of the mixture").fill("another")  # which changes nothing of what is counted
    expect(page.locator(".mx .look")).to_contain_text("reading")
    with page.expect_request("**/studio/jobs/jobs/count-2/stop"):
        page.get_by_label("Number for chance").fill("7")
    expect(count).to_be_visible()
    assert "count=" not in page.url and stopped == ["count-1", "count-2"]


def test_one_dataset_alone_leads_to_a_second(start_studio, page):
    """A mixture takes two, or tags; whoever has neither is told so and led to the import."""
    studio = start_studio()
    make_set(studio.workspace, "lonely", [talk(f"Small talk {n}", tags={"domain": "chat"}) for n in range(20)])
    studio.open(page, tab="data", dataset="lonely", part="mix")
    expect(page.get_by_role("heading", name="A second dataset comes first")).to_be_visible()
    expect(page.locator("ft-mix")).to_contain_text("so far there is only “lonely”")
    page.locator("ft-mix").get_by_role("link", name="Import a file").click()
    expect(page.get_by_role("heading", name="Import", exact=True)).to_be_visible()


def test_the_tags_of_one_dataset_are_mixed_by_weight(start_studio, page):
    studio = start_studio()
    visits(studio, "ward")
    studio.open(page, tab="data", dataset="ward", part="mix")
    page.get_by_text("By hand", exact=True).click()
    for part, tag, weight in ((1, "lung", "1"), (2, "skin", "0.5")):
        page.get_by_label(f"Part {part}", exact=True).select_option("ward")
        page.get_by_label(f"Which rows of part {part}").select_option(f"domain={tag}")
        page.get_by_label(f"Weight of part {part}").fill(weight)
    found = page.get_by_role("region", name="What comes of it")
    expect(found.locator("tbody tr").first).to_contain_text("once")
    expect(found.locator("tbody tr").nth(1)).to_contain_text("50 % of them")
    page.get_by_role("button", name="Make the mixture").click()
    expect(page.locator(".mx .job")).to_contain_text("“ward-mix” version 1 is made")
    trained = Counter(
        row.tags["domain"] for row in Dataset.open(studio.workspace, "ward-mix").rows() if row.split == "train"
    )
    assert trained == {"lung": 19, "skin": 10}
