"""Three ways to lay rows out in SQLite: restored, read and written in batches. For docs/decisions/0007.

.venv/bin/python -m bench.state_layouts [ROWS]
"""

import os
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_VALUE = os.urandom(600)
_BATCH = 4_000
_BATCHES = 10
_PAGE_BYTES = 8192


@dataclass(frozen=True)
class Layout:
    """How the table is made, filled from a changelog, and written."""

    name: str
    table: str
    fill: Callable[[sqlite3.Connection, Sequence[bytes]], None]
    write: str


def _pieces(keys: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


def _append(db: sqlite3.Connection, table: str, keys: Sequence[bytes]) -> None:
    for piece in _pieces(keys, 10_000):
        db.execute("BEGIN")
        db.executemany(f"INSERT INTO {table} (key, value) VALUES (?, ?)", [(key, _VALUE) for key in piece])  # noqa: S608 - our own names
        db.execute("COMMIT")


def _append_then_index(db: sqlite3.Connection, keys: Sequence[bytes]) -> None:
    _append(db, "rows", keys)
    db.execute("CREATE UNIQUE INDEX rows_by_key ON rows (key)")


def _stage_then_sort(db: sqlite3.Connection, keys: Sequence[bytes]) -> None:
    db.execute("CREATE TABLE staging (id INTEGER PRIMARY KEY, key BLOB, value BLOB)")
    _append(db, "staging", keys)
    db.execute("BEGIN")
    db.execute(
        "INSERT INTO rows SELECT key, value FROM (SELECT key, value, max(id) FROM staging GROUP BY key)"
    )
    db.execute("COMMIT")
    db.execute("DROP TABLE staging")


_ORDERED = "CREATE TABLE rows (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
_REPLACE = "INSERT OR REPLACE INTO rows (key, value) VALUES (?, ?)"
LAYOUTS = (
    Layout(
        "order of arrival, unique index",
        "CREATE TABLE rows (id INTEGER PRIMARY KEY, key BLOB NOT NULL, value BLOB NOT NULL)",
        _append_then_index,
        "INSERT INTO rows (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    ),
    Layout("order of key, staged and sorted", _ORDERED, _stage_then_sort, _REPLACE),
    Layout("order of key, as they come", _ORDERED, lambda db, keys: _append(db, "rows", keys), _REPLACE),
)


def measure(layout: Layout, keys: Sequence[bytes], path: Path) -> str:
    """Return a line of figures: CPU seconds, as the machine may be busy."""
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in (f"page_size = {_PAGE_BYTES}", "journal_mode = WAL", "synchronous = NORMAL"):
        db.execute(f"PRAGMA {pragma}")
    db.execute(layout.table)
    began = time.process_time()
    layout.fill(db, keys)
    filled = time.process_time() - began
    chosen = random.Random(2)  # noqa: S311 - keys to measure with
    read = written = 0.0
    for _ in range(_BATCHES):
        batch = chosen.sample(keys, _BATCH)
        began = time.process_time()
        found = 0
        for piece in _pieces(batch, 500):
            marks = ",".join("?" * len(piece))
            found += len(db.execute(f"SELECT key, value FROM rows WHERE key IN ({marks})", piece).fetchall())  # noqa: S608 - marks alone
        read += time.process_time() - began
        if found != _BATCH:
            raise AssertionError(f"{layout.name}: {found} rows of {_BATCH} found")
        began = time.process_time()
        db.execute("BEGIN")
        db.executemany(layout.write, [(key, _VALUE) for key in batch])
        db.execute("COMMIT")
        written += time.process_time() - began
    db.close()
    count = _BATCH * _BATCHES
    return (
        f"{layout.name:32} restored {len(keys) / filled:9,.0f} rows a second, "
        f"read {read / count * 1e6:5.1f} us, written {written / count * 1e6:5.1f} us a row, "
        f"{path.stat().st_size / len(keys):5.0f} bytes a row"
    )


def main() -> None:
    """Measure each layout twice, in turn."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    made = random.Random(1)  # noqa: S311 - keys to measure with
    keys = [b"%032x:%032x:%d" % (7, made.getrandbits(128), made.randrange(2000)) for _ in range(rows)]
    for _ in range(2):
        for layout in LAYOUTS:
            with tempfile.TemporaryDirectory() as folder:
                print(measure(layout, keys, Path(folder) / "rows.db"), flush=True)


if __name__ == "__main__":
    main()
