"""Goes through all files: what is looked up, then definitions, then results."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from app.backfill.directory import Directory
from app.backfill.errors import BackfillError, Problem, RowRefused, Skipped
from app.backfill.events import EVENT_TABLES, EventMaker, Institution, Made
from app.backfill.kinds import LINKING, Kind, Pass
from app.backfill.plan import Step
from app.backfill.rest import Part, parts
from app.backfill.rows import BadLine, Row, RowFile
from app.backfill.sinks import Sink
from app.backfill.state import Progress, StateFile
from app.backfill.tally import Problems, Tally, Trouble
from app.events.errors import EventRefused

__all__ = ["Backfill", "Watcher"]

_SECONDS: Final = 1.0
_ROWS: Final = 5_000

#: What rows of a table are looked up for.
_TAUGHT: Final = frozenset(
    {
        Kind.USERS,
        Kind.ACCOUNTS,
        Kind.COURSES,
        Kind.ROSTER,
        Kind.RUBRIC_ASSOCIATIONS,
        Kind.RATINGS,
        Kind.OUTCOMES,
        Kind.GROUPS,
    }
)
#: Of these, answers hold the same again and again. There are few enough to remember.
_OFTEN: Final = frozenset({Kind.OUTCOMES, Kind.GROUPS})
_PASS_OF: Final = {
    table: (
        Pass.RESULTS if table is Kind.RESULTS else Pass.DEFINITIONS if table in EVENT_TABLES else Pass.LOOKUPS
    )
    for table in Kind
}


@dataclass(slots=True)
class Watcher:
    """Who looks on. Called often, and meant to return at once."""

    progress: Callable[[Step, int], None] = lambda _step, _bytes: None
    """Bytes of the step's file that are read."""
    made: Callable[[Made], None] = lambda _made: None
    before: Callable[[], None] = lambda: None
    """Before each event that goes to the sink; may wait."""


class Backfill:
    """One run over `plan`. `check` raises EventRefused for an event that the stream would not take."""

    def __init__(
        self,
        plan: Sequence[Step],
        institution: Institution,
        sink: Sink,
        problems: Problems,
        *,
        check: Callable[[bytes], Any],
        most_bytes: int,
        watcher: Watcher | None = None,
        strict: bool = False,
    ) -> None:
        self.tally = Tally()
        self._plan = plan
        self._sink = sink
        self._problems = problems
        self._check = check
        self._most_bytes = most_bytes
        self._watcher = watcher or Watcher()
        self._strict = strict
        self._directory = Directory(institution.root_account_id)
        self._maker = EventMaker(institution, self._directory)
        self._has_root = institution.root_account is not None
        self._seen: set[bytes] = set()
        self._silent = False

    def run(self, state: StateFile | None, progress: Progress) -> None:
        """Go on where `progress` is, and note in `state` how far it comes.

        Raises BackfillError at the first problem where `strict`, and what reading and the sink raise.
        """
        self.tally = Tally.of(progress.counts) if progress.counts else Tally()
        with self._directory:
            for number, step in enumerate(self._plan):
                if step.when is not Pass.LOOKUPS and not self._directory.has_roots and not self._has_root:
                    raise BackfillError(
                        "the root account is not known", hint="give --root-account, or the accounts table"
                    )
                done = number < progress.step
                if done and not _learnt_from(step):
                    continue
                skip = progress.row if number == progress.step else 0
                self._step(step, _Cursor(number, skip, whole=done), state, progress)

    def _step(self, step: Step, cursor: "_Cursor", state: StateFile | None, progress: Progress) -> None:
        """Read one file once. What was done before is only learnt again: it is neither sent nor counted."""
        file = RowFile(step.path)
        count, noted, saved = 0, time.monotonic(), 0
        for row in file.rows():
            count += 1
            self._silent = cursor.whole or count <= cursor.skip
            if not self._silent or _learnt_from(step):
                self._row(step, row)
            if count % 64 == 0:
                self._watcher.progress(step, file.done)
            if self._silent or (count - saved < _ROWS and time.monotonic() - noted < _SECONDS):
                continue
            saved, noted = count, time.monotonic()
            self._note(state, progress, cursor.number, count)
        self._watcher.progress(step, step.path.stat().st_size)
        self._silent = False
        if not cursor.whole:
            self._note(state, progress, cursor.number + 1, 0)

    def _note(self, state: StateFile | None, progress: Progress, step: int, row: int) -> None:
        self._sink.settle()
        self._problems.flush()
        # Before the first event there is nothing to go on with: a wrong call leaves nothing behind.
        if state is not None and self.tally.sent:
            progress.step, progress.row = step, row
            progress.out_bytes, progress.problem_bytes = self._sink.size, self._problems.size
            progress.counts = self.tally.as_dict()
            state.save(progress)

    def _row(self, step: Step, row: Row | BadLine) -> None:
        if isinstance(row, BadLine):
            if step.last:
                self._count(self.tally.read, step.kind)
                self._trouble(step, row.line, step.kind, RowRefused(row.problem, row.detail))
            return
        try:
            for part in parts(step.kind, row.values):
                self._part(step, row.line, part)
        except RowRefused as refused:
            if step.last:
                self._count(self.tally.read, step.kind)
                self._trouble(step, row.line, step.kind, refused, row.values)

    def _part(self, step: Step, line: int, part: Part) -> None:
        table = part.table
        mine = _PASS_OF[table] is step.when
        if mine:
            self._count(self.tally.read, table)
        try:
            if step.when is Pass.LOOKUPS and table in _TAUGHT and not part.abbreviated:
                self._directory.take(table, part.values)
                if mine:
                    self._count(self.tally.used, table)
            elif mine:
                self._event(step, table, part)
        except RowRefused as refused:
            # What is looked up and sent is told once.
            if mine:
                self._trouble(step, line, table, refused, part.values)

    def _event(self, step: Step, table: Kind, part: Part) -> None:
        made = self._maker.make(part)
        if isinstance(made, Made) and step.kind in LINKING and table in _OFTEN:
            digest = blake2b(made.raw, digest_size=16).digest()
            if digest in self._seen:
                made = Skipped.REPEATED
            else:
                self._seen.add(digest)
        if isinstance(made, Skipped):
            self._count(self.tally.skipped, f"{table} {made}")
            return
        if len(made.raw) > self._most_bytes:
            raise RowRefused(Problem.TOO_LARGE)
        if self._silent:
            return
        try:
            self._check(made.raw)
        except EventRefused as error:
            raise RowRefused(Problem.REFUSED, str(error)) from None
        self._watcher.before()
        self._sink.take(made.raw)
        self._watcher.made(made)
        self._count(self.tally.sent, made.name)
        self._count(self.tally.sent_of, table)

    def _count(self, counts: Any, name: str) -> None:
        if not self._silent:
            counts[str(name)] += 1

    def _trouble(self, step: Step, line: int, table: Kind, refused: RowRefused, values: Any = None) -> None:
        if self._silent:
            return
        number = values.get("id") if hasattr(values, "get") else None
        trouble = Trouble(
            str(step.path),
            line,
            str(table),
            refused.problem,
            refused.field,
            str(number)
            if isinstance(number, int) or (isinstance(number, str) and number.isdigit())
            else None,
        )
        self._count(self.tally.problems, f"{table} {refused.problem}")
        self._problems.add(trouble)
        if self._strict:
            self._problems.flush()
            raise BackfillError(
                str(trouble), hint="without --strict such rows are put into a file, and the rest is sent"
            )


def _learnt_from(step: Step) -> bool:
    """Whether a step that is done has to be read again by a run that goes on."""
    return step.when is Pass.LOOKUPS or (step.when is Pass.DEFINITIONS and step.kind in LINKING)


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where in the plan: `skip` rows of this step are done, or the `whole` of it."""

    number: int
    skip: int
    whole: bool
