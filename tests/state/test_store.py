import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.state.errors import StateFileUnusable, StateUnavailable
from app.state.reader import StoreReader
from app.state.store import PartitionStore, StoreIdentity, outcome_of

IDENTITY = StoreIdentity("canvas.mastery-changelog", "topic-id", partition=3, partitions=12, rows_format=1)

keys = st.builds(
    lambda user, outcome: f"root:{user}:{outcome}".encode(), st.sampled_from("abcdé"), st.integers(0, 3)
)
records = st.tuples(keys, st.none() | st.binary(max_size=20))


def restored(path: Path, rows: list[tuple[bytes, bytes | None]] | None = None) -> PartitionStore:
    store = PartitionStore(path, IDENTITY)
    store.append(rows or [], len(rows or []))
    store.finish_restore()
    return store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "3.db"


def content(path: Path) -> dict[bytes, bytes]:
    with StoreReader(path) as reader:
        return dict(reader.scan())


@settings(deadline=None, max_examples=50)
@given(
    history=st.lists(records, max_size=30),
    cuts=st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted),
    wanted=st.sets(keys),
)
def test_a_file_is_what_a_dict_would_be(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[tuple[bytes, bytes | None]],
    cuts: list[int],
    wanted: set[bytes],
) -> None:
    """Some of the changelog is appended in two steps, the rest comes in checkpoints of three records."""
    path = tmp_path_factory.mktemp("store") / "3.db"
    expected: dict[bytes, bytes] = {}
    with PartitionStore(path, IDENTITY) as store:
        assert store.restoring
        store.append(history[: cuts[0]], cuts[0])
        store.append(history[cuts[0] : cuts[1]], cuts[1])
        store.finish_restore()
        for start in range(cuts[1], len(history), 3):
            store.write(dict(history[start : start + 3]), start + 3)
    for key, value in history:
        if value is None:
            expected.pop(key, None)
        else:
            expected[key] = value
    with StoreReader(path) as reader:
        assert reader.count() == len(expected)
        assert reader.get_many(wanted) == {key: expected[key] for key in wanted & expected.keys()}
        assert reader.scan(limit=100) == sorted(expected.items())
        for user in "abé":
            prefix = f"root:{user}:".encode()
            assert reader.scan(prefix=prefix) == sorted(
                item for item in expected.items() if item[0].startswith(prefix)
            )
        for outcome in (b"0", b"3"):
            assert reader.keys_of_outcome(outcome) == sorted(
                key for key in expected if outcome_of(key) == outcome
            )


@pytest.mark.parametrize("count", [1, 255, 256, 257, 511, 1_000])
def test_each_of_many_rows_is_written_once(path: Path, count: int) -> None:
    """Statements take up to 256 rows together."""
    first = {f"root:user:{number}".encode(): b"first" for number in range(count)}
    rows = {key: b"row %d" % number for number, key in enumerate(first)}
    with PartitionStore(path, IDENTITY) as store:
        store.finish_restore()
        store.write(first, 1)
        store.write(rows, 2)
    with StoreReader(path) as reader:
        assert reader.count() == count
        assert reader.get_many(rows) == rows


def test_a_scan_reads_no_further_than_its_prefix(path: Path) -> None:
    rows = [(f"root:{number:05}:7".encode(), b"v") for number in range(20_000)]
    with restored(path, rows), StoreReader(path) as reader:
        ticks = []
        reader._db.set_progress_handler(lambda: ticks.append(1), 100)
        assert reader.scan(prefix=b"root:00004:", limit=10_000) == [rows[4]]
        assert reader.scan(prefix=b"root:0000", after=rows[7][0], limit=10_000) == rows[8:10]
        assert reader.scan(prefix=b"\xff", limit=10_000) == []
        assert not ticks  # hundreds of SQLite's steps, where it goes on


def test_pages_neither_skip_nor_repeat(path: Path) -> None:
    rows = [(f"root:{number:03}:7".encode(), b"v") for number in range(25)]
    with restored(path, rows[::-1]), StoreReader(path) as reader:
        for pages in (
            lambda after: [key for key, _ in reader.scan(prefix=b"root:", after=after, limit=10)],
            lambda after: reader.keys_of_outcome(b"7", after=after, limit=10),
        ):
            seen, after = [], b""
            while page := pages(after):
                assert len(page) <= 10
                seen += page
                after = page[-1]
            assert seen == [key for key, _ in rows]


def test_position_and_rows_are_written_together(path: Path) -> None:
    with restored(path) as store:
        store.write({b"a:b:1": b"old"}, 7)
        store._db.execute("PRAGMA max_page_count = 10")
        with pytest.raises(StateUnavailable, match="full") as caught:
            store.write({b"a:b:%d" % number: bytes(2000) for number in range(1, 100)}, 9)
        assert "make room" in (caught.value.hint or "")
        assert store.position == 7
    assert content(path) == {b"a:b:1": b"old"}


def test_a_reader_sees_what_was_committed_when_it_asks(path: Path) -> None:
    with restored(path) as store, StoreReader(path) as reader:
        assert reader.get_many([b"a:b:1"]) == {}
        store.write({b"a:b:1": b"1"}, 1)
        assert reader.get_many([b"a:b:1"]) == {b"a:b:1": b"1"}


def test_a_file_is_gone_on_with(path: Path) -> None:
    with restored(path, [(b"a:b:1", b"1")]) as store:
        store.write({b"a:b:2": b"2"}, 5)
        synced_at = store.synced_at
    with PartitionStore(path, IDENTITY) as store:
        assert (store.restoring, store.position, store.synced_at) == (False, 5, synced_at)
    assert content(path) == {b"a:b:1": b"1", b"a:b:2": b"2"}


def test_a_restore_that_was_cut_off_goes_on(path: Path) -> None:
    with PartitionStore(path, IDENTITY) as store:
        store.append([(b"a:b:1", b"1")], 4)
    with PartitionStore(path, IDENTITY) as store:
        assert (store.restoring, store.position) == (True, 4)
        store.append([(b"a:b:1", b"2")], 8)
        store.finish_restore()
    assert content(path) == {b"a:b:1": b"2"}


def test_only_who_reached_the_end_makes_a_file_young(path: Path) -> None:
    """What was deleted in the changelog since is told there for a limited time alone."""
    with PartitionStore(path, IDENTITY) as store:
        begun_at = store.synced_at
        assert begun_at > 0
        store.append([(b"a:b:1", b"1")], 1)
        assert store.synced_at == begun_at
        store.finish_restore()
        ended_at = store.synced_at
        store.write({b"a:b:1": b"2"}, 2, synced=False)
        assert store.synced_at == ended_at > begun_at
        store.write({b"a:b:1": b"3"}, 3)
        assert store.synced_at > ended_at


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"topic": "canvas2.mastery-changelog"}, "another topic: canvas.mastery-changelog, not canvas2"),
        ({"topic_id": "anew"}, "another topic id"),
        ({"partition": 4}, "another partition: 3, not 4"),
        ({"partitions": 24}, "another partitions: 12, not 24"),
        ({"rows_format": 2}, "another rows format: 1, not 2"),
    ],
)
def test_a_copy_of_something_else_is_refused(path: Path, other: dict[str, object], told: str) -> None:
    restored(path).close()
    with pytest.raises(StateFileUnusable, match=told):
        PartitionStore(path, replace(IDENTITY, **other))  # type: ignore[arg-type]


def test_another_layout_is_refused(path: Path) -> None:
    restored(path).close()
    db = sqlite3.connect(path)
    db.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
    db.commit()
    db.close()
    with pytest.raises(StateFileUnusable, match="another format"):
        PartitionStore(path, IDENTITY)


def test_a_file_of_the_first_format_is_refused_as_such(path: Path) -> None:
    """As versions before seals made it, statement by statement: it is restored, not taken for damaged."""
    db = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "PRAGMA page_size = 8192",
        "PRAGMA journal_mode = WAL",
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE rows (id INTEGER PRIMARY KEY, key BLOB NOT NULL, outcome BLOB NOT NULL, value BLOB)",
        "CREATE UNIQUE INDEX rows_by_key ON rows (key)",
        "CREATE INDEX rows_by_outcome ON rows (outcome, key)",
        "INSERT INTO meta VALUES ('format', '1'), ('position', '1'), ('restored', '1')",
        "INSERT INTO rows (key, outcome, value) VALUES (x'613a623a31', x'31', x'0193909000')",
    ):
        db.execute(statement)
    db.close()
    with pytest.raises(StateFileUnusable, match="is of another format than 2"):
        PartitionStore(path, IDENTITY)


@pytest.mark.parametrize("damage", ["foreign", "cut", "overwritten", "other-tables"])
def test_damage_is_found(path: Path, damage: str) -> None:
    with restored(path, [(b"a:b:%d" % number, bytes(500)) for number in range(200)]):
        pass
    raw = path.read_bytes()
    if damage == "foreign":
        path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    elif damage == "cut":
        path.write_bytes(raw[: len(raw) // 2])
    elif damage == "overwritten":
        path.write_bytes(raw[:4096] + b"\xff" * (len(raw) - 4096))
    else:
        path.unlink()
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE other (x)")
        db.commit()
        db.close()
    with pytest.raises(StateFileUnusable), PartitionStore(path, IDENTITY), StoreReader(path) as reader:
        reader.scan(limit=1000)


def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StateUnavailable, match="cannot be used"):
        PartitionStore(tmp_path / "missing" / "3.db", IDENTITY)


def test_marks_are_kept_beside_the_rows_and_in_no_listing(path: Path) -> None:
    rows, marks = (
        {b"a:u:1": b"row", b"m/:u:1": b"row, too"},
        {b"m/salt": b"s", b"m/1": b"one", b"n": b"other"},
    )
    with restored(path, [*marks.items(), *rows.items()]) as store, StoreReader(path) as reader:
        assert dict(reader.scan()) == rows
        assert dict(reader.scan(prefix=b"m/")) == {b"m/:u:1": b"row, too"}
        assert reader.scan(limit=1) == [(b"a:u:1", b"row")]
        assert reader.count() == 2
        assert reader.keys_of_outcome(b"1") == sorted(rows)
        assert reader.marks(b"m/") == {b"m/salt": b"s", b"m/1": b"one"}
        store.write({b"m/1": b"later"}, 6)
        assert reader.get_many([b"m/1"]) == {b"m/1": b"later"}


STUDENTS = [f"student-{number:03}-of-the-school".encode() for number in range(120)]


def school(seed: int) -> Iterator[dict[bytes, bytes]]:
    """Checkpoints of a school's rows: they grow and shrink, so pages are split and merged."""
    random = Random(seed)
    for _ in range(80):
        yield {
            b"a:%b:%d" % (student, random.randint(1, 8)): student * random.choice([1, 3, 20, 30, 400])
            for student in random.choices(STUDENTS, k=random.randint(1, 120))
        }


def bytes_of(path: Path, students: list[bytes]) -> list[tuple[str, bytes]]:
    files = [file for file in path.parent.iterdir() if file.name.startswith(path.name)]
    return [(file.name, one) for file in files for one in students if one in file.read_bytes()]


def keys_of(path: Path, student: bytes) -> list[bytes]:
    return [key for key in content(path) if student in key]


@pytest.fixture
def filled(path: Path) -> PartitionStore:
    store = restored(path)
    for position, rows in enumerate(school(1), start=1):
        store.write(rows, position)
    return store


def test_of_deleted_rows_no_byte_is_left(path: Path, filled: PartitionStore) -> None:
    gone, others = STUDENTS[:20], content(path)
    assert len(bytes_of(path, gone)) >= 20
    with StoreReader(path):
        filled.write({key: None for one in gone for key in keys_of(path, one)}, 1000)
        assert bytes_of(path, gone) == []
    expected = {key: value for key, value in others.items() if key.split(b":")[1] not in gone}
    assert content(path) == expected
    filled.close()


def test_what_cannot_be_cleaned_now_is_cleaned_when_the_file_is_opened_next(
    path: Path, filled: PartitionStore, caplog: pytest.LogCaptureFixture
) -> None:
    gone = STUDENTS[:20]
    keys = [key for one in gone for key in keys_of(path, one)]
    with sqlite3.connect(path) as somebody:
        filled._db.execute("PRAGMA busy_timeout = 10")
        somebody.execute("BEGIN")
        somebody.execute("SELECT * FROM rows").fetchone()
        filled.write(dict.fromkeys(keys), 1000)
        assert bytes_of(path, gone) != []
        assert "may hold bytes of deleted rows" in caplog.text
        somebody.rollback()
    somebody.close()
    filled.close()
    with PartitionStore(path, IDENTITY):
        assert bytes_of(path, gone) == []


def test_a_restore_leaves_no_byte_of_what_was_deleted_since(path: Path) -> None:
    records = [item for rows in school(2) for item in rows.items()]
    gone = STUDENTS[:20]
    tombstones = [(key, None) for key, _ in records if any(one in key for one in gone)]
    with restored(path, [*records, *tombstones]):
        assert bytes_of(path, gone) == []
        assert len(content(path)) > 100
