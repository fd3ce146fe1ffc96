"""Writes the source of a function that decodes records of one schema; `app.schemas.decoder` runs it."""

from collections.abc import Collection, Iterable, Sequence

from app.schemas.shape import Kind, Record, ValueType

__all__ = ["decoder_source"]

#: Statements that read the length of a string.
_LENGTH = (
    "if (length := LENGTH[data[at]]) >= 0:",
    "    at += 1",
    "else:",
    "    length, at = size(data, at)",
)


def decoder_source(record: Record, only: Collection[str] | None = None, *, plain_times: bool = False) -> str:
    """The source of `decode(data, at=0)`: a dict of all fields, or of those whose paths `only` has.

    It calls on names that `app.schemas.decoder` provides. `at` is where the record begins in `data`.
    """
    return _Writer(only, plain_times=plain_times).module(record)


class _Writer:
    """Writes a function that decodes a record, one variable for each value, or passes over it."""

    def __init__(self, only: Collection[str] | None, *, plain_times: bool) -> None:
        self._only = only
        self._plain_times = plain_times
        self._functions: list[str] = []
        self._variables = 0

    def module(self, record: Record) -> str:
        lines, value = self._record(record, "")
        # Each byte as a character: a slice of it that is ASCII is a string as it stands.
        body = ["try:", '    text = data.decode("latin-1")', *_indented(lines)]
        body += ["    if at == len(data):", f"        return {value}"]
        body += ["except failures:", "    pass", "raise malformed()"]
        self._functions.append("\n".join(["def decode(data, at=0):", *_indented(body)]))
        return "\n\n\n".join(self._functions) + "\n"

    def _variable(self) -> str:
        self._variables += 1
        return f"value{self._variables}"

    def _wants(self, path: str) -> bool:
        """Whether the field at a path, some field in it, or what it is a part of, is to be read."""
        if self._only is None:
            return True
        here = f"{path}."
        return any(here.startswith(f"{wanted}.") or f"{wanted}.".startswith(here) for wanted in self._only)

    def _record(self, record: Record, path: str) -> tuple[list[str], str]:
        """Statements that read the fields, and the expression of the record."""
        lines: list[str] = []
        items = []
        passed: list[ValueType] = []
        for field in record.fields:
            where = f"{path}{field.name}"
            if not self._wants(where):
                passed.append(field.type)
                continue
            lines += self._pass_all(passed)
            passed = []
            before, value = self._value(field.type, where)
            lines += before
            items.append(f"{field.name!r}: {value}")
        return lines + self._pass_all(passed), "{" + ", ".join(items) + "}"

    def _value(self, value_type: ValueType, path: str) -> tuple[list[str], str]:
        """Statements that read a value, and its expression."""
        if not value_type.nullable:
            return self._some(value_type, path)
        name = self._variable()
        lines, value = self._some(value_type, path)
        return [
            "branch = data[at]",
            "at += 1",
            "if branch == 2:",
            *_indented(lines),
            f"    {name} = {value}",
            "elif branch == 0:",
            f"    {name} = None",
            "else:",
            "    raise malformed()",
        ], name

    def _some(self, value_type: ValueType, path: str) -> tuple[list[str], str]:
        if value_type.record is not None:
            return self._record(value_type.record, f"{path}.")
        name = self._variable()
        match value_type.kind:
            case Kind.STRING:
                lines = [
                    *_LENGTH,
                    f"{name} = text[at : (at := at + length)]",
                    f"if not {name}.isascii():",
                    f"    {name} = data[at - length : at].decode()",
                ]
            case Kind.DOUBLE:
                lines = [f"({name},) = double(data, at)", "at += 8"]
            case Kind.BOOLEAN:
                lines = [f"{name} = BOOLEAN[data[at]]", "at += 1"]
            case Kind.ARRAY if value_type.items is not None:
                lines = self._array(value_type.items, name, path)
            case Kind.TIMESTAMP if self._plain_times:
                lines = [
                    f"if not ({name} := half_milliseconds(data, at)) & 1:",
                    f"    {name} >>= 1",
                    "    at += 6",
                    "else:",
                    f"    {name}, at = milliseconds(data, at)",
                ]
            case Kind.TIMESTAMP:
                lines = [f"{name}, at = timestamp(data, at)"]
            case _:
                lines = [f"{name}, at = long(data, at)"]
        return lines, name

    def _array(self, items: ValueType, name: str, path: str) -> list[str]:
        lines, value = self._value(items, path)
        function = f"item_of_{name}"
        body = [*lines, f"return {value}, at"]
        self._functions.append("\n".join([f"def {function}(data, text, at):", *_indented(body)]))
        return [
            f"{name} = []",
            "count, at = long(data, at)",
            "while count:",
            "    if count < 0:  # the block's size in bytes follows",
            "        count = -count",
            "        _, at = long(data, at)",
            "    for _ in range(count):",
            f"        item, at = {function}(data, text, at)",
            f"        {name}.append(item)",
            "    count, at = long(data, at)",
        ]

    def _pass_all(self, values: Sequence[ValueType]) -> list[str]:
        """Statements that pass over consecutive values. Most are null: a look at all of them tells often."""
        count = len(values)
        if count < 3 or not all(value.nullable for value in values):
            return [line for value in values for line in self._pass(value)]
        return [
            f"if data.startswith({bytes(count)!r}, at):",
            f"    at += {count}",
            "else:",
            *_indented(self._pass_all(values[: count // 2])),
            *_indented(self._pass_all(values[count // 2 :])),
        ]

    def _pass(self, value_type: ValueType) -> list[str]:
        match value_type.kind:
            case Kind.STRING:
                lines = [*_LENGTH, "at += length"]
            case Kind.DOUBLE:
                lines = ["at += 8"]
            case Kind.BOOLEAN:
                lines = ["at += 1"]
            case Kind.LONG | Kind.TIMESTAMP:
                lines = ["while data[at] > 0x7F:", "    at += 1", "at += 1"]
            case _:
                # Arrays and records: few and small where anything is passed over.
                lines = self._some(value_type, "")[0]
        if not value_type.nullable:
            return lines
        return [
            "branch = data[at]",
            "at += 1",
            "if branch == 2:",
            *_indented(lines),
            "elif branch:",
            "    raise malformed()",
        ]


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]
