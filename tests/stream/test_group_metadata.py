import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import MasteryError
from app.stream import group_metadata
from app.stream.errors import GroupMetadataMismatch
from app.stream.group_metadata import encode_group_metadata, verify_layout

NOWHERE = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
names = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda name: name == name.strip())  # librdkafka trims what it is configured with


@settings(max_examples=20, deadline=None)
@given(names)
def test_the_layout_is_librdkafkas_for_any_group(group: str) -> None:
    verify_layout(NOWHERE, group)


def test_another_layout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_metadata, "_MAGIC", b"CGMDv3:")
    with pytest.raises(GroupMetadataMismatch, match="unknown way") as caught:
        verify_layout(NOWHERE, "group")
    assert isinstance(caught.value, MasteryError)
    assert caught.value.hint


@given(names, st.integers(-1, 2**31 - 1), names)
def test_every_part_is_in_it(group: str, generation: int, member: str) -> None:
    encoded = encode_group_metadata(group, generation, member)
    magic, rest = encoded[:7], encoded[11:]
    assert magic == b"CGMDv2:"
    assert struct.unpack("<i", encoded[7:11]) == (generation,)
    assert rest.split(b"\0") == [group.encode(), member.encode(), b"\1"]
