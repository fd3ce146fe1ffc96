"""Last records on disk, against a dict."""

from hypothesis import given
from hypothesis import strategies as st

from app.verify import records
from app.verify.records import LastRecords, Workspace

keys = st.sampled_from([b"a:b:1", b"a:b:10", b"a:b:1:7", b"a:c:1", b"b:b:\xff"])
history = st.lists(st.tuples(keys, st.integers(0, 2), st.none() | st.binary(max_size=3)), max_size=30)


@given(history, history, st.sets(keys))
def test_of_each_key_and_partition_the_last_record_counts(before, after, expected):
    there: dict[tuple[bytes, int], bytes | None] = {}
    with Workspace() as workspace:
        table = LastRecords(workspace, "some")
        for key, partition, value in before:
            table.add(key, partition, value)
            there[key, partition] = value
        table.index()
        for key, partition, value in after:
            table.add(key, partition, value)
            there[key, partition] = value
        live = {
            key: {p: value for (k, p), value in there.items() if k == key and value is not None}
            for key, _ in there
        }
        for key, values in live.items():
            assert table.of(key) == values
        assert all(table.expect(key) for key in expected)
        assert not any(table.expect(key) for key in expected)
        assert list(table.keys()) == sorted(key for key in live if live[key])
        assert set(table.unexpected()) == {key for key in live if live[key]} - expected
        assert (
            set(table.unexpected(b"a:b"))
            == {key for key in live if live[key] and key.startswith(b"a:b")} - expected
        )
        assert set(table.beginning(b"a:b:1:")) == {b"a:b:1:7"} & live.keys()


def test_more_than_fits_into_one_piece(monkeypatch):
    monkeypatch.setattr(records, "_CHUNK", 3)
    with Workspace() as workspace:
        table = LastRecords(workspace, "some")
        for number in range(20):
            table.add(b"%d" % (number % 7), 0, b"%d" % number)
        table.index()
        assert {key: table.of(key)[0] for key in table.keys()} == {  # noqa: SIM118 - not a dict
            b"%d" % (number % 7): b"%d" % number for number in range(13, 20)
        }


def test_two_tables_do_not_meet():
    with Workspace() as workspace:
        one, other = LastRecords(workspace, "one"), LastRecords(workspace, "other")
        one.add(b"k", 0, b"v")
        one.expect(b"k")
        assert (dict(other.of(b"k")), other.expects(b"k"), one.expects(b"k")) == ({}, False, True)
