"""The words of a version for searching: which rows may hold a piece of text, and what they say.

One SQLite file: an FTS5 index of every three characters that follow one another (`trigram`), which says of a search
which rows have its pieces; and the rows' texts in lower case, 32 a block, compressed, to look whether a row that has
the pieces has them in a line. Of positions the index keeps none, which makes it six times smaller. Behind each text
two line ends are indexed, so that one or two characters begin some piece wherever they stand.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from studio.datasets.browsing.columns import TALKS
from studio.datasets.rows import batches
from studio.errors import Broken

PIECE = 3  # characters
PAD = "\n" * (PIECE - 1)
MOST_PIECES = 24  # of long words so many are looked at,
MOST_ASKED = 8  # and the rarest are asked for: they leave few rows, and their lists are short
MOST_SHORT = 30_000  # places of one or two characters that are listed; where there are more, any row may have them
SAMPLED = 4  # blocks in which pieces are counted to tell which are rare
BLOCK_ROWS = 32
BATCH_ROWS, BATCH_CHARACTERS = 2048, 16 << 20  # held at once, of long texts fewer
HELD_BYTES = 64 << 20  # of the index in memory before it is written out
SCHEMA = f"""
    PRAGMA page_size = 16384; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
    CREATE TABLE about (stamp TEXT, rows INTEGER);
    CREATE TABLE blocks (number INTEGER PRIMARY KEY, body BLOB);
    CREATE VIRTUAL TABLE pieces USING fts5(
        said, content = '', columnsize = 0, detail = none, tokenize = 'trigram case_sensitive 1');
    INSERT INTO pieces(pieces, rank) VALUES ('hashsize', {HELD_BYTES});
    INSERT INTO pieces(pieces, rank) VALUES ('automerge', 0);
"""
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
Numbers = npt.NDArray[np.int64]


def fold(words: str) -> str:
    """Text as it is compared: in lower case, whatever form a Greek sigma has."""
    return words.lower().replace("ς", "σ")


def asked(words: str) -> str:
    """The words asked for without what no text has: zero bytes and halves of characters."""
    return words.replace("\0", "").encode("utf-8", "ignore").decode()


def said(content: dict[str, Any]) -> str:
    """What a search looks through, folded: what turns say, think and call, the text and the label."""
    parts: list[str] = []
    for name in TALKS:
        for turn in content.get(name) or []:
            parts.append(turn.get("content") or "")
            if turn.get("reasoning_content"):
                parts.append(str(turn["reasoning_content"]))
            if turn.get("tool_calls"):
                parts.append(json.dumps(turn["tool_calls"], ensure_ascii=False))
    parts += [content[name] for name in ("text", "label") if content.get(name)]
    return fold("\n".join(parts))


def build(path: Path, target: Path, stamp: str, progress: Callable[[int], None]) -> None:
    """Makes the index of a version.

    Args:
        path: the version's Parquet file.
        target: the file to make; half-made ones have no stamp.
        stamp: what tells this version's file from any other.
        progress: called with the rows done.
    """
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        connection.executescript(SCHEMA)
        connection.execute("BEGIN")
        done = 0
        for texts in _texts(path):
            padded = ((number, text + PAD) for number, text in enumerate(texts, done))
            connection.executemany("INSERT INTO pieces(rowid, said) VALUES (?, ?)", padded)
            blocks = [_packed(texts[at : at + BLOCK_ROWS]) for at in range(0, len(texts), BLOCK_ROWS)]
            connection.executemany("INSERT INTO blocks VALUES (?, ?)", enumerate(blocks, done // BLOCK_ROWS))
            done += len(texts)
            progress(done)
        connection.execute("INSERT INTO about VALUES (?, ?)", (stamp, done))
        connection.execute("COMMIT")


def _texts(path: Path) -> Iterator[list[str]]:
    """What the rows say, always so many that blocks are full, but for the last."""
    names = [*TALKS, "text", "label"]
    held: list[str] = []
    size = 0
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in batches(file, BATCH_ROWS, names):
            for row in batch.to_pylist():
                held.append(
                    said({name: json.loads(row[name]) if row[name] and name in TALKS else row[name] for name in names})
                )
                size += len(held[-1])
                if len(held) % BLOCK_ROWS == 0 and (len(held) >= BATCH_ROWS or size >= BATCH_CHARACTERS):
                    yield held
                    held, size = [], 0
    if held:
        yield held


def _packed(texts: list[str]) -> bytes:
    """A block: how long each text is in bytes, four bytes each, then all of them compressed."""
    encoded = [text.encode() for text in texts]
    lengths = np.array([len(text) for text in encoded], np.uint32)
    return lengths.tobytes() + pa.Codec("zstd", 1).compress(b"".join(encoded), asbytes=True)


def pieces(words: str) -> list[str]:
    """The pieces of the words, two dozen spread over long ones; none for fewer than three characters."""
    starts = list(range(len(words) - PIECE + 1))
    if len(starts) > MOST_PIECES:
        starts = [starts[round(at * (len(starts) - 1) / (MOST_PIECES - 1))] for at in range(MOST_PIECES)]
    return list(dict.fromkeys(words[start : start + PIECE] for start in starts))


class FullText:
    """The index of one version, for reading.

    Args:
        path: the SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as connection:
            found = connection.execute("SELECT stamp, rows FROM about").fetchone()
        if found is None:
            raise ValueError(f"{path} was never finished.")
        self.stamp, self.rows = str(found[0]), int(found[1])
        self.sample: bytes | None = None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Throws a damaged index away: the next search reads the version itself, until there is a new one.

        What else SQLite complains of (a busy disk, no memory, a question it does not understand) leaves it alone.
        """
        try:
            with closing(sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise Broken(
                    "The index for searching can't be read.", f"{self.path.name}: {error}.", "Search again."
                ) from error
            self.path.unlink(missing_ok=True)
            raise Broken(
                "The index for searching was damaged.",
                f"{self.path.name}: {error}. Nothing of the dataset is lost: the index is made from it.",
                "Search again.",
            ) from error

    def candidates(self, words: str) -> tuple[Numbers, bool]:
        """The numbers of the rows that have pieces of the words, and whether that makes it sure that they hold them."""
        wanted = pieces(words)
        with self._open() as connection:
            if not wanted:
                return self._beginning(connection, words)
            rare = sorted(wanted, key=lambda piece: self._sample(connection).count(piece.encode()))[:MOST_ASKED]
            query = " AND ".join('"' + piece.replace('"', '""') + '"' for piece in rare)
            sql = "SELECT group_concat(rowid) FROM pieces WHERE pieces MATCH ?"
            (found,) = connection.execute(sql, (query,)).fetchone()
        numbers = np.fromstring(found, np.int64, sep=",") if found else np.empty(0, np.int64)
        return numbers, len(words) == PIECE and "\n" not in words

    def _beginning(self, connection: sqlite3.Connection, words: str) -> tuple[Numbers, bool]:
        """The same for words too short for a piece: rows with a piece that begins with them; all rows where these are
        many, as then a look at some of them finds enough."""
        connection.execute("CREATE VIRTUAL TABLE temp.places USING fts5vocab(main, pieces, instance)")
        sql = "SELECT doc FROM places WHERE term >= ? AND term <= ? LIMIT ?"
        found = connection.execute(sql, (words, words + "\U0010ffff", MOST_SHORT + 1)).fetchall()
        if len(found) > MOST_SHORT:
            return np.arange(self.rows), False
        return np.unique(np.array(found, np.int64)), "\n" not in words

    def _sample(self, connection: sqlite3.Connection) -> bytes:
        """What some rows say, read once."""
        if self.sample is None:
            last = max(0, self.rows - 1) // BLOCK_ROWS
            blocks = {last * at // SAMPLED for at in range(SAMPLED)}
            self.sample = b"".join(self._block(connection, number)[0] for number in sorted(blocks))
        return self.sample

    def holds(self, numbers: Numbers, words: str) -> npt.NDArray[np.bool_]:
        """Which of these rows say the words. Quickest where rows of one block follow each other."""
        needle = words.encode()
        found = np.zeros(len(numbers), np.bool_)
        if not len(numbers):
            return found
        homes = numbers // BLOCK_ROWS
        starts = np.flatnonzero(np.diff(homes, prepend=-1))
        with self._open() as connection:
            for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(numbers)], strict=True):
                body, ends = self._block(connection, int(homes[start]))
                for at in range(start, end):
                    place = int(numbers[at]) % BLOCK_ROWS
                    found[at] = body.find(needle, ends[place], ends[place + 1]) >= 0
        return found

    def _block(self, connection: sqlite3.Connection, number: int) -> tuple[bytes, list[int]]:
        found = connection.execute("SELECT body FROM blocks WHERE number = ?", (number,)).fetchone()
        if found is None:
            raise sqlite3.DatabaseError(f"block {number} is missing")
        (blob,) = found
        count = min(BLOCK_ROWS, self.rows - number * BLOCK_ROWS)
        lengths = np.frombuffer(blob, np.uint32, count)
        ends = [0, *np.cumsum(lengths).tolist()]
        return _codec().decompress(memoryview(blob)[4 * count :], ends[-1], asbytes=True), ends


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is at fault; what has no code of SQLite was found here."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF in DAMAGE or code == sqlite3.SQLITE_IOERR_SHORT_READ


@lru_cache(maxsize=1)
def _codec() -> pa.Codec:
    return pa.Codec("zstd", 1)
