"""The bytes of a dead letter as text for a person: exactly what is there, and nothing that could act."""

import json
import re
from collections.abc import Iterator
from typing import Final

__all__ = ["LONGEST", "escaped", "indented_json"]

#: Characters that are shown.
LONGEST: Final = 256 * 1024

#: Bytes of JSON that are laid out; what is larger is shown as it stands.
_LARGEST: Final = 4 * 1024 * 1024

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def escaped(raw: bytes, longest: int = LONGEST) -> tuple[str, bool]:
    r"""Return bytes as text, and whether it is cut.

    What is no UTF-8, control characters and those that turn the direction of text are escaped, as \x1b.
    """
    # A cut within a character would make the rest of it look like broken UTF-8.
    text = raw[: longest * 4 + 4].decode("utf-8", "backslashreplace")
    shown = _visible(text[:longest])
    return shown[:longest], len(text) > longest or len(raw) > longest * 4 + 4 or len(shown) > longest


def indented_json(raw: bytes, longest: int = LONGEST) -> tuple[str, bool] | None:
    """Return JSON laid out, and whether it is cut; None where the bytes are no JSON.

    Numbers, strings and keys stay as they are written, even a key that is there twice.
    """
    if len(raw) > _LARGEST:
        return None
    try:
        text = raw.decode()
        json.loads(text, parse_constant=_refuse, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return None
    parts: list[str] = []
    length = 0
    for part in _layout(text):
        parts.append(part)
        length += len(part)
        if length > longest:
            return _visible("".join(parts)[:longest]), True
    return _visible("".join(parts)), False


def _layout(text: str) -> Iterator[str]:
    depth = 0
    before = ""
    for piece in _pieces(text):
        if piece in "}]":
            depth -= 1
            if before not in "{[":
                yield "\n" + "  " * depth
        elif before and before in "{[,":
            yield "\n" + "  " * depth
        if piece in "{[":
            depth += 1
        yield ": " if piece == ":" else piece
        before = piece


def _pieces(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        yield match.group()


def _visible(text: str) -> str:
    return _CONTROL.sub(
        lambda found: f"\\x{ord(found[0]):02x}" if ord(found[0]) < 0x100 else f"\\u{ord(found[0]):04x}", text
    )


def _refuse(name: str) -> None:
    raise ValueError(name)
