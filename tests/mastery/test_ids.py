import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.mastery.ids import id_order, local_id


@pytest.mark.parametrize(
    ("value", "root", "local"),
    [
        ("565", "21070000000000001", "565"),
        ("21070000000000565", "21070000000000001", "565"),
        ("21080000000000565", "21070000000000001", "21080000000000565"),  # another shard's
        ("21070000000000565", None, "21070000000000565"),
        ("21070000000000565", "1", "21070000000000565"),
        ("21070000000000000", "21070000000000001", "21070000000000000"),  # nothing's
        ("9999999999999", "21070000000000001", "9999999999999"),
        ("10000000000001", "10000000000005", "1"),
        ("0000000000000565", "1", "0000000000000565"),
        ("9" * 5000, "21070000000000001", "9" * 5000),
        ("x1070000000000565", "21070000000000001", "x1070000000000565"),
        ("٢" * 17, "21070000000000001", "٢" * 17),  # digits, of another script
        ("21070000000000565", "root", "21070000000000565"),
        ("", "21070000000000001", ""),
    ],
)
def test_an_id_of_the_own_shard_loses_it(value, root, local):
    assert local_id(value, root) == local


@settings(max_examples=30)
@given(st.lists(st.integers(1, 10**18), max_size=8))
def test_ids_sort_as_numbers(numbers):
    assert sorted(map(str, numbers), key=id_order) == [str(number) for number in sorted(numbers)]
