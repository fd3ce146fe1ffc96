"""Names for ids, from a file on this machine: never written to Kafka, to the state or to a log."""

import csv
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.errors import MasteryError

__all__ = ["Roster", "RosterFile", "RosterUnusable", "read_roster"]

log = logging.getLogger(__name__)

#: Bytes. 2 million students with names of 40 characters; more is no roster.
_LARGEST: Final = 256 * 1024 * 1024


class RosterUnusable(MasteryError):
    """The roster cannot be read. No line of it is shown."""


@dataclass(frozen=True, slots=True)
class Roster:
    """Names by id. `users`: by user uuid; `courses`: by course id."""

    users: Mapping[str, str] = field(default_factory=dict)
    courses: Mapping[str, str] = field(default_factory=dict)
    _folded: Mapping[str, str] = field(default_factory=dict, repr=False)

    def user_name(self, user_uuid: str) -> str | None:
        """Return a student's name."""
        return self.users.get(user_uuid)

    def course_name(self, course_id: str | None) -> str | None:
        """Return a course's name."""
        return None if course_id is None else self.courses.get(course_id)

    def find_users(self, text: str, limit: int) -> list[str]:
        """Return uuids of students whose names hold all words of `text`, in any case, by name.

        Looks at all names: 0.1 s for a million.
        """
        words = text.casefold().split()
        if not words:
            return []
        found = [uuid for uuid, name in self._folded.items() if all(word in name for word in words)]
        return sorted(found, key=lambda uuid: (self._folded[uuid], uuid))[:limit]


def read_roster(path: Path) -> Roster:
    """Read a CSV file with the columns `kind` (user or course), `id` (user uuid, course id) and `name`.

    Others may stand beside them. Raises RosterUnusable, which names the line and shows nothing of it.
    """
    users: dict[str, str] = {}
    courses: dict[str, str] = {}
    try:
        if path.stat().st_size > _LARGEST:
            raise RosterUnusable(f"the roster {path} is larger than {_LARGEST >> 20} MiB")
        # utf-8-sig: spreadsheets put a byte order mark first.
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file, strict=True)
            missing = {"kind", "id", "name"} - set(lines.fieldnames or ())
            if missing:
                raise RosterUnusable(
                    f"the roster {path} has no column {', '.join(sorted(missing))}",
                    hint="its first line is: kind,id,name",
                )
            for line in lines:
                kind, id_, name = (line[column] or "" for column in ("kind", "id", "name"))
                if kind not in ("user", "course") or not id_.strip():
                    raise RosterUnusable(
                        f"the roster {path}, line {lines.line_num}: kind is user or course, with an id"
                    )
                if name.strip():
                    (users if kind == "user" else courses)[id_.strip()] = name.strip()
    except OSError as error:
        raise RosterUnusable(f"the roster {path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise RosterUnusable(f"the roster {path} is not UTF-8") from None
    except csv.Error as error:
        raise RosterUnusable(f"the roster {path}, line {lines.line_num}: {error}") from None
    return Roster(users, courses, {uuid: name.casefold() for uuid, name in users.items()})


class RosterFile:
    """A roster that is read again when its file changes. For any thread.

    A file that cannot be used once the first was read is told in the log; the former names stay.
    """

    def __init__(self, path: Path | None) -> None:
        """Read it. Raises RosterUnusable."""
        self._path = path
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._roster = Roster() if path is None else read_roster(path)

    def __call__(self) -> Roster:
        """Return the names as the file has them now. Costs a look at the file's time."""
        if self._path is None:
            return self._roster
        with self._lock:
            stamp = self._stamp()
            if stamp != self._seen:
                self._seen = stamp
                try:
                    self._roster = read_roster(self._path)
                except RosterUnusable as error:
                    log.warning("%s; the names read before stay", error)
            return self._roster

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat() if self._path else None
        except OSError:
            return None
        return None if found is None else (found.st_mtime_ns, found.st_size)
