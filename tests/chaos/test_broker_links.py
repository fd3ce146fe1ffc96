"""Slow, cut and silent links between workers and the broker. Feeder and judge have links of their own."""

import time
from collections.abc import Iterator

import pytest

from tests.chaos.network import KafkaProxy, Request
from tests.chaos.scenario import rounds, scenario, times
from tests.kafka.artifacts import why_not
from tests.kafka.server import KafkaServer
from tests.support.brokers import cannot_run

#: Every request of a worker on its way to a commit, and those that keep it in the group.
REQUESTS = (
    Request.ADD_PARTITIONS_TO_TXN,
    Request.PRODUCE,
    Request.ADD_OFFSETS_TO_TXN,
    Request.TXN_OFFSET_COMMIT,
    Request.END_TXN,
    Request.HEARTBEAT,
    Request.FETCH,
)


@pytest.fixture(scope="module")
def behind() -> Iterator[tuple[KafkaServer, KafkaProxy]]:
    """A broker, and the proxy that workers reach it by."""
    if (reason := why_not()) is not None:
        cannot_run(f"no real Kafka: {reason}")
    proxy = KafkaProxy()
    with KafkaServer(proxied_port=proxy.port) as server:
        proxy.upstream = server.proxied_upstream
        with proxy:
            yield server, proxy


@pytest.fixture
def server(behind: tuple[KafkaServer, KafkaProxy]) -> KafkaServer:
    """The broker as feeder and judge reach it."""
    return behind[0]


@pytest.fixture
def proxy(behind: tuple[KafkaServer, KafkaProxy]) -> Iterator[KafkaProxy]:
    """The way between workers and broker; whole again after a test."""
    yield behind[1]
    behind[1].heal()


@scenario("slow-links", seconds=180)
def test_slow_links(fault_run, server: KafkaServer, proxy: KafkaProxy) -> None:
    """Each packet between worker and broker takes 100 ms either way, then a link carries 500 kB/s at most.

    Work goes on, slower, without a restart; every event is found exactly once.
    """
    for seed, _ in rounds("slow-links"):
        run = fault_run(seed=seed, kafka=server, rate=400, broker=proxy.address)
        [worker] = run.start_managed("worker")
        run.wait_for_progress(500, timeout=90.0)
        for text, latency, rate in (("100 ms", 0.1, None), ("500 kB/s", 0.005, 500_000.0)):
            with run.fault(f"links of {text}", left="before"):
                proxy.slow(latency, rate)
            run.wait_for_progress(4_000, timeout=90.0)
            proxy.heal()
        run.finish(timeout=120.0)
        assert not run.own_exits, worker.log


@scenario("cut-links", seconds=300)
def test_links_are_cut_at_random_moments(fault_run, server: KafkaServer, proxy: KafkaProxy) -> None:
    """All links of a worker are reset at 15 random moments, then cut for 1, 5 and 20 s.

    Links that come back at once are no reason to end. Every event is found exactly once.
    """
    for seed, rng in rounds("cut-links"):
        run = fault_run(seed=seed, kafka=server, rate=1_000, broker=proxy.address)
        run.start_managed("worker")
        run.wait_for_progress(1_000, timeout=90.0)
        for number in range(times(15, ci=5)):
            time.sleep(rng.uniform(0.2, 1.5))
            with run.fault(f"all links are reset, {number}", left="before"):
                proxy.reset()
        run.measure(exits_after_resets=len(run.own_exits))
        for seconds in (1.0, 5.0, 20.0):
            run.wait_for_progress(2_000, timeout=90.0)
            with run.fault(f"all links are cut for {seconds:g} s", left="before"):
                proxy.cut()
                time.sleep(seconds)
                proxy.heal()
        run.wait_for_progress(2_000, timeout=90.0)
        run.finish(timeout=120.0)


@scenario("silent-links", seconds=300)
def test_one_workers_links_are_silent_while_another_takes_over(
    mastery_run, server: KafkaServer, proxy: KafkaProxy
) -> None:
    """Nothing passes between one worker and the broker any more, while another worker takes over its share.

    After 1, 12 and 30 s what was on its way arrives after all: requests of a generation that is over. They
    must change nothing; every row is the oracle's, and the worker takes its share again.
    """
    for seed, _ in rounds("silent-links"):
        run = mastery_run(seed=seed, rate=300, kafka=server, session_timeout=6.0)
        far = run.worker("far", MASTERY_BROKER=proxy.address)
        near = run.worker("near")
        run.manage(far, near)
        for worker in (far, near):
            worker.start()
        for worker in (far, near):
            worker.wait_ready(90.0)
        for seconds in (1.0, 12.0, 30.0):
            run.wait_for_progress(1_000, timeout=90.0)
            with run.fault(f"links are silent for {seconds:g} s", left="before"):
                proxy.blackhole()
                time.sleep(seconds)
                proxy.heal()
        run.wait_for_progress(1_000, timeout=90.0)
        far.wait_ready(90.0)
        run.finish(timeout=120.0)


@scenario("cut-at-commit", ci=True, seconds=300)
def test_the_link_is_cut_at_a_request(fault_run, server: KafkaServer, proxy: KafkaProxy) -> None:
    """The link is cut on which a request of a checkpoint passes, with the request or with its answer.

    Whatever the request: adding partitions or offsets to the transaction, producing, ending it; a heartbeat
    or a fetch. Where only the answer is lost the worker cannot know what was done. It goes on without ending,
    and every event is found exactly once.
    """
    for seed, rng in rounds("cut-at-commit"):
        run = fault_run(seed=seed, kafka=server, rate=1_500, broker=proxy.address)
        [worker] = run.start_managed("worker")
        cuts = [(request, answered) for request in REQUESTS for answered in (True, False)]
        rng.shuffle(cuts)
        for request, answered in cuts:
            run.wait_for_progress(100, timeout=90.0)
            lost = "answer" if answered else "request"
            with run.fault(f"link cut at {request.name}, the {lost} is lost", left="before"):
                proxy.cut_at(request, answered=answered)
                proxy.wait_cut()
        run.wait_for_progress(1_000, timeout=90.0)
        run.finish(timeout=120.0)
        assert not run.own_exits, worker.log
