"""The command to forget a student as a record: key `<root account>:<user>`, value JSON."""

from typing import NamedTuple

import msgspec

from app.errors import MasteryError

__all__ = ["CommandUnknown", "CommandUnreadable", "ForgetCommand", "read_command"]

_FORGET = "forget"


class CommandUnreadable(MasteryError):
    """A record in the topic of commands that is no command."""


class CommandUnknown(MasteryError):
    """A command that this version does not know: a newer one wrote it."""


class _Value(msgspec.Struct):
    command: str
    at: int | None = None


class ForgetCommand(NamedTuple):
    """Forget what events up to `at` (milliseconds since 1970) told of a student."""

    root_account_uuid: str
    """`-` for events that name no account, as in the keys of the typed topics."""
    user_uuid: str
    at: int

    @property
    def key(self) -> bytes:
        """The record's key: that of the student's results, so that it comes to the partition of the rows."""
        return f"{self.root_account_uuid}:{self.user_uuid}".encode()

    @property
    def value(self) -> bytes:
        """The record's value."""
        return msgspec.json.encode(_Value(_FORGET, self.at))


def read_command(key: bytes | None, value: bytes | None) -> ForgetCommand:
    """Return what a record commands.

    Raises CommandUnknown and CommandUnreadable; neither tells any of the record's content.
    """
    try:
        content = msgspec.json.decode(value or b"", type=_Value)
    except msgspec.DecodeError:
        raise CommandUnreadable("the value is no command") from None
    if content.command != _FORGET:
        raise CommandUnknown("the command is none that this version knows")
    try:
        account, _, user = (key or b"").decode().partition(":")
    except UnicodeDecodeError:
        raise CommandUnreadable("the key is no UTF-8") from None
    if not account or not user:
        raise CommandUnreadable("the key names no student")
    if content.at is None or not 0 <= content.at < 1 << 63:
        raise CommandUnreadable("the value names no time")
    return ForgetCommand(account, user, content.at)
