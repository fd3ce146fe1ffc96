"""Rows computed again when what they are computed with has changed: in bounded pieces, between batches."""

import asyncio
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Protocol

from app.agents.mastery import MasteryProcessor
from app.definitions.changes import ChangedOutcome, Changes, Vector
from app.errors import MasteryError
from app.mastery.snapshot import RowKey
from app.state.table import StateTable
from app.stream.application import StreamApp
from app.stream.batch import Assignment, Output, Touch

__all__ = ["Recomputation"]

#: Rows. Some 10 ms of the event loop; the next batch of results waits no longer.
_PIECE: Final = 500

#: Seconds. So many pieces are computed even while live batches leave no room: 10,000 rows a second.
_PATIENCE: Final = 0.05

#: Seconds.
_LOOK_EVERY: Final = 0.2

#: Name of the note in a partition's file: up to where in the topics of definitions its rows agree with them.
_VECTOR: Final = "definitions"


class ChangeSource(Protocol):
    """The part of Definitions that is used here."""

    @property
    def identity(self) -> str:
        """Of which topics and rules the vectors are."""

    @property
    def vector(self) -> Vector:
        """How far each partition is applied."""

    def take_changes(self) -> Changes:
        """Return what changed since this was called last."""

    def changed_since(self, vector: Vector) -> Changes:
        """Return what changed since `vector`."""


class Recomputation:
    """Keeps the rows of the owned partitions in agreement with the definitions.

    At a take-over each partition is brought up to now from where its file says that it was, or all of its
    rows are looked at, where the file does not say: it was restored. Then definitions are followed as they
    change. A partition's file learns how far it agrees once its rows are computed again, not before, so a
    worker that ends meanwhile begins there again.
    """

    def __init__(
        self,
        app: StreamApp,
        table: StateTable,
        definitions: ChangeSource,
        processor: Callable[[], MasteryProcessor],
        topic: str,
    ) -> None:
        self._app = app
        self._table = table
        self._definitions = definitions
        self._processor = processor
        self._topic = topic
        self._current: Assignment | None = None

    async def run(self) -> None:
        """Work for ever, or until rows or definitions cannot be read: then the app fails."""
        try:
            await self._run()
        except MasteryError as error:
            self._app.fail(error)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            assignment = self._app.checkpointer.assignment
            if assignment is None:
                continue
            if assignment is not self._current:
                # Taken before what is told from files: what changes meanwhile comes with the next take.
                self._definitions.take_changes()
                if await self._bring_up(assignment):
                    self._current = assignment
            elif changes := self._definitions.take_changes():
                for number in self._table.partitions:
                    await self._sweep(assignment, number, changes)

    def _is_current(self, assignment: Assignment) -> bool:
        # To be asked after each wait: the partitions may have gone meanwhile, and others come.
        return self._app.checkpointer.is_current(assignment)

    async def _bring_up(self, assignment: Assignment) -> bool:
        for number in self._table.partitions:
            if not self._is_current(assignment):
                return False
            vector = self._noted(number)
            if vector is None:
                known = self._definitions.vector
                await self._recompute(assignment, number, self._all_keys(number))
                await self._note(assignment, number, known)
                continue
            loop = asyncio.get_running_loop()
            changes = await loop.run_in_executor(None, partial(self._definitions.changed_since, vector))
            await self._sweep(assignment, number, changes)
        return self._is_current(assignment)

    async def _sweep(self, assignment: Assignment, number: int, changes: Changes) -> None:
        for changed in changes.outcomes:
            await self._recompute(assignment, number, self._keys_of_outcome(number, changed))
        for account in changes.accounts:
            await self._recompute(assignment, number, self._all_keys(number, f"{account}:".encode()))
        if self._is_current(assignment) and self._noted(number) != changes.vector:
            await self._note(assignment, number, changes.vector)

    def _noted(self, number: int) -> Vector | None:
        """Up to where a partition's rows agree; None where it is not known, or of other topics or rules."""
        text = self._table.note_of(number, _VECTOR)
        if text is None:
            return None
        identity, places = json.loads(text)
        if identity != self._definitions.identity:
            return None
        return {(topic, partition): offset for topic, partition, offset in places}

    async def _recompute(self, assignment: Assignment, number: int, pieces: Iterator[list[bytes]]) -> None:
        """Compute the rows of all keys again, unless the partition goes meanwhile."""
        process = self._processor()
        while True:
            # Pieces wait in no line, or each live batch would stand behind as many as there is room for.
            await self._app.handover.spare(_PATIENCE)
            if not self._is_current(assignment) or (keys := next(pieces, None)) is None:
                return
            output = process.recompute(number, map(_row_key, keys))
            if output.changes:
                output.mastery["recomputed"] += len(output.changes[0].rows)
                await self._app.handover.put(Touch(self._topic, number, assignment), output)
            else:
                await asyncio.sleep(0)

    async def _note(self, assignment: Assignment, number: int, vector: Vector) -> None:
        if self._is_current(assignment):
            places = sorted([*place, offset] for place, offset in vector.items())
            text = json.dumps([self._definitions.identity, places])
            note = self._table.note(number, **{_VECTOR: text})
            output = Output(changes=[note])
            await self._app.handover.put(Touch(self._topic, number, assignment), output)

    def _keys_of_outcome(self, number: int, changed: ChangedOutcome) -> Iterator[list[bytes]]:
        outcome = changed.learning_outcome_id.encode()
        prefix = b"" if changed.root_account_uuid is None else f"{changed.root_account_uuid}:".encode()
        yield from self._staged(number, prefix, b":" + outcome)
        after = b""
        while keys := self._table.keys_of_outcome(number, outcome, after=after, limit=_PIECE):
            after = keys[-1]
            yield [key for key in keys if key.startswith(prefix)]

    def _all_keys(self, number: int, prefix: bytes = b"") -> Iterator[list[bytes]]:
        yield from self._staged(number, prefix)
        after = b""
        while keys := self._table.scan_keys(number, prefix=prefix, after=after, limit=_PIECE):
            after = keys[-1]
            yield keys

    def _staged(self, number: int, prefix: bytes, suffix: bytes = b"") -> Iterator[list[bytes]]:
        # What is staged now and written later is not among the keys in the file.
        keys = [
            key for key in self._table.staged_keys(number) if key.startswith(prefix) and key.endswith(suffix)
        ]
        for start in range(0, len(keys), _PIECE):
            yield keys[start : start + _PIECE]


def _row_key(key: bytes) -> RowKey:
    root_account, _, rest = key.decode().partition(":")
    user, _, outcome = rest.rpartition(":")
    return RowKey(root_account, user, outcome)
