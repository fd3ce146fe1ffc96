import pytest

from app.agents.rows import MasteryRows
from app.state.restore import RestoreProgress
from app.stream.batch import Assignment
from app.stream.errors import PartitionsMismatch
from app.stream.progress import Phase, Progress


class Table:
    """Tells what it is asked, and reports as a restore does."""

    def __init__(self, progress, *, done=True):
        self.partitions = []
        self.seen = []
        self._progress = progress
        self._done = done

    def take_over(self, partitions, *, cancelled, report):
        self.partitions = sorted(partitions)
        for number in self.partitions:
            report(RestoreProgress(number, 10, 15, 40))
            self.seen.append(self._progress.snapshot())
        return self._done

    def marks(self, _partition, _prefix):
        return {}


def assignment(*places):
    return Assignment(1, "member", frozenset(places))


BOTH = assignment(("created", 0), ("updated", 0), ("created", 2), ("updated", 2), ("raw", 7))


def rows(table, progress, catch_up=lambda _: True):
    return MasteryRows(table, ["created", "updated"], catch_up, progress)


def test_partitions_of_all_inputs_are_restored_then_the_definitions_awaited():
    progress, details = Progress(), []

    def catch_up(_cancelled):
        details.append(progress.snapshot().detail)
        return True

    table = Table(progress)
    assert rows(table, progress, catch_up).take_over(BOTH, lambda: False)
    assert table.partitions == [0, 2]
    assert [seen.phase for seen in table.seen] == [Phase.RESTORING] * 2
    assert not any(seen.ready for seen in table.seen)
    assert table.seen[-1].detail == ("restoring 2 partitions of state: 10 records read, 50 known to be left")
    assert details == ["reading the definitions to their end"]


def test_no_partitions_are_soon_taken_over():
    progress = Progress()
    assert rows(Table(progress), progress).take_over(assignment(("raw", 7)), lambda: False)


@pytest.mark.parametrize("missing", [("created", 0), ("updated", 2)])
def test_inputs_that_are_not_assigned_together_are_refused(missing):
    progress = Progress()
    with pytest.raises(PartitionsMismatch, match="created and updated") as caught:
        rows(Table(progress), progress).take_over(assignment(*(BOTH.partitions - {missing})), lambda: False)
    assert "one partition count" in caught.value.hint


def test_cut_off_it_tells_no_more_what_it_does():
    """A worker that stops, or has failed, must not be shown as restoring."""
    progress, asked = Progress(), []
    progress.enter(Phase.FAILED, "why")
    table = Table(progress, done=False)
    assert not rows(table, progress, asked.append).take_over(BOTH, lambda: True)
    assert (progress.snapshot().phase, progress.snapshot().detail) == (Phase.FAILED, "why")
    assert asked == []


def test_cut_off_while_it_waits_for_definitions():
    progress = Progress()
    assert not rows(Table(progress), progress, lambda _: False).take_over(BOTH, lambda: False)
