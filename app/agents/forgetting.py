"""Students forgotten: commands of one partition in, tombstones and marks out."""

import logging
from collections.abc import Iterator

from app.agents.mastery import MasteryProcessor
from app.forget.command import CommandUnknown, CommandUnreadable, ForgetCommand, read_command
from app.mastery.forgotten import Forgotten
from app.mastery.snapshot import RowKey
from app.state.table import StateTable
from app.stream.batch import Output, RecordBatch

__all__ = ["Forgetting"]

log = logging.getLogger(__name__)

#: Keys that are read at a time.
_PIECE = 1_000


class Forgetting:
    """Applies the commands of a partition, whose writer it is along with the processor.

    `forgotten` holds the marks of each partition owned; the processor goes by them from the next batch on.
    """

    def __init__(
        self, table: StateTable, processor: MasteryProcessor, forgotten: dict[int, Forgotten]
    ) -> None:
        self._table = table
        self._processor = processor
        self._forgotten = forgotten

    def __call__(self, batch: RecordBatch) -> Output:
        """Apply a batch of commands, one after another.

        A record that is no command is passed over, and said to be. Raises CommandUnknown, and what the
        processor raises.
        """
        output = Output()
        for record in batch.records:
            where = f"{batch.topic} partition {batch.partition} offset {record.offset}"
            try:
                command = read_command(record.key, record.value)
            except CommandUnreadable as error:
                log.error("%s is passed over: %s", where, error)  # noqa: TRY400 - its content stays out of logs
                output.mastery["no-command"] += 1
            except CommandUnknown as error:
                raise CommandUnknown(
                    f"{where}: {error}", hint="a newer version wrote it: run that version"
                ) from None
            else:
                self._forget(batch.partition, command, output)
        return output

    def _forget(self, partition: int, command: ForgetCommand, output: Output) -> None:
        account, user, at = command
        known = self._forgotten.setdefault(partition, Forgotten())
        marks = known.forget(account, user, at)
        # One that was applied before, and comes again, changes nothing.
        rows = list(self._rows(partition, account, user))
        self._processor.forget(partition, rows, at, marks, output)
        output.mastery["forgotten"] += 1

    def _rows(self, partition: int, account: str, user: str) -> Iterator[RowKey]:
        prefix = f"{account}:{user}:".encode()
        keys = {key for key in self._table.staged_keys(partition) if key.startswith(prefix)}
        after = b""
        while found := self._table.scan_keys(partition, prefix=prefix, after=after, limit=_PIECE):
            after = found[-1]
            keys.update(found)
        for key in sorted(keys):
            outcome = key[len(prefix) :].decode()
            # Else another student, whose uuid begins with this one and a colon.
            if ":" not in outcome:
                yield RowKey(account, user, outcome)
