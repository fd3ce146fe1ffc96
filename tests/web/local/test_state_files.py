import pytest

from app.mastery import blob
from app.state.errors import StateUnavailable
from app.state.store import PartitionStore, StoreIdentity
from app.web.local.state_files import StateReaders


def write(folder, value):
    with PartitionStore(folder / "0.db", StoreIdentity("changelog", "", 0, 1, blob.FORMAT)) as store:
        store.append([(b"a:b:1", value)], 1)
        store.finish_restore()


def held(readers):
    with readers.of(0) as reader:
        return reader.get_many([b"a:b:1"])


def test_a_reader_is_lent_again_until_another_file_is_there(tmp_path):
    readers = StateReaders(tmp_path)
    write(tmp_path, b"old")
    with readers.of(0) as first, readers.of(0) as second:
        assert first is not second
    with readers.of(0) as again:
        assert again in (first, second)
    for path in tmp_path.glob("0.db*"):
        path.rename(tmp_path / f"aside-{path.name}")
    with pytest.raises(StateUnavailable):
        held(readers)
    write(tmp_path, b"new")
    assert held(readers) == {b"a:b:1": b"new"}
    readers.keep(frozenset())


def test_a_reader_that_failed_is_not_lent_again(tmp_path):
    readers = StateReaders(tmp_path)
    write(tmp_path, b"value")
    with pytest.raises(ValueError, match="stop"), readers.of(0) as failed:
        raise ValueError("stop")
    with readers.of(0) as other:
        assert other is not failed
    readers.keep(frozenset([0]))
    with readers.of(0) as kept:
        assert kept is other
    readers.keep(frozenset())
    assert held(readers) == {b"a:b:1": b"value"}
