"""Whatever byte of a state file changes, the file is refused, or says what it said."""

import shutil
import sqlite3
from pathlib import Path
from random import Random

import pytest

from app.state.errors import StateFileUnusable, StateUnavailable, opening_errors
from app.state.reader import StoreReader
from app.state.store import PartitionStore, StoreIdentity

IDENTITY = StoreIdentity("canvas.mastery-changelog", "topic-id", partition=3, partitions=12, rows_format=1)
_PAGE = 8192
_HEADER = 100

Content = tuple[int, dict[bytes, bytes]]


def key(random: Random) -> bytes:
    return b"root:student-%03d:%d" % (random.randint(0, 60), random.randint(1, 9))


def filled(path: Path, *, writes: int = 30) -> list[Content]:
    """Make a file with a history; return its content after each transaction. It stays open: see `crashed`."""
    random = Random(1)
    store = PartitionStore(path, IDENTITY)
    rows = {key(random): random.randbytes(300) for _ in range(200)}
    store.append(rows.items(), 200)
    store.finish_restore()
    history: list[Content] = [(0, {}), (200, dict(rows))]
    for position in range(201, 201 + writes):
        changed = {key(random): random.randbytes(random.choice([20, 300, 900])) for _ in range(3)}
        store.write(changed, position, {"agrees": f"up to {position}"})
        rows |= changed
        history.append((position, dict(rows)))
    OPEN.append(store)
    return history


#: Kept open, so that SQLite neither brings the log into the file nor deletes it.
OPEN: list[PartitionStore] = []


@pytest.fixture(autouse=True)
def _closed() -> object:
    yield
    while OPEN:
        OPEN.pop().close()


def read(path: Path) -> Content:
    with PartitionStore(path, IDENTITY) as store, StoreReader(path) as reader:
        rows = dict(reader.scan(limit=10_000))
        assert reader.get_many(rows) == rows
        if store.restoring:
            return store.position, rows
        assert store.notes().get("agrees", "up to 200") == f"up to {store.position}"
        found = [key for one in range(1, 10) for key in reader.keys_of_outcome(b"%d" % one, limit=10_000)]
        assert sorted(found) == sorted(rows)
        return store.position, rows


def crashed(source: Path, folder: Path) -> Path:
    """Return a copy as kill -9 leaves it: file and log."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for suffix in ("", "-wal"):
        shutil.copy(source.with_name(source.name + suffix), folder / f"3.db{suffix}")
    return folder / "3.db"


def flip(path: Path, at: int, random: Random) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ random.randint(1, 255)]))


@pytest.mark.parametrize("where", ["header", "anywhere", "what is noted"])
def test_any_flipped_byte_of_a_file_is_found_or_says_nothing(tmp_path: Path, where: str) -> None:
    source = tmp_path / "source" / "3.db"
    source.parent.mkdir()
    expected = filled(source)[-1]
    OPEN.pop().close()
    raw = source.read_bytes()
    random = Random(where)
    found = 0
    path = tmp_path / "3.db"
    places = range(_HEADER) if where == "header" else [random.randrange(len(raw)) for _ in range(400)]
    if where == "what is noted":
        # And high bytes there, which are no text.
        noted = raw.index(b'"topic_id"') // _PAGE * _PAGE
        places = [noted + random.randrange(_PAGE // 20) for _ in range(40)]
        places += [raw.index(b'"topic_id"') + random.randrange(-60, 60) for _ in range(120)]
    for at in places:
        path.write_bytes(raw)
        flip(path, at, random)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        try:
            assert read(path) == expected, f"byte {at} of {len(raw)}"
        except StateFileUnusable:
            found += 1
    assert found > len(places) / 10, "hardly any damage was found: the test proves nothing"


@pytest.mark.parametrize("checkpointed", [False, True])
def test_any_flipped_byte_of_a_log_is_found_or_leaves_an_earlier_checkpoint(
    tmp_path: Path, *, checkpointed: bool
) -> None:
    """A log that is in the file already is read again at the next start: half of it would spoil."""
    source = tmp_path / "source" / "3.db"
    source.parent.mkdir()
    history = filled(source)
    if checkpointed:
        with sqlite3.connect(source) as other:
            other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        other.close()
    log = source.with_name("3.db-wal")
    random = Random(checkpointed)
    found = 0
    for _ in range(250):
        path = crashed(source, tmp_path / "crashed")
        at = random.choice([random.randrange(log.stat().st_size), random.randrange(32)])
        flip(path.with_name("3.db-wal"), at, random)
        try:
            position, rows = read(path)
            assert (position, rows) in history, f"byte {at}"
        except StateFileUnusable:
            found += 1
    assert found > 50, "hardly any damage was found: the test proves nothing"
    assert read(crashed(source, tmp_path / "crashed")) == history[-1]


@pytest.mark.parametrize("part", ["", "-wal"])
def test_a_file_cut_off_anywhere_is_found_or_is_an_earlier_checkpoint(tmp_path: Path, part: str) -> None:
    source = tmp_path / "source" / "3.db"
    source.parent.mkdir()
    history = filled(source)
    random = Random(part)
    for _ in range(60):
        path = crashed(source, tmp_path / "crashed")
        cut = path.with_name(path.name + part)
        with cut.open("r+b") as file:
            file.truncate(random.randrange(cut.stat().st_size))
        try:
            with PartitionStore(path, IDENTITY) as store:
                fresh = store.restoring and store.position == 0
            assert fresh or read(path) in history
        except StateFileUnusable:
            pass


def test_what_is_not_the_files_fault_does_not_condemn_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(code: int) -> None:
        error = sqlite3.OperationalError("as SQLite says it")
        error.sqlite_errorcode = code
        with opening_errors(tmp_path):
            raise error

    for code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_BUSY):
        with pytest.raises(StateUnavailable, match="cannot be used"):
            opened(code)
    for code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT_VTAB, sqlite3.SQLITE_READONLY):
        with pytest.raises(StateFileUnusable, match="is damaged"):
            opened(code)
    monkeypatch.setattr("app.state.errors.os.access", lambda *_: False)
    with pytest.raises(StateUnavailable, match="cannot be used"):
        opened(sqlite3.SQLITE_READONLY)
