from collections import Counter

import pytest

from app.stream.progress import Phase, Progress
from app.web.pace import BUSY, Pace
from app.web.report import Group, WorkerReport


@pytest.fixture
def progress():
    progress = Progress()
    progress.assigned(1, {("raw", 0): 0})
    progress.enter(Phase.RUNNING)
    return progress


@pytest.fixture
def pace():
    return Pace()


def take(pace, progress, at):
    pace.take(WorkerReport(at, 1, "1.0", progress.snapshot(), Group("http://127.0.0.1:1")))


def commit(progress, events, results=0):
    progress.committed(
        {},
        events=Counter({"rubric_assessed": events}),
        dead_letters=Counter(),
        ignored=Counter(),
        seconds=0.1,
        mastery=Counter({"results": results}),
    )


def test_all_of_it_only_when_the_stream_is_known_to_rest(pace, progress):
    assert pace.share() == BUSY
    take(pace, progress, 0.0)
    assert pace.share() == BUSY
    take(pace, progress, 0.5)
    assert pace.share() == 1.0


@pytest.mark.parametrize(("events", "results"), [(1000, 0), (0, 1000)])
def test_little_while_much_is_committed(pace, progress, events, results):
    take(pace, progress, 0.0)
    commit(progress, events, results)
    take(pace, progress, 0.5)
    assert pace.share() == BUSY
    commit(progress, 10)
    take(pace, progress, 1.0)
    assert pace.share() == 1.0


def test_little_while_the_stream_is_behind_or_restores(pace, progress):
    for at in (0.0, 0.5):
        take(pace, progress, at)
    progress.ends({("raw", 0): 5000})
    take(pace, progress, 1.0)
    assert pace.share() == BUSY
    progress.ends({("raw", 0): 5})
    take(pace, progress, 1.5)
    assert pace.share() == 1.0
    progress.enter(Phase.RESTORING)
    take(pace, progress, 2.0)
    assert pace.share() == BUSY
