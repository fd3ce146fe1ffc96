"""One run of mastery under faults: a school is fed, workers come and go, at the end every row is judged."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.kafka import client_config
from app.state.restore import restore
from app.state.store import PartitionStore, StoreIdentity
from tests.chaos.record import RunRecord
from tests.chaos.row_judge import RowJudge, last_values
from tests.chaos.run import FaultRun
from tests.chaos.runs import Cluster
from tests.chaos.school import School, typed_history
from tests.support.records import CommittedOffsets, Record, end_offsets, read_all
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from app.settings import Settings

__all__ = ["MasteryRun"]


class MasteryRun(FaultRun):
    """Like FaultRun, with a school for a workload; `finish` judges the rows, too."""

    def __init__(
        self,
        kafka: Cluster,
        settings: "Settings",
        folder: Path,
        *,
        rate: int,
        seed: int,
        record: RunRecord,
    ) -> None:
        self.school = School(seed)
        super().__init__(kafka, settings, folder, self.school, rate=rate, record=record)

    def state_folder(self, name: str) -> Path:
        """Where the worker of that name keeps its state."""
        return self.folder / f"{name}-state"

    def wait_for_rows(self, count: int, timeout: float = 60.0) -> None:
        """Wait until the topic of rows holds so many more records and markers."""
        topic = [self.settings.typed_topic("outcome_mastery")]
        goal = sum(end_offsets(self.kafka.bootstrap, topic).values()) + count
        wait_until(
            lambda: sum(end_offsets(self.kafka.bootstrap, topic).values()) >= goal,
            timeout=timeout,
            what=f"{count} more rows",
            detail=self.logs,
        )

    def finish(self, *, timeout: float = 120.0, rebuilt: bool = False) -> None:
        """Stop feeding, wait until every row is what the oracle says, end the workers, and judge.

        After a rebuild rows go through their history once more, so records may repeat what they replace.
        """
        judge = self.judge_of_fed()
        assert len(judge.rows) > 100, "hardly any rows: the run proves nothing"
        self._wait_until_applied(timeout)
        self._wait_until(lambda: judge.differences(*self.published()) == 0, judge)
        for worker in self.workers:
            self.release(worker)
            if worker.running:
                worker.terminate()
                assert worker.wait(30.0) == 0, worker.log
        self._judge_events()
        self._judge(judge, rebuilt=rebuilt)
        self._judge_commits(rebuilt=rebuilt)

    def _wait_until_applied(self, timeout: float) -> None:
        """Wait until all input is committed: the raw topic first, as it makes the others longer."""
        for topics in ([self.raw], list(self.settings.result_topics)):
            offsets = CommittedOffsets(self.kafka.bootstrap, self.settings.group_id, topics)
            try:

                def left(topics: list[str] = topics, offsets: CommittedOffsets = offsets) -> int:
                    ends = end_offsets(self.kafka.bootstrap, topics)
                    committed = offsets.read()
                    return sum(max(0, end - committed.get(place, 0)) for place, end in ends.items())

                wait_until(
                    lambda: left() == 0,
                    timeout=timeout,
                    what=f"all of {topics} to be committed",
                    detail=lambda: f"{left()} left\n{self.logs()}",
                    interval=0.2,
                )
            finally:
                offsets.close()

    def _wait_until(self, agreed: Callable[[], bool], judge: RowJudge) -> None:
        def detail() -> str:
            judge.check_published(*self.published())
            return f"{judge}\n{self.logs()}"

        wait_until(agreed, timeout=30.0, what="every row to be the oracle's", detail=detail, interval=0.5)

    def judge_of_fed(self) -> RowJudge:
        """Stop feeding, and return the judge of what was fed."""
        fed = self.feeder.stop()
        history = typed_history(item.event for _, item in sorted(fed.items()))
        return RowJudge(history, scales=self.settings.account_level_scales)

    def published(self) -> tuple[list[Record], list[Record]]:
        """Return all records of the two topics of rows."""
        rows, courses = (
            read_all(self.kafka.bootstrap, self.settings.typed_topic(name), timeout=60.0)
            for name in ("outcome_mastery", "course_outcome_mastery")
        )
        return rows, courses

    def _judge(self, judge: RowJudge, *, rebuilt: bool) -> None:
        judge.check_published(*self.published(), rebuilt=rebuilt)
        records = read_all(self.kafka.bootstrap, self.settings.changelog_topic, timeout=60.0)
        results = read_all(self.kafka.bootstrap, self.settings.result_topics, timeout=60.0)
        changelog = last_values(records)
        judge.check_state("changelog", changelog)
        judge.check_together(
            judge.check_partitions("changelog", records), judge.check_partitions("results", results)
        )
        judge.check_same("state files", self._held(records, judge), changelog)
        judge.check_same("restored state", self._restored(), changelog)
        self.measure(
            rows=len(judge.rows),
            rows_of_courses=len(judge.courses),
            rows_wrong=sum(map(len, judge.problems().values())),
        )
        self.first_wrong = str(judge) if judge.problems() else ""
        assert not judge.problems(), f"{judge}\n{self._evidence()}"

    def _held(self, changelog: Sequence[Record], judge: RowJudge) -> dict[bytes, bytes]:
        """Return what the workers' files hold: of each partition, the file that has come furthest."""
        ends: dict[int, int] = {}
        for record in changelog:
            ends[record.partition] = record.offset + 1
        rows: dict[bytes, bytes] = {}
        for partition, end in ends.items():
            files = self.folder.glob(f"*-state/mastery/{partition}.db")
            position, found = max((_read_file(path) for path in files), key=lambda one: one[0])
            if position < end:
                judge.note("state files: behind the changelog", f"{partition}: {position} of {end}")
            rows.update(found)
        return rows

    def _restored(self) -> dict[bytes, bytes]:
        """Restore the state from the changelog into an empty folder."""
        folder = self.folder / "restored"
        folder.mkdir()
        topic, partitions = self.settings.changelog_topic, self.settings.partitions
        stores = {
            number: PartitionStore(folder / f"{number}.db", StoreIdentity(topic, "", number, partitions, 1))
            for number in range(partitions)
        }
        try:
            assert restore(client_config(self.settings), topic, stores, check=lambda _: True)
        finally:
            for store in stores.values():
                store.close()
        rows: dict[bytes, bytes] = {}
        for store in stores.values():
            rows.update(_read_file(store.path)[1])
        return rows


def _read_file(path: Path) -> tuple[int, Mapping[bytes, bytes]]:
    """Return position and rows of a state file, read with SQLite alone."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        found = connection.execute("SELECT value FROM meta WHERE name = 'position'").fetchone()
        rows = dict(connection.execute("SELECT key, value FROM rows").fetchall())
        return int(found[0] if found else 0), rows
    finally:
        connection.close()
