"""Malformed files are read as far as they make sense or refused in words; a dataset there is stays as it was."""

from __future__ import annotations

import hashlib
import time
import zipfile
from pathlib import Path

import pytest

from studio.datasets.importing.sources import find
from studio.datasets.importing.steps import import_file
from studio.datasets.reading import decoding
from studio.datasets.reading.readers import open_reader
from studio.datasets.store import Dataset
from studio.errors import StudioError
from studio.settings.importing import ImportSettings
from tests.studio.datasets.malformed import SOUND, bomb, files, locked_pdf, locked_zip, packed, pdf


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def bring(workspace, source: Path, **given) -> Dataset:
    import_file(workspace, ImportSettings(source=[str(source)], name="set", **given))
    return Dataset.open(workspace, "set")


def test_the_sound_files_are_sound(tmp_path):
    for kind, data in SOUND.items():
        path = tmp_path / f"a.{'arrow' if kind == 'arrows' else kind}"
        path.write_bytes(data)
        records = list(open_reader(path).records())
        assert records and all(record.values for record in records), kind


def test_three_hundred_malformed_files_break_nothing(workspace, tmp_path):
    good = tmp_path / "good.jsonl"
    good.write_bytes(SOUND["jsonl"])
    before = tree(bring(workspace, good).folder)
    started, refused, read = time.monotonic(), 0, 0
    for name, data in files():
        path = tmp_path / name
        path.write_bytes(data)
        try:
            records = list(open_reader(path).records())
            assert all(record.values is not None or record.problem for record in records), name
            read += 1
        except StudioError as error:
            assert error.what and error.why and error.next, name
            refused += 1
    print(f"{refused} of {refused + read} refused in {time.monotonic() - started:.1f} s")
    assert refused + read >= 300 and refused >= 100
    # Some of them all the way through the import of a further version.
    for name, data in list(files(seed=9, each=2))[::2]:
        path = tmp_path / name
        path.write_bytes(data)
        try:
            bring(workspace, path)
        except StudioError as error:
            assert error.what and error.why and error.next, name
        else:  # it was not broken enough: a version of its own, the first untouched
            continue
    assert {name: digest for name, digest in tree(workspace.datasets / "set").items() if name in before} | {
        "dataset.json": before["dataset.json"]
    } == before
    assert not [path for path in workspace.datasets.iterdir() if path.name.endswith(".importing")]


def deep(levels: int) -> bytes:
    data = packed({"a.csv": SOUND["csv"]})
    for _ in range(levels):
        data = packed({"inner.zip": data})
    return data


def linked() -> bytes:
    entry = zipfile.ZipInfo("link.csv")
    entry.external_attr = 0o120777 << 16
    import io

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    return out.getvalue()


OFFICE_LOCKED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le") + bytes(600)
REFUSED = {
    "zip bomb": ("a.zip", lambda: bomb(), "would unpack to"),
    "zip in zip in zip": ("a.zip", lambda: deep(3), "one in the other"),
    "path traversal": ("a.zip", lambda: packed({"../../etc/cron.csv": b"a,b\n1,2\n"}), "leads out of the folder"),
    "absolute path": ("a.zip", lambda: packed({"/etc/x.csv": b"a,b\n1,2\n"}), "leads out of the folder"),
    "link in a zip": ("a.zip", linked, "a link to another place"),
    "nothing of use": ("a.zip", lambda: packed({"a.png": b"x"}), "no file with examples"),
    "pdf without text": ("a.pdf", lambda: pdf("", ""), "only pictures of pages"),
    "pdf with a password": ("a.pdf", locked_pdf, "protected by a password"),
    "xlsx with a password": ("a.xlsx", lambda: OFFICE_LOCKED, "protected by a password"),
    "old office": ("a.xls", lambda: OFFICE_LOCKED[:500], "of the old kind"),
    "zip with a password": ("a.zip", locked_zip, "protected by a password"),
    "tables and documents": ("a.zip", lambda: packed({"a.csv": SOUND["csv"], "b.md": b"# A\n\ntext"}), "apart"),
    "doubled columns in arrow": ("a.arrow", lambda: _doubled(), "twice"),
}  # fmt: skip


def _doubled() -> bytes:
    import io

    import pyarrow as pa

    out = io.BytesIO()
    table = pa.table([pa.array(["x"]), pa.array(["y"])], names=["a", "a"])
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_made_to_harm_or_can_not_be_read_is_refused_in_words(workspace, tmp_path, case):
    name, data, words = REFUSED[case]
    path = tmp_path / name
    path.write_bytes(data())
    with pytest.raises(StudioError) as caught:
        bring(workspace, path)
    error = caught.value
    assert words in str(error) and error.what and error.why and error.next
    assert workspace.names("datasets") == []


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "LONGEST", 1 << 16)
    path = tmp_path / "a.jsonl"
    path.write_bytes(SOUND["jsonl"] + b'{"question": "' + b"a" * (1 << 20))
    with pytest.raises(StudioError, match=r"Line 41 of a\.jsonl is too long"):
        list(open_reader(path).records())


@pytest.mark.full
def test_a_line_of_two_gigabytes_is_refused_in_bounded_memory(tmp_path):
    import subprocess
    import sys

    path = tmp_path / "a.jsonl"
    with open(path, "wb") as file:
        file.write(b'{"question": "')
        for _ in range(2048):
            file.write(b"a" * (1 << 20))
    code = (
        "import sys; from pathlib import Path; from studio.datasets.reading.readers import open_reader\n"
        "try: list(open_reader(Path(sys.argv[1])).records())\n"
        "except Exception as error: print(error)\n"
        # Not getrusage: a process begins with the peak of the one that started it.
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert "too long" in done.stdout and int(done.stdout.split()[-1]) < 1_000_000


def test_a_stray_quote_far_down_names_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.datasets.reading.delimited.LONGEST", 1 << 16)
    path = tmp_path / "a.csv"
    with open(path, "w") as file:
        file.write("question,answer\n")
        file.writelines(f"What is {n}?,{n}\n" for n in range(30_000))
        file.write('"What is this?,open\n')
        file.writelines(f"What is {n}?,{n}\n" for n in range(30_000))
    with pytest.raises(StudioError, match="starts at line 30,002 is never closed"):
        list(open_reader(path).records())


def test_five_thousand_columns_are_read(workspace, tmp_path):
    names = ["question", "answer", *(f"c{n}" for n in range(4998))]
    path = tmp_path / "a.csv"
    path.write_text(",".join(names) + "\n" + "\n".join(",".join(f"v{r}" for _ in names) for r in range(20)))
    assert bring(workspace, path).version_info()["rows"] == 20


def test_formulas_in_a_table_are_text_and_in_a_sheet_their_results(tmp_path):
    import openpyxl

    path = tmp_path / "a.csv"
    path.write_text('question,answer\n=1+1,"=HYPERLINK(""http://x"")"\n')
    (record,) = open_reader(path).records()
    assert record.values == {"question": "=1+1", "answer": '=HYPERLINK("http://x")'}
    book = openpyxl.Workbook()
    for row in (["question", "answer"], ["a", "b"], ["c", "=1+1"]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    good, bad = open_reader(tmp_path / "a.xlsx").records()
    assert good.values == {"question": "a", "answer": "b"}
    assert (bad.line, bad.problem) == (3, "cell B3 holds a formula whose result was never saved")


def test_a_link_out_of_the_folder_is_refused_and_one_within_is_passed_over(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.csv").write_bytes(SOUND["csv"])
    (folder / "again.csv").symlink_to(folder / "a.csv")
    (folder / "loop").symlink_to(folder)
    assert [name for name, _ in find([str(folder)]).files] == ["a.csv"]
    (tmp_path / "secret.csv").write_bytes(SOUND["csv"])
    (folder / "out.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(StudioError, match=r"out\.csv in it is a link that leads out of the folder"):
        find([str(folder)])
