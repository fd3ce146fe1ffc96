"""Ids of Canvas: strings of digits, local to a root account's shard or global."""

from typing import Final

__all__ = ["id_order", "is_number", "local_id"]

# A global id is its shard's number times this, plus the local id.
_SHARD: Final = 10**13
_SHORTEST_GLOBAL: Final = 14
_LONGEST: Final = 19  # digits of a 64 bit integer


def local_id(value: str, root_account_id: str | None) -> str:
    """The id as the root account's own shard writes it: one thing has one id, however an event spells it.

    `root_account_id` is the event's, global. A global id of the same shard loses its shard; one of another
    shard stays as it is, since the local id means something else here. So does anything that is no number.
    """
    if len(value) < _SHORTEST_GLOBAL or root_account_id is None:
        return value
    if not (is_number(value) and is_number(root_account_id)):
        return value
    shard, local = divmod(int(value), _SHARD)
    if shard == 0 or local == 0 or shard != int(root_account_id) // _SHARD:
        return value
    return str(local)


def is_number(text: str) -> bool:
    """Whether an id is a number as Canvas has them. `int` refuses those of thousands of digits."""
    return len(text) <= _LONGEST and text.isascii() and text.isdigit()


def id_order(value: str) -> tuple[int, str]:
    """Sorts ids as the numbers they are, written without leading zeros; a total order of any strings."""
    return len(value), value
