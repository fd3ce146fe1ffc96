import sqlite3
from pathlib import Path
from random import Random

import pytest

from app.definitions import store as store_module
from app.definitions.changes import ChangedOutcome
from app.definitions.decoding import DEFINITION_EVENTS, global_ids
from app.definitions.store import DefinitionStore, OutcomeRow, ProficiencyRow, changed_since
from app.mastery.definition import read_outcome, read_proficiency
from app.state.errors import StateFileUnusable, StateUnavailable
from tests.definitions.support import ACCOUNT, GLOBAL, LEVELS, ROOT_ID, LocalCopy
from tests.mastery.events import outcome, proficiency

TOPIC_IDS = {event: f"id-{event}" for event in DEFINITION_EVENTS}
CREATED = "learning_outcome_created"
ROW = OutcomeRow(
    read_outcome(outcome("n_mastery", 3, ratings=((5.0, "High"), (0.5, None)), **GLOBAL)),
    frozenset(["7", "21070000000000007"]),
    (CREATED, 2, 40),
)
SCALE = ProficiencyRow(
    read_proficiency(proficiency(*LEVELS, updated=1)), ("outcome_proficiency_updated", 0, 3)
)


def open_store(folder: Path, topic_ids=TOPIC_IDS) -> DefinitionStore:
    return DefinitionStore(folder / "definitions.db", topic_ids)


@pytest.fixture
def filled(tmp_path):
    with open_store(tmp_path) as store:
        store.write([ROW], [SCALE], {(CREATED, 2): 41, ("outcome_proficiency_updated", 0): 4})
    return tmp_path


def test_what_is_written_is_read_again(filled):
    with open_store(filled) as store:
        assert list(store.outcomes()) == [ROW]
        assert list(store.proficiencies()) == [SCALE]
        assert store.positions() == {(CREATED, 2): 41, ("outcome_proficiency_updated", 0): 4}


def test_rows_and_positions_are_written_together_or_not_at_all(filled):
    other = OutcomeRow(read_outcome(outcome(learning_outcome_id="8")), frozenset(), (CREATED, 2, 41))
    with open_store(filled) as store:
        with pytest.raises(KeyError):
            store.write([other], [], {("no such topic", 0): 1})
        assert list(store.outcomes()) == [ROW]
        store.write([other], [], {(CREATED, 2): 42})
        assert store.positions()[CREATED, 2] == 42


def test_the_file_is_read_beside_its_writer(filled):
    with open_store(filled):
        found = changed_since(filled / "definitions.db", {(CREATED, 2): 40})
    assert found.outcomes == {
        ChangedOutcome(ACCOUNT, "7"),
        *(ChangedOutcome(None, one) for one in ROW.global_ids),
    }
    assert found.accounts == {ACCOUNT}


def test_no_file_to_read_from(tmp_path):
    with pytest.raises(StateUnavailable):
        changed_since(tmp_path / "definitions.db", {})
    assert not (tmp_path / "definitions.db").exists()


def test_the_layout_of_rows_has_a_number_of_its_own(filled):
    # When this fails, what older files hold is not what this release reads: raise FORMAT.
    with sqlite3.connect(filled / "definitions.db") as db:
        [(outcome_bytes,)] = db.execute("SELECT definition FROM outcomes")
        [(scale_bytes,)] = db.execute("SELECT definition FROM proficiencies")
    db.close()
    assert store_module.FORMAT == 3
    assert outcome_bytes.hex() == (
        "9aac6163636f756e742d75756964a137c3ae57726974657320636c6561726c79a96e5f6d61737465727903cb400800000000"
        "0000cb40140000000000009292cb4014000000000000a44869676892cb3fe0000000000000c094c200cf0000019cad8fac00"
        "c410200a05241094f6b1cd54e7672e9d9448"
    )
    assert scale_bytes[:20].hex() == "97ac6163636f756e742d75756964a131c3c3c093"


# --- files that cannot be gone on with ---


def _garbage(path):
    path.write_bytes(b"no database at all" * 500)


def _cut(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _flipped(path):
    data = bytearray(path.read_bytes())
    for at in range(4096, len(data), 4096):
        data[at] ^= 0xFF
    path.write_bytes(data)


def _foreign(path):
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE something (else_ TEXT)")
    db.close()


def _changed(statement):
    def change(path):
        with sqlite3.connect(path) as db:
            db.execute(statement)
        db.close()

    return change


DAMAGE = {
    "garbage": _garbage,
    "cut": _cut,
    "flipped": _flipped,
    "foreign": _foreign,
    "format": _changed("UPDATE meta SET value = '0'"),
    "rows": _changed("UPDATE outcomes SET definition = x'c0'"),
    "text rows": _changed("UPDATE outcomes SET definition = 'text'"),
    "scales": _changed("UPDATE proficiencies SET definition = x'91'"),
    "topic of rows": _changed("UPDATE outcomes SET topic = 99"),
    "topics": _changed("UPDATE topics SET name = 'other' WHERE number = 1"),
    "topic id": _changed("UPDATE topics SET topic_id = 'older' WHERE number = 2"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_cannot_be_used_is_moved_aside_and_begun_anew(tmp_path, caplog, damage):
    with LocalCopy(tmp_path) as copy:
        copy.add(outcome("latest"), proficiency(*LEVELS))
    DAMAGE[damage](tmp_path / "definitions.db")
    with LocalCopy(tmp_path) as copy:
        assert copy.copy.vector == {}
        assert copy.lookup.resolve(ACCOUNT, "7").basis is None
        copy.add(outcome("average"))
        assert copy.lookup.resolve(ACCOUNT, "7").basis.method == "average"
    [moved] = (tmp_path / "aside").glob("definitions-*.db")
    assert f"was moved to {moved}" in caplog.text
    with LocalCopy(tmp_path) as copy:
        assert copy.lookup.resolve(ACCOUNT, "7").basis.method == "average"
    assert len(list((tmp_path / "aside").iterdir())) == 1


def test_a_file_whose_offsets_do_not_fit_is_moved_aside(tmp_path, caplog):
    with LocalCopy(tmp_path) as copy:
        copy.add(outcome("latest"))
    problems = iter(["stands at offset 1 of a topic that has no such offset", None])
    with LocalCopy(tmp_path, check=lambda _: next(problems)) as copy:
        assert copy.lookup.resolve(ACCOUNT, "7").basis is None
    assert "stands at offset 1" in caplog.text


def test_a_file_that_is_damaged_while_it_is_used_is_moved_aside(tmp_path):
    with LocalCopy(tmp_path) as copy:
        copy.add(outcome("latest"))
    with LocalCopy(tmp_path) as copy:
        with sqlite3.connect(tmp_path / "definitions.db") as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        _flipped(tmp_path / "definitions.db")
        copy.copy._store._db.execute("PRAGMA shrink_memory")
        with pytest.raises(StateFileUnusable, match="damaged"):
            copy.add(outcome("latest", updated=1))
    assert not (tmp_path / "definitions.db").exists()
    with LocalCopy(tmp_path) as copy:
        assert copy.copy.vector == {}


def test_any_flipped_byte_is_found_or_says_nothing(filled):
    """SQLite has no checksums: a definition with other points would be computed with."""
    path, random, found = filled / "definitions.db", Random(1), 0
    raw = path.read_bytes()
    places = [*range(100), *(random.randrange(len(raw)) for _ in range(500))]
    places += [raw.index(b"High") + place for place in range(-60, 40)]
    for at in places:
        flipped = bytearray(raw)
        flipped[at] ^= random.randint(1, 255)
        path.write_bytes(flipped)
        try:
            with open_store(filled) as store:
                assert (list(store.outcomes()), list(store.proficiencies())) == ([ROW], [SCALE]), at
                for place, position in store.positions().items():
                    assert {(CREATED, 2): 41, ("outcome_proficiency_updated", 0): 4}[place] == position
        except StateFileUnusable:
            found += 1
        for suffix in ("-wal", "-shm"):
            (filled / f"definitions.db{suffix}").unlink(missing_ok=True)
    assert found > 100, "hardly any damage was found: the test proves nothing"


def test_a_folder_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateUnavailable), LocalCopy(tmp_path / "file"):
        pass


@pytest.mark.parametrize(
    ("outcome_id", "root_account_id", "ids"),
    [
        ("7", ROOT_ID, {"7", "21070000000000007"}),
        ("10000000000007", ROOT_ID, {"10000000000007"}),
        ("7", "1", {"7"}),
        ("7", None, {"7"}),
        ("seven", ROOT_ID, {"seven"}),
        ("0", ROOT_ID, {"0"}),
    ],
)
def test_ids_of_a_global_outcome(outcome_id, root_account_id, ids):
    assert global_ids(outcome_id, root_account_id) == ids
