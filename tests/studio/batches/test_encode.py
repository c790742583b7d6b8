from __future__ import annotations

import time

import numpy as np
import pytest

from studio.batches.encode import IGNORED, Report, encode_row, encode_rows, encode_stream
from studio.batches.tokenizer import ModelTokenizer
from studio.datasets.rows import Row
from studio.errors import BadInput, Refused
from tests.studio.batches.families import CALL, FAMILIES, assistant, user
from tests.tiny import CHATML, SENTENCES, SPECIAL, tiny_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return ModelTokenizer.load(tiny_tokenizer(tmp_path_factory.mktemp("tiny")))


def chat(row_id: str, question: str, answer: str) -> Row:
    return Row(row_id, "chat", [user(question), assistant(answer)])


def texts(tokenizer: ModelTokenizer, encoded) -> tuple[str, str]:
    """All of a row, and what is learned of it."""
    learned = encoded.labels[encoded.labels != IGNORED]
    return tokenizer.decode(encoded.ids.tolist(), special=True), tokenizer.decode(learned.tolist(), special=True)


def test_a_row_becomes_arrays_that_belong_together(tokenizer):
    encoded = encode_row(tokenizer, chat("a", "Hello", "Rome"), loss_on="all", cutoff=100)
    text, learned = texts(tokenizer, encoded)
    assert text == tokenizer.render([user("Hello"), assistant("Rome")]) and learned == "Rome<|im_end|>"
    assert encoded.row_id == "a" and encoded.cut == 0
    assert (encoded.ids.dtype, encoded.labels.dtype, encoded.special.dtype) == (np.int32, np.int32, np.bool_)
    assert len(encoded.ids) == len(encoded.labels) == len(encoded.special) == len(encoded)
    assert tokenizer.decode(encoded.ids[encoded.special].tolist(), special=True) == "<|im_start|><|im_end|>" * 2
    assert encoded.trained == np.count_nonzero(encoded.labels != IGNORED)


@pytest.mark.parametrize(
    ("row", "learned"),
    [
        (Row("l", "label", [user("Where is it?")], label="delivery"), "delivery<|im_end|>"),
        (Row("p", "preference", [user("Hi")], chosen=[assistant("Yes")], rejected=[assistant("No")]), "Yes<|im_end|>"),
        (Row("f", "feedback", [user("Hi"), assistant("Fine")], label="true"), "Fine<|im_end|>"),
    ],
)
def test_every_kind_of_answer_is_learned(tokenizer, row, learned):
    assert texts(tokenizer, encode_row(tokenizer, row, loss_on="all", cutoff=100))[1] == learned


def test_no_tools_and_an_empty_list_of_tools_are_the_same(tmp_path):
    tokenizer = ModelTokenizer.load(tiny_tokenizer(tmp_path, template="{{ tools is none }}" + CHATML))
    row = Row("a", "chat", [user("Hi"), assistant("Yes")], tools=[])
    assert texts(tokenizer, encode_row(tokenizer, row, cutoff=100))[0].startswith("True")


def test_rows_are_cut_at_the_end_and_counted(tokenizer):
    row = chat("a", "Hello", SENTENCES[0])
    whole = encode_row(tokenizer, row, cutoff=1000)
    cut = encode_row(tokenizer, row, cutoff=len(whole) - 3)
    assert cut.ids.tolist() == whole.ids[:-3].tolist() and cut.labels.tolist() == whole.labels[:-3].tolist()
    assert cut.cut == 3 and len(cut.special) == len(cut)
    encoded, report = encode_rows(tokenizer, [row, chat("b", "Hi", "Yes")], cutoff=len(whole) - 3)
    assert (report.rows, report.sequences, report.cut_rows, report.cut_tokens) == (2, 2, 1, 3)
    assert report.tokens == sum(map(len, encoded)) and report.longest == len(whole) - 3
    assert report.trained_tokens == sum(row.trained for row in encoded)


def test_long_texts_are_split_and_nothing_is_lost(tokenizer):
    text = " ".join(SENTENCES)
    whole = encode_row(tokenizer, Row("t", "text", text=text), cutoff=10)
    assert tokenizer.decode(whole.ids.tolist(), special=True) == text + "<|im_end|>"
    assert whole.labels.tolist() == whole.ids.tolist()
    encoded, report = encode_rows(tokenizer, [Row("t", "text", text=text)], cutoff=10)
    assert np.concatenate([piece.ids for piece in encoded]).tolist() == whole.ids.tolist()
    assert all(len(piece) <= 10 and piece.row_id == "t" for piece in encoded)
    assert (report.rows, report.cut_tokens, report.sequences) == (1, 0, len(encoded))


def test_texts_begin_as_the_tokenizer_begins_texts(tmp_path):
    from tokenizers.processors import TemplateProcessing

    folder = tiny_tokenizer(tmp_path, special=("<s>", *SPECIAL), bos="<s>")
    backend = ModelTokenizer.load(folder).backend
    backend.post_processor = TemplateProcessing(
        single="<s> $0 <|im_end|>", special_tokens=[("<s>", 0), ("<|im_end|>", 3)]
    )
    backend.save(str(folder / "tokenizer.json"))
    tokenizer = ModelTokenizer.load(folder)
    encoded = encode_row(tokenizer, Row("t", "text", text="Hello"), cutoff=100)
    assert texts(tokenizer, encoded)[0] == "<s>Hello<|im_end|>"
    assert texts(tokenizer, encode_row(tokenizer, chat("a", "Hello", "Yes"), cutoff=100))[0].startswith("<|im_start|>")


def test_rows_that_train_nothing_are_left_out_counted_and_named(tokenizer):
    rows = [
        chat("good", "Hello", "Rome"),
        chat("late", " ".join(SENTENCES), "Rome"),
        Row("bad", "feedback", [user("Hi"), assistant("No")], label="false"),
        Row("call", "chat", [user("Hi"), assistant("", tool_calls=[CALL])]),
        Row("open", "chat", [user("Hi")]),
        Row("empty", "text", text=""),
    ]
    encoded, report = encode_rows(tokenizer, rows, cutoff=40)
    assert [row.row_id for row in encoded] == ["good"]
    assert (report.rows, report.nothing) == (6, 5)
    assert list(report.reasons) == ["late", "bad", "call", "open", "empty"]
    assert "cut-off of 40" in report.reasons["late"] and "judged bad" in report.reasons["bad"]
    assert "tool call" in report.reasons["call"] and "no answer" in report.reasons["open"]


def test_a_set_that_trains_nothing_is_refused(tokenizer):
    with pytest.raises(Refused) as refusal:
        encode_rows(tokenizer, [chat("a", "Hello", "Rome")] * 3, cutoff=2)
    assert "3 rows" in refusal.value.why and "Row a" in refusal.value.why and "--cutoff" in refusal.value.next
    with pytest.raises(Refused, match="no rows"):
        encode_rows(tokenizer, [], cutoff=100)


def test_a_model_without_a_template_refuses_the_whole_set_and_not_each_row(tmp_path):
    tokenizer = ModelTokenizer.load(tiny_tokenizer(tmp_path, template=None))
    with pytest.raises(BadInput, match="no chat template"):
        encode_rows(tokenizer, [chat("a", "Hello", "Rome")], cutoff=100)
    assert len(encode_rows(tokenizer, [Row("t", "text", text="Hello")], cutoff=100)[0]) == 1


def test_answers_that_nothing_closes_are_counted(tmp_path):
    family = next(family for family in FAMILIES if family.name == "glm")
    tokenizer = ModelTokenizer.load(family.write(tmp_path))
    row = Row("a", "chat", [user("Hi"), assistant("Yes"), user("And?"), assistant("No")])
    assert encode_rows(tokenizer, [row], cutoff=100)[1].open_answers == 1


def test_rows_come_in_order_one_by_one_and_as_they_come_alone(tokenizer):
    rows = [
        Row(str(n), "text", text=f"Text {n}") if n % 3 == 0 else chat(str(n), f"What is {n}?", f"It is {n}.")
        for n in range(600)
    ]
    taken = []

    def source():
        for row in rows:
            taken.append(row.row_id)
            yield row

    report = Report()
    stream = encode_stream(tokenizer, source(), report, cutoff=100)
    first = next(stream)
    assert len(taken) < 300
    encoded = [first, *stream]
    assert [row.row_id for row in encoded] == [row.row_id for row in rows]
    for row, one in zip(rows[::50], encoded[::50], strict=True):
        alone = encode_row(tokenizer, row, cutoff=100)
        assert alone.ids.tolist() == one.ids.tolist() and alone.labels.tolist() == one.labels.tolist()
    assert report.rows == 600 and report.nothing == 0


def test_encoding_keeps_up(tokenizer):
    rows = [chat(str(n), f"{n} {' '.join(SENTENCES[:3])} {n}", f"{' '.join(SENTENCES[1:4])} {n}") for n in range(1500)]
    start = time.process_time()
    _, report = encode_rows(tokenizer, rows, cutoff=1000)
    rate = report.rows / (time.process_time() - start) * 60
    print(f"{rate:,.0f} rows of {report.tokens / report.rows:.0f} tokens a minute of processor time")
    assert rate > 5_000
