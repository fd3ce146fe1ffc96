"""The copy on disk: the latest version of each definition, and how far each partition was read.

Rows and offsets are written in one transaction, so the file is always what the topics said up to some
offsets. Each row names the record that it comes from. A record that comes later and is an older version
changes nothing, so a row is news to whoever knows the topics up to a vector if and only if its own record
lies beyond: whatever copy that vector came from, and in whatever order that copy was read.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self
from zlib import crc32

import msgspec

from app.definitions.changes import ChangedOutcome, Changes, Vector
from app.mastery.definition import OutcomeDefinition, ProficiencyDefinition
from app.state.errors import StateFileUnusable, file_errors, opening_errors
from app.state.files import transaction
from app.state.integrity import LogContent, require_whole_log

__all__ = ["FORMAT", "DefinitionStore", "OutcomeRow", "ProficiencyRow", "changed_since"]

#: Number of the layout of the tables, and of what `app.mastery.definition` reads out of an event: with
#: another number, all is read from the topics again, which takes seconds.
FORMAT: Final = 3

_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE topics (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, topic_id TEXT NOT NULL);
CREATE TABLE positions (
    topic INTEGER, partition INTEGER, next INTEGER NOT NULL, seal INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
-- For `seal` see app.state.integrity.
-- `global_ids` has spaces between them, and is empty for nearly all. `position` is the record's offset.
CREATE TABLE outcomes (
    account TEXT, id TEXT, definition BLOB NOT NULL, global_ids TEXT NOT NULL,
    topic INTEGER NOT NULL, partition INTEGER NOT NULL, position INTEGER NOT NULL, seal INTEGER NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE TABLE proficiencies (
    account TEXT, id TEXT, definition BLOB NOT NULL,
    topic INTEGER NOT NULL, partition INTEGER NOT NULL, position INTEGER NOT NULL, seal INTEGER NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX outcomes_by_record ON outcomes (topic, partition, position);
CREATE INDEX proficiencies_by_record ON proficiencies (topic, partition, position)
"""
_TABLES = {"meta", "topics", "positions", "outcomes", "proficiencies"}

_BEYOND = "topic = (SELECT number FROM topics WHERE name = ?) AND partition = ? AND position >= ?"
_CHANGED_OUTCOMES = f"SELECT account, id, global_ids FROM outcomes WHERE {_BEYOND}"  # noqa: S608 - constants
_CHANGED_ACCOUNTS = f"SELECT account FROM proficiencies WHERE {_BEYOND}"  # noqa: S608

_encode = msgspec.msgpack.Encoder().encode
_decode_outcome = msgspec.msgpack.Decoder(OutcomeDefinition).decode
_decode_proficiency = msgspec.msgpack.Decoder(ProficiencyDefinition).decode


class OutcomeRow(NamedTuple):
    """The latest version of an outcome, and the record that told it."""

    definition: OutcomeDefinition
    global_ids: frozenset[str]
    """The ids by which any root account may mean it; none if it is not global."""
    place: tuple[str, int, int]
    """Topic, partition and offset."""


class ProficiencyRow(NamedTuple):
    """The latest version of a proficiency, and the record that told it."""

    definition: ProficiencyDefinition
    place: tuple[str, int, int]


class DefinitionStore:
    """The file, open for writing. To be used by one thread at a time."""

    def __init__(self, path: Path, topic_ids: Mapping[str, str]) -> None:
        """Open or make the file. `topic_ids` are Kafka's of the topics followed; "" where it has none.

        Raises:
            StateFileUnusable: it is damaged, of another format, or a copy of other topics.
            StateUnavailable: it cannot be made, read or written.
        """
        self.path = path
        log = LogContent.of(path)
        with opening_errors(path):
            # Opened and loaded by the thread that starts the worker, then written by the follower.
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            with opening_errors(path):
                self._prepare(topic_ids, log)
                self._numbers = {
                    str(name): int(number)
                    for number, name in self._db.execute("SELECT number, name FROM topics")
                }
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def positions(self) -> dict[tuple[str, int], int]:
        """Return the next offset to apply of each partition that was read."""
        with file_errors(self.path):
            return _positions(self._db)

    def outcomes(self) -> Iterator[OutcomeRow]:
        """Read all outcomes. Raises StateFileUnusable."""
        names = {number: name for name, number in self._numbers.items()}
        with self._readable():
            found = self._db.execute(
                "SELECT definition, global_ids, topic, partition, position FROM outcomes"
            )
            for definition, ids, topic, partition, position in found:
                yield OutcomeRow(
                    _decode_outcome(definition), frozenset(ids.split()), (names[topic], partition, position)
                )

    def proficiencies(self) -> Iterator[ProficiencyRow]:
        """Read all proficiencies. Raises StateFileUnusable."""
        names = {number: name for name, number in self._numbers.items()}
        with self._readable():
            found = self._db.execute("SELECT definition, topic, partition, position FROM proficiencies")
            for definition, topic, partition, position in found:
                yield ProficiencyRow(_decode_proficiency(definition), (names[topic], partition, position))

    def write(
        self,
        outcomes: Iterable[OutcomeRow],
        proficiencies: Iterable[ProficiencyRow],
        positions: Mapping[tuple[str, int], int],
    ) -> None:
        """Replace rows and note how far was read, all or nothing. Raises StateUnavailable."""
        with transaction(self._db, self.path):
            self._db.executemany(
                "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    _sealed(
                        row.definition.root_account_uuid,
                        row.definition.learning_outcome_id,
                        _encode(row.definition),
                        " ".join(sorted(row.global_ids)),
                        *self._record(row.place),
                    )
                    for row in outcomes
                ),
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO proficiencies VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    _sealed(
                        row.definition.root_account_uuid,
                        row.definition.outcome_proficiency_id,
                        _encode(row.definition),
                        *self._record(row.place),
                    )
                    for row in proficiencies
                ),
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)",
                [
                    _sealed(self._numbers[topic], partition, at)
                    for (topic, partition), at in positions.items()
                ],
            )

    def _record(self, place: tuple[str, int, int]) -> tuple[int, int, int]:
        topic, partition, position = place
        return self._numbers[topic], partition, position

    def _prepare(self, topic_ids: Mapping[str, str], log: LogContent) -> None:
        fresh = self._db.execute("PRAGMA schema_version").fetchone() == (0,)
        self._db.execute("PRAGMA journal_mode = WAL")
        # The topics are the durable copy; WAL keeps the file whole without an fsync for each transaction.
        self._db.execute("PRAGMA synchronous = NORMAL")
        if fresh:
            with transaction(self._db, self.path):
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute("INSERT INTO meta VALUES ('format', ?)", (str(FORMAT),))
                self._db.executemany("INSERT INTO topics (name, topic_id) VALUES (?, ?)", topic_ids.items())
        else:
            require_whole_log(self._db, self.path, log)
            self._check(topic_ids)

    def _check(self, topic_ids: Mapping[str, str]) -> None:
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        held_format = (
            self._db.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
            if tables >= _TABLES
            else None
        )
        if held_format != (str(FORMAT),):
            raise StateFileUnusable(self.path, f"is of another format than {FORMAT}")
        # Half a second for 100,000 outcomes.
        if self._db.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
            raise StateFileUnusable(self.path, "is damaged: its pages do not fit together")
        for table in ("positions", "outcomes", "proficiencies"):
            for row in self._db.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a constant
                if _sealed(*row[:-1]) != row:
                    raise StateFileUnusable(
                        self.path, f"is damaged: one of its {table} is not what was written"
                    )
        held = dict(self._db.execute("SELECT name, topic_id FROM topics"))
        if held.keys() != topic_ids.keys():
            raise StateFileUnusable(self.path, "is a copy of other topics")
        for name, topic_id in topic_ids.items():
            if held[name] != topic_id:
                raise StateFileUnusable(self.path, f"is a copy of {name} as it was before it was made anew")

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        with file_errors(self.path):
            try:
                yield
            except (msgspec.DecodeError, LookupError, AttributeError, TypeError):
                raise StateFileUnusable(self.path, "holds something else than definitions") from None


def changed_since(path: Path, vector: Vector) -> Changes:
    """Read which definitions changed since `vector`, and up to where the file has them; from any thread.

    A partition in which `vector` is ahead of the file counts from 0: it is not the same partition any more.
    Accounts are those in which a proficiency changed. Raises StateFileUnusable and StateUnavailable.
    """
    with (
        file_errors(path),
        contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        ) as db,
    ):
        db.execute("BEGIN")  # one view of rows and positions
        positions = _positions(db)
        outcomes: set[ChangedOutcome] = set()
        accounts: set[str] = set()
        for (topic, partition), position in positions.items():
            since = vector.get((topic, partition), 0)
            where = (topic, partition, since if since <= position else 0)
            for account, outcome_id, ids in db.execute(_CHANGED_OUTCOMES, where):
                outcomes.add(ChangedOutcome(account, outcome_id))
                outcomes.update(ChangedOutcome(None, one) for one in ids.split())
            accounts.update(account for (account,) in db.execute(_CHANGED_ACCOUNTS, where))
        return Changes(frozenset(outcomes), frozenset(accounts), positions)


def _sealed(*values: object) -> tuple[object, ...]:
    """A row with its seal, which is over its values as they come back from the file."""
    return (*values, crc32(_encode(values)))


def _positions(db: sqlite3.Connection) -> dict[tuple[str, int], int]:
    found = db.execute(
        "SELECT name, partition, next FROM positions JOIN topics ON topics.number = positions.topic"
    )
    return {(str(name), int(partition)): int(at) for name, partition, at in found}
