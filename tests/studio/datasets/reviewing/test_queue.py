"""The queue: orders, states, suggestions, rows alike, guidelines, judgements as files."""

from __future__ import annotations

import json
import os
import time
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio import logs
from studio.datasets.browsing.similar import similar
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing import files, guidelines, suggestions
from studio.datasets.reviewing.judgements import Eye
from studio.datasets.reviewing.judging import judge, read, take_back
from studio.datasets.reviewing.queue import Ask, Queue
from studio.datasets.store import Dataset
from studio.errors import BadInput, NotFound, Refused
from studio.jobs import folder as job_folder
from studio.settings.importing import ImportSettings

ANN = Eye("Ann")
MANY = 20_000
TEXTS = [
    "My parcel is late and the courier will not say where it is",
    "I was billed twice",
    "The courier lost my parcel, where is it now, it is so late",
    "Please change my address",
    "The blue lamp arrived broken in its box, glass all over",
    "Thanks, lovely lamp",
]
LABELS = ["delivery", "billing", "delivery", "account", "returns", "praise"]


@pytest.fixture
def queue(workspace, tmp_path) -> Queue:
    source = tmp_path / "mails.jsonl"
    rows = [{"text": text, "label": label} for text, label in zip(TEXTS, LABELS, strict=True)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_file(workspace, ImportSettings(source=str(source), name="mails", split="train=1"))
    return Queue(workspace, "mails")


def places(queue: Queue, **asked) -> list[int]:
    """The places in the file of the rows that come, in their order."""
    return [queue.places[card.row.row_id] for card in queue.stretch(Ask(ANN, **asked), 0, 99).cards]


def say(queue: Queue, place: int, status: str = "accepted", eye: Eye = ANN, **more) -> None:
    seen = [deed["number"] for deed in queue.deeds(queue.ids[place], eye)]
    of = [{"row": queue.ids[place], "seen": seen[-1] if seen else 0}]
    assert judge(
        queue, eye, read({"key": f"{eye.by}-{place}-{status}-{seen}", "of": of, "status": status} | more)
    ).number


def put_run(workspace, queue: Queue, losses: list[tuple[int, int, float]]) -> str:
    """A finished run's folder as far as orders read it: (step, place of the row, loss)."""
    folder = workspace.runs / "20260101-000000-run-0001"
    folder.mkdir()
    steps, rows, values = zip(*losses, strict=True)
    table = {"step": list(steps), "row_id": [queue.ids[row] for row in rows], "loss": list(values)}
    pq.write_table(pa.table(table), folder / "rows.parquet")
    return folder.name


def test_rows_come_as_they_came_or_shortest_first_and_in_stretches(queue):
    assert places(queue) == [0, 1, 2, 3, 4, 5]
    assert places(queue, order="shortest") == [1, 5, 3, 4, 0, 2]
    first = queue.stretch(Ask(ANN), 0, 4)
    assert ([card.place for card in first.cards], first.next, first.end) == ([0, 1, 2, 3], 4, False)
    last = queue.stretch(Ask(ANN), first.next, 4)
    assert ([card.place for card in last.cards], last.end) == ([4, 5], True)
    assert (first.cards[0].before, first.cards[0].after.row_id) == (None, queue.ids[1])


def test_each_state_has_its_rows(queue):
    for place, status in enumerate(["accepted", "discarded", "draft"]):
        say(queue, place, status)
    assert [places(queue, show=show) for show in ("pending", "accepted", "discarded", "draft", "all")] == [
        [3, 4, 5], [0], [1], [2], [0, 1, 2, 3, 4, 5],
    ]  # fmt: skip
    queue.reviews.exclude(queue.ids[3])  # as on the page of rows
    assert places(queue, show="discarded") == [1, 3]
    with pytest.raises(NotFound):
        queue.card(Ask(ANN), "gone")


def test_a_run_puts_first_what_it_learned_least_and_what_it_wavered_on(queue, workspace):
    run = put_run(workspace, queue, [(1, 0, 0.1), (2, 1, 3.0), (3, 2, 0.5), (4, 0, 2.0), (5, 1, 2.9), (6, 2, 0.5)])
    assert places(queue, order="loss", run=run)[:3] == [1, 0, 2]  # of the last pass
    assert places(queue, order="uncertain", run=run) == [0, 1, 2, 3, 4, 5]
    once = workspace.runs / "20260101-000001-run-0002"
    once.mkdir()
    pq.write_table(pa.table({"step": [1], "row_id": [queue.ids[0]], "loss": [1.0]}), once / "rows.parquet")
    with pytest.raises(Refused, match="uncertain"):
        places(queue, order="uncertain", run=once.name)


def test_disagreement_comes_first_and_stays_where_it_was(queue):
    say(queue, 4)
    say(queue, 4, "discarded", Eye("Bob", blind=True))
    assert places(queue, order="disagreement", show="all")[0] == 4
    assert places(queue, show="conflict") == [4]
    stamp = queue.reviews.last()
    before = places(queue, order="disagreement", show="all", stamp=stamp)
    say(queue, 4, "discarded")
    assert places(queue, order="disagreement", show="all", stamp=stamp) == before
    assert places(queue, show="conflict") == []


def test_labels_to_choose_from_are_those_that_rows_have_now(queue):
    def choices() -> list[str]:
        return guidelines.guidelines(queue.dataset).labels

    queue.reviews.edit(queue.ids[5], [{"of": "label", "text": "returns"}])  # the only one of its label
    assert choices() == ["delivery", "account", "billing", "returns"]
    queue.reviews.edit(queue.ids[0], [{"of": "label", "text": "arrears"}])  # not there before: the other keys stay
    assert choices() == ["delivery", "account", "billing", "returns", "arrears"]


def test_rules_and_an_evaluation_suggest(queue, workspace):
    found = guidelines.guidelines(queue.dataset)
    assert found.labels == ["delivery", "account", "billing", "praise", "returns"] and found.revision == 0
    rules = [{"words": ["PARCEL", "courier"], "label": "delivery"}, {"words": ["lamp"], "label": "Returns"}]
    guidelines.save(queue.dataset, {"labels": found.labels, "rules": rules, "text": "Be kind."}, 0)
    cards = queue.stretch(Ask(ANN, source="rules"), 0, 9).cards
    labels = [card.suggested_label for card in cards]
    assert labels == ["delivery", None, "delivery", None, "returns", "returns"]
    assert places(queue, order="disagreement", source="rules")[0] == 5  # labelled praise, suggested returns
    folder = workspace.evaluations / "20260101-000000-e-0001"
    folder.mkdir()
    answers = {"row_id": list(queue.ids[:2]), "base": ["?", "?"], "tuned": [" Billing\n", "no idea"]}
    pq.write_table(pa.table(answers), folder / "predictions.parquet")
    cards = queue.stretch(Ask(ANN, source=f"evaluation:{folder.name}:tuned"), 0, 9).cards
    assert [(card.suggestion, card.suggested_label) for card in cards[:3]] == [
        (" Billing\n", "billing"), ("no idea", None), (None, None),
    ]  # fmt: skip
    with pytest.raises(NotFound):
        suggestions.answers(workspace, "nothing:of:this")


def test_answers_to_a_download_suggest_by_its_row_ids(queue, workspace, tmp_path):
    output = tmp_path / "mails.answers.jsonl"
    output.write_text(json.dumps({"row_id": queue.ids[3], "answer": "Account"}) + "\n")
    job = job_folder.create(workspace, "predict", {"output": str(output), "run": "r", "file": "f"}, "predict")
    assert suggestions.sources(workspace, queue.dataset, guidelines.guidelines(queue.dataset)) == []
    with logs.Log(job / "events.jsonl") as log:
        log.append("finished")
    (source,) = suggestions.sources(workspace, queue.dataset, guidelines.guidelines(queue.dataset))
    assert source == {"id": f"predict:{job.name}", "title": "Answers in mails.answers.jsonl"}
    cards = queue.stretch(Ask(ANN, source=source["id"]), 0, 9).cards
    assert [card.suggested_label for card in cards] == [None, None, None, "account", None, None]
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.write(output, output.name)
    os.replace(tmp_path / "packed.zip", output)  # what predict never writes is not unpacked
    assert suggestions.sources(workspace, queue.dataset, guidelines.guidelines(queue.dataset)) == []


def test_guidelines_are_never_overwritten_unseen(queue):
    saved = guidelines.save(queue.dataset, {"labels": ["b", "a", "b"], "requirements": ["Polite"]}, 0)
    assert (saved.labels, saved.revision) == (["b", "a"], 1)
    assert guidelines.guidelines(queue.dataset) == saved
    with pytest.raises(Refused, match="changed meanwhile"):
        guidelines.save(queue.dataset, {"labels": []}, 0)
    with pytest.raises(BadInput, match="can't be used"):
        guidelines.save(queue.dataset, {"rules": [{"words": [], "label": "x"}]}, 1)


def test_rows_alike_need_no_model(queue):
    rows = list(queue.dataset.rows())
    found = similar(queue.dataset, rows[0], 3)
    assert (
        queue.places[found[0].row_id] == 2
        and found[0].share > 0.4
        and rows[0].row_id not in [each.row_id for each in found]
    )
    assert similar(queue.dataset, rows[3], 3) == [] or similar(queue.dataset, rows[3], 3)[0].share < 0.3


def test_judgements_go_out_and_come_in_once(queue, tmp_path, workspace):
    say(queue, 0, label="billing", note="sure", ratings={"": 4})
    say(queue, 1, "discarded")
    file = tmp_path / "said.jsonl"
    assert files.write(queue, file) == 2
    assert files.take_in(queue, file) == {"taken": 0, "known": 2, "strange": 0}
    queue.reviews.undo()
    assert files.take_in(queue, file) == {"taken": 1, "known": 1, "strange": 0}
    assert places(queue, show="discarded") == [1]
    file.write_text('{"row_id": "elsewhere", "status": "accepted"}\n')
    assert files.take_in(queue, file)["strange"] == 1
    file.write_text('{"row_id": "x", "status": "accepted"}\n{"row_id": 5}\n')
    with pytest.raises(BadInput, match="Line 2"):
        files.take_in(queue, file)


@pytest.mark.parametrize("wanted, found", [("all", 6), ("label=delivery", 2), ("find=LAMP", 2), ("tone=warm", 0)])
def test_a_filter_names_pending_rows(queue, wanted, found):
    assert len(files.matching(queue, ANN, wanted)) == found
    say(queue, 0)
    with pytest.raises(BadInput, match="no filter"):
        files.matching(queue, ANN, "delivery")


def test_the_last_of_many_judgements_costs_what_the_first_does(workspace, tmp_path, capsys):
    source = tmp_path / "many.csv"
    lines = [f"message {n},label {n % 3}" for n in range(MANY)]
    source.write_text("\n".join(["text,label", *lines]))
    import_file(workspace, ImportSettings(source=str(source), name="many", split="train=1"))
    queue = Queue(workspace, "many")
    deeds = [
        {"type": "judge", "status": "accepted", "row": row, "seen": 0, "key": "x" * 9}
        for row in queue.ids[: MANY - 100]
    ]
    queue.reviews.apply(deeds, by="Ann")
    queue.counts(ANN)
    began = time.perf_counter()
    for place in range(MANY - 100, MANY):
        say(Queue(workspace, "many"), place)
    each = (time.perf_counter() - began) / 100
    assert Queue(workspace, "many").counts(ANN)["accepted"] == MANY
    with capsys.disabled():
        print(f"\n    a judgement after {MANY - 100:,} others: {each * 1000:.1f} ms")
    assert each < 0.1


def test_who_reviews_is_told(queue):
    say(queue, 0)
    say(queue, 1, eye=Eye("Bob"))
    assert queue.reviewers() == {"Ann": 1, "Bob": 1}
    assert (queue.last_of("Ann")["row"], queue.last_of("Nobody")) == (queue.ids[0], None)
    assert queue.changed_since(1, ANN) == [queue.ids[1]]
    assert queue.changed_since(0, Eye("Ann", blind=True)) == [queue.ids[0]]
    both = [{"row": row, "seen": 0} for row in queue.ids[2:4]]
    judge(queue, Eye("Cem"), read({"key": "both-rows", "of": both, "status": "accepted"}))
    last = queue.last_of("Cem")
    assert last["row"] == queue.ids[2] and set(queue.changed_since(2, ANN)) == set(queue.ids[2:4])
    assert take_back(queue, Eye("Cem"), last["key"], last["row"]) == queue.ids[2] and queue.last_of("Cem") is None
    assert Dataset.open(queue.workspace, "mails").latest == 1


def test_what_the_doctor_sent_is_shown_with_its_reason_until_somebody_judges_it(queue):
    say(queue, 1)
    say(queue, 2, "discarded", eye=Eye("Cleo"))
    for reason, rows in (("Broken letters", (1, 2, 4)), ("Another language", (1, 5))):
        sent = [{"type": "judge", "row": queue.ids[at], "status": "pending", "reason": reason} for at in rows]
        queue.reviews.apply(sent, by="Bob", why="doctor")
    assert places(queue, show="doctor") == [1, 2, 4, 5]
    card = queue.stretch(Ask(ANN, show="doctor"), 0, 1).cards[0]
    assert (card.status, card.reasons) == ("pending", ("Broken letters", "Another language"))
    assert [deed["by"] for deed in card.history] == ["Ann"]
    blind = queue.card(Ask(Eye("Dora", blind=True)), queue.ids[2])  # it is no judgement of Bob's
    assert (blind.reasons, blind.history) == (("Broken letters",), ())
    assert queue.reviewers() == {"Ann": 1, "Cleo": 1}
    say(queue, 1)
    queue.reviews.exclude(queue.ids[5])
    counts = queue.counts(ANN)
    assert (places(queue, show="doctor"), counts["doctor"], counts["pending"]) == ([2, 4], 2, 4)
    assert queue.card(Ask(ANN), queue.ids[1]).reasons == ()
