"""`mastery state verify`: what is compared, at which positions, and what comes of it."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from app.mastery.forgotten import remaining
from app.mastery.rollup import roll_up
from app.mastery.row import Row
from app.schemas.contract import Contract
from app.schemas.decoder import AvroDecoder
from app.schemas.registry import schema_lookup
from app.settings import Settings
from app.verify.compare import Comparison, Difference, FoundRow, row_key
from app.verify.group import members
from app.verify.history import DefinitionHistory
from app.verify.offsets import Place, bounds, committed_positions, places_of
from app.verify.records import Workspace
from app.verify.replay import Replayed, replay
from app.verify.tables import RowTables

__all__ = ["Told", "Verdict", "verify"]

#: Rows that are looked at again when they differ or moved. Each is held in memory: some 2 kB.
_MOST_OPEN: Final = 50_000
_PAUSE: Final = 0.5

Told = Callable[[str, int, int], None]
"""Told what is done, how much of it, and of how much."""


@dataclass(slots=True)
class Verdict:
    """What was compared, and what came of it. `differences` are the first that were found."""

    differences: list[Difference] = field(default_factory=list)
    rows: int = 0
    """Rows that were computed, or that are there without results."""
    equal: int = 0
    different: int = 0
    not_verifiable: int = 0
    """Rows that differ from what is left of their events, where some of those are gone."""
    moving: int = 0
    """Rows that changed whenever they were looked at."""
    results: int = 0
    unprocessed: int = 0
    """Offsets of results that no worker has processed: an upper limit of the records."""
    outcomes: int = 0
    workers: int = 0
    positions: dict[str, dict[int, int]] = field(default_factory=dict)
    """Up to where the results were replayed: by topic and partition."""
    begins_late: list[str] = field(default_factory=list)
    """Topics that do not begin at 0."""

    @property
    def exit_code(self) -> int:
        """0 when every row is equal, 1 when one differs, 2 when some could not be compared."""
        if self.different:
            return 1
        return 2 if self.not_verifiable or self.moving else 0


@dataclass(slots=True)
class _Judged:
    row: Replayed
    found: FoundRow
    differences: list[Difference]


class _Verifier:
    def __init__(
        self, settings: Settings, contract: Contract, workspace: Workspace, account: str | None, limit: int
    ) -> None:
        self._settings = settings
        self._prefix = "" if account is None else f"{account}:"
        self._limit = limit
        self._decode = AvroDecoder(schema_lookup(settings, contract)).decode
        self._tables = RowTables(settings, workspace)
        self._history = DefinitionHistory(settings, contract)
        self._places = places_of(settings, settings.result_topics)
        self._partitions = sorted({partition for _, partition in self._places})
        self._comparison = Comparison(contract, self._decode, len(self._partitions))
        self._late: set[int] = set()
        self._judged: dict[bytes, _Judged] = {}
        self.verdict = Verdict()

    def run(self, settle: float, told: Told) -> Verdict:
        verdict = self.verdict
        told("reading definitions", 0, 0)
        self._history.advance()
        before = self._committed()
        self._read_tables(told)
        after = self._committed()
        begins = self._look_at_results(after)
        self._replay_all(begins, before, after, told)
        self._take_unexpected()
        self._settle(after, settle, told)
        for entry in self._judged.values():
            self._conclude(entry)
        verdict.outcomes, verdict.workers = self._history.outcomes, members(self._settings)
        if self._history.begins_late:
            verdict.begins_late.append("a topic of definitions")
        for (topic, partition), offset in sorted(after.items()):
            verdict.positions.setdefault(topic, {})[partition] = offset
        return verdict

    def _committed(self) -> dict[Place, int]:
        found = committed_positions(self._settings, self._places)
        return {place: found[place] or 0 for place in self._places}

    def _read_tables(self, told: Told) -> None:
        total, done = sum(end - start for start, end in self._tables.ends().values()), 0

        def heard(count: int) -> None:
            nonlocal done
            done += count
            told("reading rows", done, total)

        self._tables.advance(self._prefix.encode(), heard)

    def _look_at_results(self, after: dict[Place, int]) -> dict[Place, int]:
        found = bounds(self._settings, self._places)
        self._late = {partition for (_, partition), (begin, _) in found.items() if begin > 0}
        self.verdict.begins_late = sorted({topic for (topic, _), (begin, _) in found.items() if begin > 0})
        self.verdict.unprocessed = sum(
            max(0, end - max(begin, after[place])) for place, (begin, end) in found.items()
        )
        return {place: begin for place, (begin, _) in found.items()}

    def _replay_all(
        self, begins: dict[Place, int], before: dict[Place, int], after: dict[Place, int], told: Told
    ) -> None:
        """One partition after the other: the results of one at a time are held in memory."""
        total, done = sum(max(0, after[place] - begin) for place, begin in begins.items()), 0

        def heard(count: int) -> None:
            nonlocal done
            done += count
            told("replaying results", done, total)

        for partition in self._partitions:
            ours = [place for place in self._places if place[1] == partition]
            rows: dict[bytes, Replayed] = {}
            self.verdict.results += replay(
                self._settings,
                self._decode,
                {place: (begins[place], after[place]) for place in ours},
                before,
                rows,
                forgotten=self._tables.forgotten,
                wanted=lambda key: key.startswith(self._prefix.encode()),
                heard=heard,
            )
            for key, row in rows.items():
                self._expect(key, row)
                self._judge(key, row)

    def _expect(self, key: bytes, row: Replayed) -> None:
        self._tables.rows.expect(key)
        if not self._tables.state.expect(key):
            self._tell([Difference("results", key.decode(), "partition", row.partition, "one partition")])
        for _, course_key in self._comparison.published(key, self._row(row)):
            self._tables.courses.expect(course_key)

    def _take_unexpected(self) -> None:
        for key in dict.fromkeys(self._tables.unexpected(self._prefix.encode())):
            if not self._tables.state.expects(key):
                self._judge(key, Replayed(row_key(key), -1))

    def _judge(self, key: bytes, row: Replayed) -> None:
        """Compare; keep what differs or moved, to look at it again."""
        self.verdict.rows += 1
        found = self._tables.found(key)
        differences = list(self._differences(key, row, found))
        if not (differences or row.moving):
            self.verdict.equal += 1
            return
        entry = _Judged(row, found, differences)
        if len(self._judged) < _MOST_OPEN:
            self._judged[key] = entry
        else:
            self._conclude(entry)

    def _differences(self, key: bytes, row: Replayed, found: FoundRow) -> Iterator[Difference]:
        expected = (row.results, self._row(row)) if row.results.snapshots else None
        return self._comparison.with_truth(key, expected, row.partition, found)

    def _row(self, row: Replayed) -> Row:
        return roll_up(
            row.key,
            row.results,
            self._history.resolve(row.key.root_account_uuid, row.key.learning_outcome_id),
        )

    def _settle(self, after: dict[Place, int], seconds: float, told: Told) -> None:
        """Look again at what differed or moved, while workers may still bring it to where it should be."""
        deadline = time.monotonic() + seconds
        while self._judged and (self._moving() or members(self._settings)):
            if time.monotonic() > deadline:
                return
            told(f"looking again at {len(self._judged)} rows", 0, 0)
            time.sleep(_PAUSE)
            self._history.advance()
            self._tables.advance(self._prefix.encode())
            now = self._committed()
            rows = {key: entry.row for key, entry in self._judged.items()}
            marks = {partition: self._tables.forgotten(partition) for partition in self._partitions}
            for row in rows.values():
                row.moving = False
                if row.partition >= 0 and (at := marks[row.partition].time(*row.key[:2])) is not None:
                    row.results = remaining(row.results, at)
            replay(
                self._settings,
                self._decode,
                {place: (after[place], now[place]) for place in self._places},
                after,
                rows,
                forgotten=self._tables.forgotten,
                wanted=rows.__contains__,
            )
            after = now
            judged, self._judged = self._judged, {}
            self.verdict.rows -= len(judged)
            for key, entry in judged.items():
                self._judge(key, entry.row)

    def _moving(self) -> bool:
        return any(entry.row.moving for entry in self._judged.values())

    def _conclude(self, entry: _Judged) -> None:
        row = entry.row
        if row.moving:
            self.verdict.moving += 1
        elif not self._all_there(row):
            # What is left of the events cannot tell; but the topics must agree with each other.
            told = list(self._comparison.with_state(str(row.key).encode(), entry.found))
            self.verdict.not_verifiable += not told
            self._tell(told)
        else:
            self._tell(entry.differences)

    def _all_there(self, row: Replayed) -> bool:
        if self._history.begins_late:
            return False
        return not self._late if row.partition < 0 else row.partition not in self._late

    def _tell(self, differences: Iterable[Difference]) -> None:
        differences = list(differences)
        self.verdict.different += bool(differences)
        room = self._limit - len(self.verdict.differences)
        self.verdict.differences += differences[: max(0, room)]


def verify(
    settings: Settings,
    contract: Contract,
    *,
    account: str | None = None,
    settle: float = 30.0,
    limit: int = 50,
    told: Told = lambda *_: None,
) -> Verdict:
    """Compute every row (of one root account) from the typed topics, and compare it with what is there.

    What makes it exact beside running workers: the group's committed positions are read before and after the
    topics of rows are; results between the two may be in them or not, so rows that these touch, and rows that
    differ, are looked at again, for up to `settle` seconds while workers run. The positions come with the
    rows in one transaction, and open ones are waited for.

    Raises TopicMissing, BrokerFailure, and what keeps records from being decoded.
    """
    with Workspace() as workspace:
        return _Verifier(settings, contract, workspace, account, limit).run(settle, told)
