from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from app.state.overlay import Overlay, StateChange

keys = st.sampled_from([b"a", b"b", b"c"])
changes = st.builds(
    StateChange, st.integers(0, 1), st.dictionaries(keys, st.none() | st.binary(max_size=2), min_size=1)
)


@given(history=st.lists(changes, max_size=8), written=st.integers(0, 8))
def test_what_lies_over_a_file_makes_it_as_if_all_were_written(
    history: Sequence[StateChange], written: int
) -> None:
    """The first changes have come into the files, and are released in two steps."""
    overlay = Overlay()
    for change in history:
        overlay.put(change)
    files: dict[tuple[int, bytes], bytes | None] = {}
    for change in history[:written]:
        files.update({(change.partition, key): value for key, value in change.rows.items()})
    overlay.release(history[: written // 2])
    overlay.release(history[written // 2 : written])
    expected = dict(files)
    for change in history[written:]:
        expected.update({(change.partition, key): value for key, value in change.rows.items()})
    for partition in (0, 1):
        found, missing = overlay.get_many(partition, [b"a", b"b", b"c"])
        found |= {key: files[partition, key] for key in missing if (partition, key) in files}
        assert found == {key: value for (place, key), value in expected.items() if place == partition}
    assert len(overlay) == len(
        {(change.partition, key) for change in history[written:] for key in change.rows}
    )


def test_cleared() -> None:
    overlay = Overlay()
    overlay.put(StateChange(0, {b"a": b"1"}))
    overlay.clear()
    assert overlay.get_many(0, [b"a"]) == ({}, [b"a"])
