import pytest

from app.errors import MasteryError
from app.stream import state_writer
from app.stream.errors import StateNotWritten
from app.stream.state_writer import StateWriter
from tests.stream.fakes import FakeState
from tests.stream.step_loop import StepLoop


class _Setup:
    def __init__(self) -> None:
        self.loop = StepLoop()
        self.state = FakeState()
        self.failures: list[StateNotWritten] = []
        self.told: list[str] = []
        self.writer = StateWriter(self.state, self.failures.append)

    def write(self, *changes: str) -> None:
        async def begin() -> None:
            self.writer.write(changes, lambda: self.told.append(" ".join(changes)))

        self.loop.start(begin())


@pytest.fixture
def setup():
    made = _Setup()
    yield made
    made.writer.close()
    made.loop.close()


def test_changes_are_written_then_released_then_told(setup: _Setup) -> None:
    setup.write("one", "two")
    waiting = setup.loop.start(setup.writer.idle())
    assert (setup.told, waiting.done()) == ([], False)
    setup.loop.do_job()
    assert setup.state.calls == [("write", ["one", "two"]), ("release", ["one", "two"])]
    assert (setup.told, waiting.done(), setup.failures) == (["one two"], True, [])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MasteryError("no room", hint="make room"), "no room"),
        (KeyError("a value"), "unexpected KeyError in writing the state"),
    ],
)
def test_what_cannot_be_written_is_neither_released_nor_told(
    setup: _Setup, error: Exception, told: str
) -> None:
    setup.state.error = error
    setup.write("one")
    setup.loop.do_job()
    assert [str(failure) for failure in setup.failures] == [told]
    assert (setup.state.calls, setup.told) == ([], [])


def test_a_disk_that_hangs_is_told_and_still_waited_for(setup: _Setup) -> None:
    """SQLite ends a process that closes what it writes."""
    setup.write("one")
    waiting = setup.loop.start(setup.writer.idle())
    setup.loop.settle(state_writer._PATIENCE + 1.0)
    [failure] = setup.failures
    assert "disk" in failure.hint
    assert not waiting.done()
    setup.loop.do_job()
    assert waiting.done()
    assert setup.told == []


def test_nothing_is_begun_once_it_is_closed(setup: _Setup) -> None:
    setup.writer.close()
    setup.write("one")
    assert not setup.loop.jobs
    assert setup.loop.start(setup.writer.idle()).done()
