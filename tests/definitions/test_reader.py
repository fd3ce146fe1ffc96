import sqlite3

from app.definitions.reader import DefinitionReader
from tests.definitions.support import ACCOUNT, LEVELS, WITH_SCALES, LocalCopy
from tests.mastery.events import outcome, proficiency


def opened(folder):
    return DefinitionReader(folder / "definitions.db", WITH_SCALES, keep=0)


def test_it_follows_the_file(tmp_path):
    reader = opened(tmp_path)
    assert reader.lookup().outcomes() == []
    assert not reader.known
    with LocalCopy(tmp_path) as copy:
        copy.add(outcome("highest"), outcome("latest", learning_outcome_id="8"))
        assert {one.learning_outcome_id for one in reader.lookup().outcomes()} == {"7", "8"}
        first, version = reader.lookup(), reader.version
        assert first.resolve(ACCOUNT, "7").basis.method == "highest"
        assert reader.lookup() is first
        assert reader.version == version

        copy.add(outcome("average", updated=5), proficiency(*LEVELS, sent=1))
        assert reader.lookup().resolve(ACCOUNT, "7").basis.method == "average"
        assert reader.version > version
        assert first.resolve(ACCOUNT, "8").basis.source == "proficiency"
        assert [level.color for level in first.scales(ACCOUNT).account.proficiency.levels] == ["0b874b"] * 3


def test_a_file_that_is_made_anew_is_read_anew(tmp_path):
    reader = opened(tmp_path)
    with LocalCopy(tmp_path) as copy:
        copy.add(outcome("highest"), outcome("latest", learning_outcome_id="8"))
    assert len(reader.lookup().outcomes()) == 2
    for path in tmp_path.glob("definitions.db*"):
        path.unlink()
    assert len(reader.lookup().outcomes()) == 2
    with LocalCopy(tmp_path, topic_id="anew") as copy:
        copy.add(outcome("average"))
        assert [one.method for one in reader.lookup().outcomes()] == ["average"]


def test_a_file_that_cannot_be_read_leaves_what_was_known(tmp_path):
    reader = opened(tmp_path)
    with LocalCopy(tmp_path) as copy:
        copy.add(outcome("highest"))
    reader.lookup()
    db = sqlite3.connect(tmp_path / "definitions.db")
    db.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
    db.commit()
    db.close()
    assert len(reader.lookup().outcomes()) == 1
    (tmp_path / "definitions.db").write_bytes(b"no database" * 1000)
    assert len(reader.lookup().outcomes()) == 1
