"""Documents become clean text, cut at their headings; nothing of it is lost, and a document stays on one side."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import docx
import pptx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.datasets.importing.steps import import_file
from studio.datasets.reading.documents import pdf as pdf_reader
from studio.datasets.reading.documents.pieces import Section, pieces, split, tidy
from studio.datasets.reading.readers import open_reader
from studio.datasets.reading.records import Cut, Reading
from studio.datasets.store import Dataset
from studio.errors import Refused
from studio.settings.importing import ImportSettings
from tests.studio.datasets.malformed import pdf, pdf_in_sizes

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WORDS = st.lists(st.text("abcdefäöü字漢.!?", min_size=1, max_size=12), min_size=1, max_size=120).map(
    lambda words: " ".join(f"{number}{word}" for number, word in enumerate(words))
)

SAID = st.text("abc xyz<>&äß字日é!", min_size=1, max_size=40).map(lambda text: " ".join(text.split())).filter(bool)
# What Helvetica has in a PDF's own encoding; a line of figures alone is taken for a page's number.
LINE = st.text("abcXYZ ()\\,;:?%&<>/", min_size=1, max_size=60).map(lambda text: " ".join(text.split())).filter(bool)


def read(path: Path, **cut) -> list[dict]:
    return [record.values or {} for record in open_reader(path, Reading(cut=Cut(**cut))).records()]


@QUICK
@given(text=WORDS, size=st.integers(20, 200), overlap=st.integers(0, 80), words=st.booleans())
def test_a_text_is_cut_without_loss_and_never_too_long(text, size, overlap, words):
    cut = Cut(size, min(overlap, size // 2), words)
    found = list(split(text, cut))
    assert all(cut.length(piece) <= size for piece in found)
    at = 0
    for piece in found:  # each begins within the one before or right behind it
        behind = len(text) - len(text[at:].lstrip())
        start = text.rfind(piece, 0, behind + len(piece))
        assert start >= 0
        at = max(at, start + len(piece))
    assert not text[at:].strip()
    if not cut.overlap:
        assert "".join("".join(found).split()) == "".join(text.split())


def test_pieces_overlap_only_where_a_section_is_cut():
    long = Section(("A",), "".join(f"Sentence {n} is here. " for n in range(40)), 3)
    found = list(
        pieces(iter([Section(("B",), "Short.", 1), Section(("B", "C"), "Also short.", 2), long]), Cut(200, 60))
    )
    assert found[0] == (("B",), "Short.\n\nAlso short.", 1, 1)
    assert len({piece.part for piece in found[1:]}) == 1 and len(found) > 4
    assert found[1].text.endswith("Sentence 9 is here.") and found[2].text.startswith("Sentence 7 is here.")


@settings(QUICK, max_examples=20)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.text("abc xyz<>&äß字", min_size=1, max_size=40)), min_size=1, max_size=8)
)
def test_word_and_markdown_and_html_round_trip(tmp_path, parts):
    parts = [(level, " ".join(text.split())) for level, text in parts if text.split()]
    if not parts:
        return
    document = docx.Document()
    for number, (level, text) in enumerate(parts):
        document.add_heading(f"H{number}", level)
        document.add_paragraph(text)
    document.save(tmp_path / "a.docx")
    escaped = [(level, text.replace("&", "&amp;").replace("<", "&lt;")) for level, text in parts]
    page = "".join(f"<h{level}>H{n}</h{level}><p>{text}</p>" for n, (level, text) in enumerate(escaped))
    (tmp_path / "a.html").write_text(f"<html><body>{page}</body></html>", encoding="utf-8")
    notes = "".join(f"{'#' * level} H{n}\n\n{text}\n\n" for n, (level, text) in enumerate(parts))
    (tmp_path / "a.md").write_text(notes, encoding="utf-8")
    for name in ("a.docx", "a.html", "a.md"):
        text = "\n\n".join(row["text"] for row in read(tmp_path / name)).replace("#", "")
        said = [line.strip() for line in text.split("\n") if line.strip()]
        assert said == [line for number, (_, text) in enumerate(parts) for line in (f"H{number}", text)], name


def test_a_web_page_is_read_without_what_is_around_it(tmp_path):
    path = tmp_path / "a.html"
    path.write_text(
        "<html><head><title>Site</title><style>p{}</style></head><body><nav>Menu</nav><script>alert(1)</script>"
        "<h1>Fever</h1><p>Take <b>rest</b>,<br>drink.</p><ul><li>Tea<li>Water</ul><pre>a\n  b</pre>"
        "<h2>Children</h2><table><tr><td>1<td>2</table><p>Write &lt;script&gt; as text.</p><footer>Imprint</footer>"
    )
    (whole,) = read(path)
    assert whole["text"] == (
        "Fever\n\nTake rest,\ndrink.\n\n- Tea\n- Water\n\na\n  b\n\nChildren\n\n1 | 2 |\n\nWrite <script> as text."
    )
    assert [row["heading"] for row in read(path, size=60, overlap=0)] == ["Fever", "Fever › Children"]


def test_slides_have_their_titles_tables_and_notes(tmp_path):
    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[1])
    slide.shapes.title.text = "Doses"
    slide.placeholders[1].text = "Half a pill"
    slide.notes_slide.notes_text_frame.text = "Say it slowly."
    show.save(tmp_path / "a.pptx")
    (row,) = read(tmp_path / "a.pptx")
    assert (row["text"], row["heading"], row["slide"]) == ("Doses\n\nHalf a pill\n\nSay it slowly.", "Doses", 1)


@settings(QUICK, max_examples=20)
@given(
    slides=st.lists(st.tuples(SAID, st.lists(SAID, min_size=1, max_size=4), SAID | st.just("")), min_size=1, max_size=5)
)
def test_slides_round_trip(tmp_path, slides):
    """Title, paragraphs and notes of every slide, in their order, and nothing else."""
    show = pptx.Presentation()
    for title, paragraphs, notes in slides:
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = "\n".join(paragraphs)
        if notes:
            slide.notes_slide.notes_text_frame.text = notes
    show.save(tmp_path / "a.pptx")
    rows = read(tmp_path / "a.pptx", size=1000, overlap=0)
    said = [line for row in rows for line in row["text"].split("\n") if line]
    assert said == [line for title, paragraphs, notes in slides for line in (title, *paragraphs, notes) if line]
    titles = [title for title, _, _ in slides]
    assert all(row["heading"] == titles[row["slide"] - 1] for row in rows if " › " not in row["heading"])


@settings(QUICK, max_examples=30)
@given(pages=st.lists(st.lists(LINE, max_size=12), min_size=1, max_size=6))
def test_pages_of_a_pdf_round_trip(tmp_path, pages):
    """Every letter of every page, in its order; each page begins and ends with lines that no other one has."""
    written = [
        [f"{word} begins", f"{word} goes on", *lines, f"so much of {word}", f"here ends {word}"]
        for word, lines in zip(("one", "two", "three", "four", "five", "six"), pages, strict=False)
    ]
    (tmp_path / "a.pdf").write_bytes(pdf(*("\n".join(map(escaped, lines)) for lines in written)))
    rows = read(tmp_path / "a.pdf", size=100, overlap=0)
    assert "".join(bare(row["text"]) for row in rows) == "".join(bare(line) for lines in written for line in lines)
    for row in rows:
        assert bare(row["text"][:20]) in bare(" ".join(written[row["page"] - 1]))


def escaped(line: str) -> str:
    """A line as a PDF's string has it."""
    return re.sub(r"([()\\])", r"\\\1", line)


def bare(text: str) -> str:
    return "".join(text.split())


def test_a_pdf_loses_its_running_heads_and_its_hyphens(tmp_path):
    body = "This line of the page is long and goes on over its end with a hy-\nphen and then it goes on to the next"
    pages = [
        f"Annual report\n{body}\nline and ends on page {word}.\n{n}" for n, word in enumerate(("a", "b", "c", "d"), 7)
    ]
    (tmp_path / "a.pdf").write_bytes(pdf(*pages))
    rows = read(tmp_path / "a.pdf", size=200, overlap=0)
    assert [row["page"] for row in rows] == [1, 2, 3, 4]
    assert rows[1]["text"].endswith("with a hyphen and then it goes on to the next line and ends on page b.")
    assert not any("Annual" in row["text"] or row["text"].strip().endswith("8") for row in rows)
    assert pdf_reader.clean("- one\n- two\n3", set()) == "- one\n- two"


def test_a_pdf_without_a_table_of_contents_has_its_larger_lines_as_headings(tmp_path):
    """As they are set: in a larger font, or in the same one made larger by its matrix."""
    take, rest, drink = (f"{word} in the morning and then again in the evening, and a third time at night, if you must"
                         for word in ("Take it", "Lie down", "Drink"))  # fmt: skip
    book = [
        [(24, "A small handbook"), (11, take)],
        [(16, "Fever"), (11, rest), (13, "In children"), (11, "Less of it."), (13, "In old people"), (11, drink)],
        [
            (11, f"{take}."),
            (16, "What to do"),
            (16, "at night"),
            (11, "Sleep well."),
            (16, "It is set large and ends."),
        ],
    ]
    (tmp_path / "a.pdf").write_bytes(pdf_in_sizes(*book))
    rows = read(tmp_path / "a.pdf", size=115, overlap=0)
    top = "A small handbook"
    assert [(row["page"], row["heading"]) for row in rows] == [
        (1, top), (2, f"{top} › Fever"), (2, f"{top} › Fever › In children"), (2, f"{top} › Fever › In old people"),
        (3, f"{top} › Fever › In old people"), (3, f"{top} › What to do at night"),
    ]  # fmt: skip
    assert rows[2]["text"] == "In children\nLess of it."
    assert rows[-1]["text"] == "What to do\nat night\nSleep well.\nIt is set large and ends."


def test_a_pdf_in_one_size_has_no_headings(tmp_path):
    (tmp_path / "a.pdf").write_bytes(pdf("Short\nAnother line of text\nThird", "Next page\nwith more text"))
    assert {row["heading"] for row in read(tmp_path / "a.pdf")} == {""}


def test_front_matter_and_code_are_no_headings(tmp_path):
    (tmp_path / "a.md").write_text("---\ntitle: x\n---\nIntro\n\nTop\n===\n\n```\n# no\n```\n\n## Sub ##\nend\n")
    rows = read(tmp_path / "a.md", size=30, overlap=0)
    assert [row["heading"] for row in rows] == ["", "Top", "Top › Sub"]
    assert "title" not in rows[0]["text"] and "# no" in rows[1]["text"]


def test_tidy_keeps_text_and_drops_what_can_not_be_seen():
    assert tidy("a\u00a0b\u00adc\0 \r\n\n\n\n d\ud800") == "a bc\n\n d"


@pytest.mark.parametrize("count", [2, 8])
def test_a_document_stays_on_one_side_and_overlapping_pieces_do_always(workspace, tmp_path, count):
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(count):
        text = "".join(f"# Part {n}\n\n" + f"Sentence {number} of part {n}. " * 30 + "\n\n" for n in range(9))
        (folder / f"d{number}.md").write_text(text)
    import_file(workspace, ImportSettings(source=[str(folder)], name="set", chunk=300, overlap=100))
    rows = list(Dataset.open(workspace, "set").rows())
    sides: dict[tuple, set[str]] = {}
    for row in rows:
        key = (row.extra["document"],) if count > 2 else (row.extra["document"], row.extra["heading"])
        sides.setdefault(key, set()).add(row.split)
    assert all(len(found) == 1 for found in sides.values())
    assert {row.split for row in rows} == {"train", "validation", "test"}
    assert {row.source_file for row in rows} == {f"d{number}.md" for number in range(count)}


def test_a_missing_library_says_the_command_that_installs_it(tmp_path, monkeypatch):
    (tmp_path / "a.pdf").write_bytes(pdf("text"))
    monkeypatch.setitem(sys.modules, "pypdf", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Refused, match=r"launch\.py setup --extra documents"):
        open_reader(tmp_path / "a.pdf")
