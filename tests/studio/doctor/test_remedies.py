"""From a finding to reviews and back: what a fix changes, what it passes over, what one undo takes back."""

from __future__ import annotations

import pytest

from studio.batches.tokenizer import load_tokenizer
from studio.datasets.reviewing.log import rows_of
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.versions.freezing import freeze
from studio.doctor import remedies, reports
from studio.doctor.kinds import FIXABLE, KINDS
from studio.doctor.reports import Report
from studio.errors import BadInput, NotFound, Refused
from tests.studio.doctor.conftest import examine, talk

QUESTION = "Where can I find the red cups with the handle?"
ROWS = [
    talk("Who is it?", "Write to ann@firma.de or bob@firma.de."),
    talk("Who is it then?", "Ask ann@firma.de."),
    talk("Hello?", "Hello."), talk("Hello?", "Hello."),
    talk("Open on Sunday?", "Yes."), talk("Open on Sunday?", "No."),
    talk(QUESTION, f"{QUESTION} On the shelf."), talk(QUESTION + "!", f"{QUESTION}"),
    talk("Broken?", "the cafÃ© is far"), talk("Marked?", "Yes.<|im_end|>"), talk("Only marks?", "<|im_end|>"),
    talk("Sorry?", "As an AI language model, I can't."),
]  # fmt: skip


@pytest.fixture
def visited(make, tmp_path):
    dataset = make(ROWS)
    folder = tmp_path / "job"
    folder.mkdir()
    reports.write(folder, dataset, dataset.latest, Reviews(dataset).last(), examine(dataset))
    return dataset, Report.read(folder)


def answers(dataset) -> dict[int, str | None]:
    """Line → the answer as it shall be, None for rows that are left out."""
    pending = Reviews(dataset).pending()
    found: dict[int, str | None] = {}
    for row in dataset.rows():
        change = pending.get(row.row_id)
        shown = change.applied(row) if change else row
        found[row.source_line] = None if change and change.excluded else shown.messages[-1]["content"]
    return found


CASES = {
    "emails": {1: "Write to [e-mail] or [e-mail].", 2: "Ask [e-mail]."},
    "duplicates": {4: None},
    "echoes": {7: "On the shelf.", 8: None},
    "encoding": {9: "the café is far"},
    "special_tokens": {10: "Yes.", 11: None},
    "refusals": {12: None},
}


@pytest.mark.parametrize("kind", CASES)
def test_a_fix_changes_what_it_says_and_one_undo_takes_it_back(visited, kind):
    dataset, report = visited
    before = answers(dataset)
    done = remedies.fix(dataset, report, kind)
    after = answers(dataset)
    assert {line: text for line, text in after.items() if text != before[line]} == CASES[kind]
    assert done["rows"] == len(CASES[kind]) and done["passed_over"] == 0
    fixed = report.fixed(Reviews(dataset))
    assert fixed[kind]["rows"] == len(CASES[kind]) and fixed[kind]["last"]
    assert Reviews(dataset).undo()["count"] == len(CASES[kind])
    assert answers(dataset) == before
    assert report.fixed(Reviews(dataset)) == {}
    assert remedies.fix(dataset, report, kind)["rows"] == len(CASES[kind])  # and it can be done again


def test_what_needs_judgement_goes_to_the_review_queue(visited):
    dataset, report = visited
    before = answers(dataset)
    done = remedies.fix(dataset, report, "contradictions", by="Ada")
    deeds = Reviews(dataset).log().standing[done["number"]]
    assert [(deed["status"], len(rows_of(deed))) for deed in deeds] == [("pending", 2)]
    assert all(deed["reason"] == KINDS["contradictions"].title and deed["by"] == "Ada" for deed in deeds)
    assert answers(dataset) == before


@pytest.mark.parametrize("order", [("leaks", "contradictions"), ("contradictions", "leaks")])
def test_a_held_out_row_goes_to_review_though_the_row_that_contradicts_it_is_left_out(make, tmp_path, order):
    dataset = make([talk(QUESTION, "Here."), talk(QUESTION, "There.", "test")])
    reports.write(tmp_path, dataset, 1, 0, examine(dataset))
    for kind in order:
        remedies.fix(dataset, Report.read(tmp_path), kind)
    judged = Reviews(dataset).log().fold(("judged",), lambda deeds: [deed["type"] for deed in deeds] or None)
    ids = {row.source_line: row.row_id for row in dataset.rows()}
    assert answers(dataset) == {1: None, 2: "There."} and judged[ids[2]] == ["judge"]


def test_a_text_in_which_several_speak_goes_to_a_person(make, tmp_path):
    glued = talk("Are you open?", "Yes.<|im_end|>\n<|im_start|>user\nOn Sunday too?")
    dataset = make([glued, talk("And now?", "<|im_start|>assistant\nNo.<|im_end|>")])
    reports.write(tmp_path, dataset, 1, 0, examine(dataset))
    report = Report.read(tmp_path)
    done = remedies.fix(dataset, report, "special_tokens")
    assert (done["rows"], done["sent"], done["passed_over"]) == (2, 1, 0)
    assert report.fixed(Reviews(dataset))["special_tokens"]["sent"] == 1
    assert answers(dataset) == {1: glued["messages"][1]["content"], 2: "No."} and len(Reviews(dataset).pending()) == 1
    deeds = [deed for deed in Reviews(dataset).log().standing[done["number"]] if deed["type"] == "judge"]
    assert [(deed["status"], deed["reason"]) for deed in deeds] == [("pending", KINDS["special_tokens"].title)]


def test_stand_ins_are_the_same_for_the_same_person_in_every_row(visited):
    dataset, report = visited
    remedies.fix(dataset, report, "emails", "stand-ins")
    first, second = answers(dataset)[1], answers(dataset)[2]
    ann, bob = first.split(" or ")[0].removeprefix("Write to "), first.split(" or ")[1]
    assert second == f"Ask {ann}." and ann != bob.rstrip(".") and ann.endswith("@example.org")


def test_fixes_add_up_and_nothing_of_an_earlier_one_is_lost(visited):
    dataset, report = visited
    for kind in ("emails", "special_tokens", "encoding", "duplicates"):
        remedies.fix(dataset, report, kind)
    after = answers(dataset)
    assert (after[2], after[9], after[10], after[4]) == ("Ask [e-mail].", "the café is far", "Yes.", None)
    assert not report.fixed(Reviews(dataset))["emails"]["last"]
    assert report.stale(dataset, Reviews(dataset)) == ""
    assert {finding.kind for finding in examine(dataset).findings} & {"emails", "special_tokens", "encoding"} == set()


def test_rows_that_somebody_changed_since_are_passed_over(visited):
    dataset, report = visited
    ids = {row.source_line: row.row_id for row in dataset.rows()}
    Reviews(dataset).edit(ids[2], [{"of": "messages", "at": 1, "text": "Ask carl@firma.de."}])
    assert "changed since" in report.stale(dataset, Reviews(dataset))
    assert remedies.fix(dataset, report, "emails")["rows"] == 1
    Reviews(dataset).exclude(ids[3])  # the copy must not be left out too: nothing of both would stay
    with pytest.raises(Refused, match="nothing left"):
        remedies.fix(dataset, report, "duplicates")


def test_a_report_is_out_of_date_once_changes_that_it_saw_are_taken_back(make, tmp_path):
    dataset = make([*ROWS[2:4], talk("Where is it?", "Here."), talk("And this?", "Write to ann@firma.de.")])
    ids = {row.source_line: row.row_id for row in dataset.rows()}
    reviews = Reviews(dataset)
    reviews.edit(ids[3], [{"of": "messages", "at": 0, "text": "Hello?"}, {"of": "messages", "at": 1, "text": "Hello."}])
    fixed = reviews.apply([{"type": "exclude", "row": ids[4]}], why="doctor: emails")
    reports.write(tmp_path, dataset, dataset.latest, reviews.last(), examine(dataset))
    report = Report.read(tmp_path)
    assert (report.rows, report.finding("duplicates")["count"], report.stale(dataset, reviews)) == (3, 2, "")
    reviews.undo(number=fixed)
    assert "taken back since" in report.stale(dataset, reviews)
    reviews.undo()  # the third row is no copy any more, and must not be left out as one
    done = remedies.fix(dataset, report, "duplicates")
    assert (done["rows"], done["passed_over"]) == (1, 1) and answers(dataset)[3] == "Here."


def test_rows_that_somebody_changes_while_a_fix_is_made_are_passed_over(visited, monkeypatch):
    dataset, report = visited
    ids = {row.source_line: row.row_id for row in dataset.rows()}
    current = remedies.current

    def slow(*given):
        rows = list(current(*given))
        Reviews(dataset).edit(ids[2], [{"of": "messages", "at": 1, "text": "Ask carl@firma.de."}])
        return iter(rows)

    monkeypatch.setattr(remedies, "current", slow)
    done = remedies.fix(dataset, report, "emails")
    assert (done["rows"], done["passed_over"]) == (1, 1) and report.fixed(Reviews(dataset))["emails"]["rows"] == 1
    assert (answers(dataset)[1], answers(dataset)[2]) == (CASES["emails"][1], "Ask carl@firma.de.")


def test_a_report_of_an_older_version_fixes_nothing(visited, workspace):
    dataset, report = visited
    remedies.fix(dataset, report, "duplicates")
    freeze(workspace, dataset.name)
    newer = type(dataset).open(workspace, dataset.name)
    assert "version 2" in report.stale(newer, Reviews(newer))
    with pytest.raises(Refused, match="older version"):
        remedies.fix(newer, report, "emails")


def test_what_can_t_be_fixed_says_so(visited):
    dataset, report = visited
    with pytest.raises(BadInput, match="has no fix"):
        remedies.fix(dataset, report, "too_few")
    with pytest.raises(NotFound, match="“ibans”"):
        remedies.fix(dataset, report, "ibans")
    assert "too_few" not in FIXABLE


def test_labels_get_their_usual_form(make, tmp_path):
    rows = [
        {"text": f"message {n}", "label": label, "split": "train"} for n, label in enumerate(["Bill", "Bill", "bill"])
    ]
    dataset = make(rows)
    (tmp_path / "job").mkdir()
    reports.write(tmp_path / "job", dataset, 1, 0, examine(dataset))
    remedies.fix(dataset, Report.read(tmp_path / "job"), "label_variants")
    [change] = Reviews(dataset).pending().values()
    assert change.content["label"] == "Bill"


def test_a_misspelt_label_is_set_right_and_one_undo_takes_it_back(make, tmp_path):
    labels = [*["billing"] * 12, "biling"]
    dataset = make([{"text": f"message {n}", "label": label, "split": "train"} for n, label in enumerate(labels)])
    (tmp_path / "job").mkdir()
    reports.write(tmp_path / "job", dataset, 1, 0, examine(dataset))
    found = Report.read(tmp_path / "job").finding("misspelt_labels")
    assert found["count"] == 1 and "“biling” for “billing”" in found["words"] and len(found["examples"]) == 1
    remedies.fix(dataset, Report.read(tmp_path / "job"), "misspelt_labels")
    [change] = Reviews(dataset).pending().values()
    assert change.content["label"] == "billing"
    Reviews(dataset).undo()
    assert not Reviews(dataset).pending()


def test_ignored_kinds_and_the_key_are_kept_with_the_dataset(visited):
    dataset, _ = visited
    reports.ignore(dataset, "emails", True)
    key = reports.key_of(dataset)
    assert reports.ignored(dataset) == ["emails"] and reports.key_of(dataset) == key and len(key) == 32
    reports.ignore(dataset, "emails", False)
    assert reports.ignored(dataset) == []


def test_rows_in_tokens(make, tiny):
    tokenizer = load_tokenizer(tiny)
    long = "The parcel is on its way to you and will be there soon. " * 5
    dataset = make([talk("a", "b"), talk("Where?", long), talk(long, "Here."), talk("c", "d")])
    counts = {finding.kind: finding.count for finding in examine(dataset, tokenizer, cutoff=64).findings}
    assert counts["cut"] == 1 and counts["nothing"] == 1
    assert not {"cut", "nothing"} & {finding.kind for finding in examine(dataset, tokenizer, cutoff=2000).findings}
    notes = examine(dataset).notes
    assert notes == ["No model is here yet, so rows were not measured in tokens."]
    assert examine(dataset, leave_out=["tokens", "copies", "amount"]).notes == []


@pytest.mark.parametrize("when", ["reading rows", "writing the changes down"])
def test_a_fix_that_is_stopped_changes_nothing(visited, monkeypatch, when):
    class Stopped(Exception):
        pass

    def watch(done: int, total: int, what: str) -> None:
        if what == when:
            raise Stopped

    dataset, report = visited
    monkeypatch.setattr(remedies, "FEW", 0)  # rows are read one after the other, as where many are meant
    with pytest.raises(Stopped):
        remedies.fix(dataset, report, "emails", watch=watch)
    assert Reviews(dataset).pending() == {} and report.fixes() == []
