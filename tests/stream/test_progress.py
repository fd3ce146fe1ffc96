import threading
import time
from collections import Counter

import pytest

from app.stream.progress import PartitionProgress, Phase, Progress

PLACE = ("raw", 0)


def commit(progress: Progress, offset: int, *, events: int = 0, seconds: float = 0.5) -> None:
    progress.committed(
        {PLACE: offset},
        events=Counter({"learning_outcome_created": events}),
        dead_letters=Counter({"not-json": 1}),
        ignored=Counter({"logged_in": 2}),
        seconds=seconds,
    )


def test_a_new_worker_is_not_ready() -> None:
    seen = Progress().snapshot()
    assert (seen.phase, seen.ready, seen.generation, seen.partitions) == (Phase.STARTING, False, -1, ())
    assert seen.last_checkpoint_at is None
    assert seen.started_at == pytest.approx(time.time(), abs=5.0)


@pytest.mark.parametrize("phase", list(Phase))
def test_only_a_running_worker_is_ready(phase: Phase) -> None:
    progress = Progress()
    progress.assigned(1, {PLACE: 0})
    progress.enter(phase, "why")
    seen = progress.snapshot()
    assert (seen.ready, seen.detail) == (phase is Phase.RUNNING, "why")


def test_positions_and_counters_follow_the_stream() -> None:
    progress = Progress()
    progress.assigned(4, {("raw", 1): 20, PLACE: 10})
    progress.read({PLACE: 15})
    progress.ends({PLACE: 17})
    commit(progress, 12, events=2)
    commit(progress, 15, events=3)
    seen = progress.snapshot()
    assert seen.partitions == (
        PartitionProgress("raw", 0, read=15, committed=15, end=17),
        PartitionProgress("raw", 1, read=20, committed=20),
    )
    assert [partition.lag for partition in seen.partitions] == [2, None]
    assert (seen.events, seen.dead_letters, seen.ignored) == (
        {"learning_outcome_created": 5},
        {"not-json": 2},
        {"logged_in": 4},
    )
    assert (seen.generation, seen.rebalances) == (4, 1)
    assert (seen.checkpoints, seen.checkpoint_seconds, seen.last_checkpoint_seconds) == (2, 1.0, 0.5)


def test_a_lag_is_never_negative() -> None:
    assert PartitionProgress("raw", 0, committed=9, end=8).lag == 0


def test_what_was_revoked_is_not_shown() -> None:
    progress = Progress()
    progress.assigned(1, {PLACE: 0})
    progress.assigned(2, {("raw", 1): 0})
    progress.read({PLACE: 5})
    progress.ends({PLACE: 5})
    commit(progress, 5, events=5)
    seen = progress.snapshot()
    assert [partition.partition for partition in seen.partitions] == [1]
    assert seen.events == {"learning_outcome_created": 5}


def test_a_snapshot_stays_as_it_was() -> None:
    progress = Progress()
    progress.assigned(1, {PLACE: 0})
    before = progress.snapshot()
    commit(progress, 5, events=5)
    assert before.events == {}
    assert before.partitions[0].committed == 0


def test_threads_lose_no_count_and_see_whole_checkpoints() -> None:
    progress = Progress()
    progress.assigned(1, {PLACE: 0})
    done = threading.Event()
    torn = []

    def look() -> None:
        while not done.is_set():
            seen = progress.snapshot()
            if seen.events.get("learning_outcome_created", 0) != seen.checkpoints:
                torn.append(seen)

    def write() -> None:
        for number in range(500):
            commit(progress, number, events=1)

    looking = threading.Thread(target=look)
    writing = [threading.Thread(target=write) for _ in range(4)]
    looking.start()
    for thread in writing:
        thread.start()
    for thread in writing:
        thread.join()
    done.set()
    looking.join()
    assert not torn
    assert progress.snapshot().checkpoints == 2000


def running() -> Progress:
    progress = Progress()
    progress.assigned(1, {PLACE: 0})
    progress.enter(Phase.RUNNING)
    return progress


def test_a_running_worker_without_partitions_is_not_ready() -> None:
    progress = running()
    assert progress.snapshot().ready
    progress.assigned(2, {})
    seen = progress.snapshot()
    assert not seen.ready
    assert "no partitions" in (seen.obstacle or "")


def test_a_worker_is_not_ready_while_a_checkpoint_does_not_get_on(monkeypatch: pytest.MonkeyPatch) -> None:
    progress = running()
    progress.checkpoint_began()
    assert progress.snapshot().ready
    monkeypatch.setattr("app.stream.progress._CHECKPOINT_TOO_LONG", 0.0)
    assert not progress.snapshot().ready
    progress.checkpoint_ended()
    assert progress.snapshot().ready


def test_a_worker_is_not_ready_while_no_fetch_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    progress = running()
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 11)
    assert "not answered" in (progress.snapshot().obstacle or "")
    progress.ends({PLACE: 5}, answered_at=now + 10.5)
    assert progress.snapshot().ready
    progress.ends({PLACE: 5}, answered_at=now + 3)
    assert progress.snapshot().ready


def test_a_worker_that_has_much_in_hand_need_not_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    progress = running()
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 11)
    commit(progress, 5)
    monkeypatch.setattr("time.time", lambda: now + 20)
    assert progress.snapshot().ready


def test_what_was_read_past_the_known_end_is_left_to_do_too() -> None:
    """Ends are looked at now and then."""
    progress = Progress()
    progress.assigned(1, {("raw", 0): 10})
    progress.ends({("raw", 0): 10})
    assert (progress.behind(), progress.snapshot().partitions[0].lag) == (0, 0)
    progress.read({("raw", 0): 15})
    assert (progress.behind(), progress.snapshot().partitions[0].lag) == (5, 5)
