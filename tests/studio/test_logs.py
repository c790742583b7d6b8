"""Append-only logs: whole lines, torn lines, offsets, kill -9 of the writer."""

import json
import math
import os
import signal
import subprocess
import sys
import time

from hypothesis import given
from hypothesis import strategies as st

from studio import logs
from studio.logs import Log

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(min_size=1).filter(lambda k: k not in ("type", "time")), VALUES, max_size=4)))
def test_what_is_appended_is_read_back(tmp_path_factory, fields):
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    with Log(path) as log:
        for values in fields:
            log.append("thing", **values)
    lines, end = logs.read(path)
    assert [{k: v for k, v in line.items() if k not in ("type", "time")} for line in lines] == [
        logs.plain(values) for values in fields
    ]
    assert end == path.stat().st_size
    assert logs.last(path) == (lines[-1] if lines else None)


def test_numbers_json_can_not_hold_become_null(tmp_path):
    with Log(tmp_path / "m.jsonl") as log:
        log.append("step", loss=math.nan, rows=[math.inf, 1.5])
    line = json.loads((tmp_path / "m.jsonl").read_text())
    assert line["loss"] is None and line["rows"] == [None, 1.5]


@given(st.lists(st.binary(max_size=40).filter(lambda b: b"\n" not in b), max_size=5), st.binary(max_size=30))
def test_a_torn_last_line_is_not_read_and_is_cut_off_by_the_next_writer(tmp_path_factory, lines, torn):
    torn = torn.replace(b"\n", b"")
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    whole = b"".join(line + b"\n" for line in lines) + b'{"type": "kept"}\n'
    path.write_bytes(whole + torn)
    read, end = logs.read(path)
    assert end == len(whole) and read[-1] == {"type": "kept"} and logs.last(path) == {"type": "kept"}
    with Log(path) as log:
        log.append("next")
    assert path.read_bytes().startswith(whole + b'{"type": "next"')


def test_reading_goes_on_from_an_offset(tmp_path):
    path = tmp_path / "events.jsonl"
    assert logs.read(path) == ([], 0)
    with Log(path) as log:
        log.append("one")
        _, offset = logs.read(path)
        log.append("two")
        with open(path, "ab") as file:
            file.write(b'{"type": "thr')
        lines, offset = logs.read(path, offset)
        assert [line["type"] for line in lines] == ["two"]
        assert logs.read(path, offset) == ([], offset)


def test_a_long_log_is_read_in_parts_of_whole_lines(tmp_path):
    path = tmp_path / "events.jsonl"
    with Log(path) as log:
        log.append("one", words="w" * 100)
        log.append("two")
    with open(path, "ab") as file:
        file.write(b"no JSON\n" * 50 + b'{"type": "three"}\n{"type": "torn')
    found, offset = [], 0
    while lines := (part := logs.read(path, offset, 20))[0]:
        found.append([line["type"] for line in lines])
        offset = part[1]
    assert found == [["one"], ["two"], ["three"]] and logs.read(path)[1] == offset
    assert offset == path.stat().st_size - len(b'{"type": "torn')


def test_the_last_line_is_found_behind_a_very_long_one(tmp_path):
    path = tmp_path / "events.jsonl"
    with Log(path) as log:
        log.append("first")
        log.append("long", text="x" * (3 * logs.BLOCK))
    assert logs.last(path)["type"] == "long"
    with open(path, "ab") as file:
        file.write(b"no json\n[1]\n")
    assert logs.last(path)["type"] == "long"


WRITER = """
import sys
from pathlib import Path
from studio.logs import Log
log = Log(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    log.append("line", number=number, text="ä" * 300)
"""


def test_a_killed_writer_leaves_whole_lines_only(tmp_path):
    path = tmp_path / "events.jsonl"
    written = 0
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        deadline = time.monotonic() + 30
        while (path.stat().st_size if path.exists() else 0) < written + 50_000 and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        written = path.stat().st_size
        assert written
    with Log(path) as log:
        log.append("end")
    raw = path.read_bytes().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in raw)
    assert json.loads(raw[-1])["type"] == "end"


def test_a_tail_gives_each_line_once_and_notices_another_file(tmp_path):
    path = tmp_path / "events.jsonl"
    tail = logs.Tail(path)
    assert tail.more() == ([], False)
    with Log(path) as log:
        log.append("one")
        assert [line["type"] for line in tail.more()[0]] == ["one"]
        log.append("two")
    with open(path, "ab") as file:
        file.write(b'{"type": "torn')
    assert [line["type"] for line in tail.more()[0]] == ["two"] and tail.more() == ([], False)
    path.rename(tmp_path / "old")
    assert tail.more() == ([], True)
    with Log(path) as log:
        log.append("other", words="x" * 1000)
    lines, anew = tail.more()
    assert anew and [line["type"] for line in lines] == ["other"]
