"""Keeps spreadsheets from computing what somebody put into a title."""

from typing import Any, Final

__all__ = ["harmless"]

#: What a text begins with that spreadsheets take for a formula (OWASP, CSV injection).
_FORMULA: Final = frozenset("=+-@\t\r\n")


def harmless(value: Any) -> Any:
    """Return a value for a cell: ' stands before a text that would be a formula; `-` alone is none."""
    return f"'{value}" if isinstance(value, str) and len(value) > 1 and value[0] in _FORMULA else value
