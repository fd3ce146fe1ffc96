"""The file with the logins: TOML, one table for each user, read again when it changes."""

import logging
import re
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from app.errors import MasteryError
from app.web.security.passwords import PasswordHash
from app.web.security.tokens import parse_token_hash
from app.web.security.viewer import Role, Viewer

__all__ = ["User", "UsersFile", "UsersFileUnusable", "check_user_name", "parse_users"]

log = logging.getLogger(__name__)

_FIELDS: Final = ("role", "password_hash", "token_hash", "accounts", "courses")
_HINT: Final = "`mastery web-user NAME --role ROLE` prints an entry as it must be"
#: Seconds between two looks at whether the file has changed.
_EVERY: Final = 1.0


class UsersFileUnusable(MasteryError):
    """The file with the logins cannot be read, or something in it cannot be understood."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class User:
    """One login. Without password and token it is known by a proxy alone."""

    viewer: Viewer
    password: PasswordHash | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


class UsersFile:
    """The users of a file as it is, or as it last was when it could be read.

    Raises UsersFileUnusable when it is made of a file that cannot be used.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._looked = clock()
        self._stamp = self._look()
        self._users = self._read()

    @property
    def users(self) -> Mapping[str, User]:
        """All users by name; looks for changes at most once a second."""
        now = self._clock()
        if now - self._looked >= _EVERY:
            self._looked = now
            self._refresh()
        return self._users

    def _refresh(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._users = self._read()
        except UsersFileUnusable as error:
            log.error("%s; the logins stay as they were", error)  # noqa: TRY400 - one line says it all
        else:
            log.info("%s was read again: %d users", self._path, len(self._users))

    def _look(self) -> tuple[int, ...]:
        try:
            now = self._path.stat()
        except OSError:
            return ()
        # Editors write a new file and give it the old name: its number tells.
        return now.st_mtime_ns, now.st_size, now.st_ino

    def _read(self) -> Mapping[str, User]:
        try:
            text = self._path.read_text(encoding="utf-8")
        except OSError as error:
            raise UsersFileUnusable(
                f"{self._path} cannot be read: {error.strerror or error}", hint=_HINT
            ) from None
        except UnicodeDecodeError:
            raise UsersFileUnusable(f"{self._path} is not text in UTF-8", hint=_HINT) from None
        return parse_users(text, str(self._path))


def check_user_name(name: str) -> str:
    """Accept a name that Basic can carry and a line of a log can hold. Raises ValueError."""
    if not 1 <= len(name) <= 128 or ":" in name or not name.isprintable() or name != name.strip():
        message = "a name has 1 to 128 printable characters, no colon, and no space at its ends"
        raise ValueError(message)
    return name


def parse_users(text: str, file: str) -> dict[str, User]:
    """Read the users. Raises UsersFileUnusable with file, line and field, and no value of the file."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        number = int(line[1]) if line else len(text.splitlines())
        raise UsersFileUnusable(f"{file}:{number}: this is no TOML", hint=_HINT) from None
    if unknown := sorted(set(content) - {"users"}):
        raise UsersFileUnusable(
            f"{file}:{_line(text, unknown[0])}: {unknown[0]} means nothing here: users stand in [users.NAME]",
            hint=_HINT,
        )
    users = content.get("users", {})
    found: dict[str, User] = {}
    if not isinstance(users, dict):
        raise UsersFileUnusable(
            f"{file}:{_line(text, 'users')}: users must be tables: [users.NAME]", hint=_HINT
        )
    for name, entry in users.items():
        try:
            found[name] = _user(name, entry)
        except _WrongField as wrong:
            where = f"{file}:{_line(text, name, wrong.field)}"
            what = f"users.{name}.{wrong.field}" if wrong.field else f"users.{name}"
            raise UsersFileUnusable(f"{where}: {what} {wrong}", hint=_HINT) from None
    _refuse_one_token_twice(found, text, file)
    return found


class _WrongField(ValueError):
    def __init__(self, field: str | None, message: str) -> None:
        super().__init__(message)
        self.field = field


def _user(name: str, entry: Any) -> User:
    if not isinstance(entry, dict):
        raise _WrongField(None, "must be a table: [users.NAME]")
    try:
        check_user_name(name)
    except ValueError as error:
        raise _WrongField(None, f"cannot be a login: {error}") from None
    if unknown := sorted(set(entry) - set(_FIELDS)):
        raise _WrongField(unknown[0], f"is not known: there are {', '.join(_FIELDS)}")
    try:
        role = Role(entry.get("role", ""))
    except ValueError:
        raise _WrongField("role", f"must be one of {', '.join(Role)}") from None
    viewer = Viewer(name, role, _limits(entry, "accounts"), _limits(entry, "courses"))
    password, token = _text(entry, "password_hash"), _text(entry, "token_hash")
    kept_password = kept_token = None
    try:
        where = "password_hash"
        kept_password = None if password is None else PasswordHash.parse(password)
        where = "token_hash"
        kept_token = None if token is None else parse_token_hash(token)
    except ValueError as error:
        raise _WrongField(where, str(error)) from None
    return User(viewer, kept_password, kept_token)


def _text(entry: Mapping[str, Any], name: str) -> str | None:
    value = entry.get(name)
    if value is not None and not isinstance(value, str):
        raise _WrongField(name, "must be text")
    return value


def _limits(entry: Mapping[str, Any], name: str) -> frozenset[str] | None:
    """Left out, it is everything. An empty list would be nothing, which nobody means."""
    if name not in entry:
        return None
    value = entry[name]
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one for one in value):
        raise _WrongField(name, 'must be a list of ids, such as ["1234"]; leave it out for all')
    return frozenset(value)


def _refuse_one_token_twice(users: Mapping[str, User], text: str, file: str) -> None:
    owners: dict[str, str] = {}
    for name, user in users.items():
        if user.token is None:
            continue
        if (other := owners.setdefault(user.token, name)) != name:
            raise UsersFileUnusable(
                f"{file}:{_line(text, name, 'token_hash')}: users.{name}.token_hash is that of {other}, too",
                hint="give each user a token of their own",
            )


def _line(text: str, name: str, part: str | None = None) -> int:
    """The line that a table, or a field of it, is most likely in: tomllib does not tell."""
    lines = text.splitlines()
    quoted = rf"""["']?{re.escape(name)}["']?"""
    start = 0
    for number, line in enumerate(lines):
        if re.match(rf"\s*(\[\s*(users\s*\.\s*)?{quoted}\s*[\].]|{quoted}\s*=|users\s*\.\s*{quoted})", line):
            start = number
            break
    if part is not None:
        for number, line in enumerate(lines[start:], start):
            if re.search(rf"""(^|[\s.{{,])["']?{re.escape(part)}["']?\s*=""", line):
                return number + 1
            if number > start and line.lstrip().startswith("["):
                break
    return start + 1
