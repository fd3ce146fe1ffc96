"""The definitions as the worker's file has them, for a process beside it that only looks."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from app.definitions.changes import Vector
from app.definitions.lookup import Lookup
from app.definitions.store import FORMAT, OutcomeRow, ProficiencyRow
from app.mastery.definition import OutcomeDefinition, ProficiencyDefinition
from app.mastery.rules import MasteryRules
from app.state.errors import StateError, file_errors

__all__ = ["DefinitionReader"]

#: Seconds for which what was read is fresh enough.
_KEEP: Final = 1.0

_BEYOND: Final = "topic = ? AND partition = ? AND position >= ?"
_OUTCOMES: Final = f"SELECT definition, global_ids, position FROM outcomes WHERE {_BEYOND}"  # noqa: S608 - constants
_PROFICIENCIES: Final = f"SELECT definition, position FROM proficiencies WHERE {_BEYOND}"  # noqa: S608

_decode_outcome = msgspec.msgpack.Decoder(OutcomeDefinition).decode
_decode_proficiency = msgspec.msgpack.Decoder(ProficiencyDefinition).decode

_Identity = tuple[tuple[str, str], ...]
"""The topics that the file is a copy of, each with Kafka's id of it."""


class DefinitionReader:
    """Look-ups that follow the worker's file. For any threads.

    Only what changed since the last look is read. A file that is not there, or cannot be read now, leaves
    what was known.
    """

    def __init__(self, path: Path, rules: MasteryRules, *, keep: float = _KEEP) -> None:
        self.path = path
        self._rules = rules
        self._keep = keep
        self._lock = threading.Lock()
        self._lookup = Lookup(rules)
        self._identity: _Identity | None = None
        self._vector: Vector = {}
        self._looked_at = float("-inf")
        self._version = 0

    def lookup(self) -> Lookup:
        """Return what is known, at most a second old."""
        if time.monotonic() - self._looked_at < self._keep:
            return self._lookup
        with self._lock:
            if time.monotonic() - self._looked_at >= self._keep:
                with contextlib.suppress(StateError, msgspec.DecodeError):
                    self._read()
                self._looked_at = time.monotonic()
            return self._lookup

    @property
    def version(self) -> int:
        """Changes with what `lookup` knows."""
        return self._version

    @property
    def known(self) -> bool:
        """Whether the file was ever read."""
        return self._identity is not None

    def _read(self) -> None:
        with self._opened() as db:
            if db.execute("SELECT value FROM meta WHERE name = 'format'").fetchone() != (str(FORMAT),):
                return
            topics = {
                int(number): str(name) for number, name in db.execute("SELECT number, name FROM topics")
            }
            identity = tuple(db.execute("SELECT name, topic_id FROM topics ORDER BY name").fetchall())
            vector = {
                (topics[number], int(partition)): int(at)
                for number, partition, at in db.execute("SELECT topic, partition, next FROM positions")
            }
            if identity == self._identity and vector == self._vector:
                return
            fresh = identity != self._identity or any(
                vector.get(place, 0) < at for place, at in self._vector.items()
            )
            before: Vector = {} if fresh else self._vector
            outcomes, proficiencies = [], []
            for number, name in topics.items():
                for (topic, partition), at in vector.items():
                    since = before.get((topic, partition), 0)
                    if topic == name and since < at:
                        place = (number, partition, since)
                        outcomes += _outcomes(db, place, name)
                        proficiencies += _proficiencies(db, place, name)
        lookup = Lookup(self._rules) if fresh else self._lookup
        lookup.apply(outcomes, proficiencies)
        self._lookup, self._identity, self._vector = lookup, identity, vector
        self._version += 1

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        address = f"{self.path.absolute().as_uri()}?mode=ro"
        with (
            file_errors(self.path),
            contextlib.closing(sqlite3.connect(address, uri=True, isolation_level=None)) as db,
        ):
            db.execute("BEGIN")  # one view of rows and positions
            yield db


def _outcomes(db: sqlite3.Connection, place: tuple[int, int, int], topic: str) -> list[OutcomeRow]:
    return [
        OutcomeRow(_decode_outcome(definition), frozenset(ids.split()), (topic, place[1], position))
        for definition, ids, position in db.execute(_OUTCOMES, place)
    ]


def _proficiencies(db: sqlite3.Connection, place: tuple[int, int, int], topic: str) -> list[ProficiencyRow]:
    return [
        ProficiencyRow(_decode_proficiency(definition), (topic, place[1], position))
        for definition, position in db.execute(_PROFICIENCIES, place)
    ]
