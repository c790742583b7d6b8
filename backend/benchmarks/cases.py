"""The file that is imported: made-up questions and answers of a kilobyte, here and there in other scripts or with
quotation marks, and the thirty searches that people might make in it."""

from __future__ import annotations

import json
import random
from pathlib import Path

from studio.datasets.store import Dataset

SENTENCES, SENTENCE_WORDS, ROW_SENTENCES = 20_000, 12, 14
SYLLABLES = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
COMMON = ["the", "of", "and", "to", "in", "is", "that", "it", "for", "was", "on", "are", "as", "with", "they", "be"]
TOPICS = ["billing", "shipping", "returns", "repair"]
FOREIGN = [
    "Вчера посылка не пришла, и никто не знает почему.",
    "Το δέμα δεν έφτασε ποτέ στη διεύθυνση.",
    "包裹昨天没有送到，请尽快回复。",
    "لم يصل الطرد إلى العنوان حتى الآن.",
    'She wrote “it never came” and "please call me" twice.',
    "It's the customer's parcel, isn't it?",
]
TIMES = 35  # each of them so often among the sentences: about one row of forty has it

FREQUENT = ["the", "that", "they", "with"]
ABSENT = ["xylophone", "no such words stand here"]
SHORT = ["e", "w", "ka", "rc", "qj"]  # in nearly all rows, in many, in few, in none
SCRIPTS = ["посылка", "δέμα", "包裹", "الطرد"]
QUOTED = ["“it never came”", '"please call', "isn't it?"]
SAMPLED = 3  # rows whose words, phrases and sentences are looked for


def write(path: Path, rows: int) -> Path:
    """The file; the same at every call."""
    draw = random.Random(7)
    words = COMMON * 40 + ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))) for _ in range(12_000)]
    sentences = [" ".join(draw.choices(words, k=SENTENCE_WORDS)) + "." for _ in range(SENTENCES)] + FOREIGN * TIMES
    with open(path, "w", encoding="utf-8") as file:
        for number in range(rows):
            question, *answer = draw.choices(sentences, k=ROW_SENTENCES)
            row = {"question": f"Case {number}: {question}", "answer": " ".join(answer), "domain": TOPICS[number % 4]}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def searches(dataset: Dataset) -> list[str]:
    """Thirty: frequent words and rare ones, words in a line, sentences, one and two letters, other scripts, quotation
    marks, and what no row has."""
    rows = int(dataset.version_info()["rows"])
    draw = random.Random(3)
    some = [draw.randrange(rows) for _ in range(SAMPLED)]
    said = [str((row.messages or [])[-1]["content"]).split() for row in dataset.at(1, some)]
    rare = [f"Case {number}:" for number in some]
    words = [text[3] for text in said]
    phrases = [" ".join(text[5:8]) for text in said]
    sentences = [" ".join(text[12:24]) for text in said]
    asked = [*FREQUENT, *rare, *words, *phrases, *sentences, *SHORT, *SCRIPTS, *QUOTED, *ABSENT]
    return list(dict.fromkeys(asked))
