import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.stream.copying import CopyingWorker, Outcome, Scene, fault_and_restart
from tests.support.records import produce

VALUES = [b"%d" % number for number in range(50)]


def agent_fails(scene: Scene) -> Outcome:
    job = scene.job(fault="raise", fault_value="20")
    return fault_and_restart(scene, job, VALUES, pure=scene.params["pure"])


def offsets_lie_beyond_the_end(scene: Scene) -> tuple[int, str]:
    scene.create_topics()
    produce(scene.bootstrap, scene.source, VALUES, partition=0)
    group = Consumer({"bootstrap.servers": scene.bootstrap, "group.id": scene.name, "log_level": 0})
    group.commit(offsets=[TopicPartition(scene.source, 0, 1000)], asynchronous=False)
    group.close()
    with CopyingWorker(scene, scene.job(), pure=scene.params["pure"]).running() as worker:
        return worker.wait(), worker.log


SCENARIOS = {
    "test_an_exception_in_an_agent_ends_the_worker": agent_fails,
    "test_a_failed_take_over_ends_the_worker": offsets_lie_beyond_the_end,
}
compiled_and_pure = pytest.mark.parametrize("pure", [False, True], ids=["compiled", "pure"])


@compiled_and_pure
def test_an_exception_in_an_agent_ends_the_worker(outcome: Outcome, pure: bool) -> None:
    assert outcome.exit_status not in {None, 0}, outcome.log
    assert (outcome.lost, outcome.twice) == ([], [])


@compiled_and_pure
def test_a_failed_take_over_ends_the_worker(outcome: tuple[int, str], pure: bool) -> None:
    exit_status, log = outcome
    assert exit_status not in {None, 0}, log
    assert "lies beyond its end" in log
