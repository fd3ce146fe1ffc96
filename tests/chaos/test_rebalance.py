"""Workers come and go."""

import time

from confluent_kafka.admin import AdminClient

from tests.chaos.run import FaultRun
from tests.chaos.scenario import rounds, scenario, times
from tests.support.waiting import wait_until


def _wait_for_rebalance(run: FaultRun) -> str:
    """Wait until the broker says that the group rebalances; return its word for it."""
    admin = AdminClient({"bootstrap.servers": run.kafka.bootstrap, "log_level": 0})
    group = run.settings.group_id

    def rebalancing() -> str:
        state = admin.describe_consumer_groups([group])[group].result(10.0).state
        return state.name if "REBALANCING" in state.name else ""

    return wait_until(rebalancing, timeout=60.0, what="a rebalance", detail=run.logs, interval=0.01)


@scenario("rebalance-storm", ci=True)
def test_rebalances_every_three_seconds(fault_run) -> None:
    """One worker stays; every 3 s another comes or goes, by SIGTERM or kill -9: 20 changes of the group.

    Every event is found exactly once, no key is in two partitions of a topic, and 10,000 events are committed
    within 30 s of the last change.
    """
    for seed, rng in rounds("rebalance-storm"):
        # A machine that is busy may hold up a worker for 2 s: then it is right that it ends with 1.
        run = fault_run(seed=seed, session_timeout=4.0)
        steady = run.worker("steady")
        guests = [run.worker("guest-1"), run.worker("guest-2")]
        run.manage(steady)
        steady.start()
        steady.wait_ready()
        changes, hit = times(20, ci=6), 0
        for number in range(changes):
            guest = guests[number % 2]
            with run.fault(f"change {number} of the group", left="now", required=False) as change:
                if not guest.running:
                    guest.start()
                    # One that has not come yet would go without a trace.
                    _wait_for_rebalance(run)
                elif rng.random() < 0.3:
                    guest.kill()
                else:
                    guest.terminate()
                    assert guest.wait(30.0) == 0, guest.log
            # Workers may be through with all there is, for a moment.
            hit += change.left > 0
            time.sleep(3.0)
        assert hit > changes / 2, f"only {hit} of {changes} changes came while work was left"
        run.wait_for_progress(10_000, timeout=30.0)
        run.finish()
        generations = run.record.figures["generations"]
        assert generations > changes / 2, f"only {generations} generations of the group: no storm"


@scenario("sigterm-under-load", ci=True, seconds=120)
def test_sigterm_under_load_ends_with_status_0_in_time(fault_run) -> None:
    """A busy worker gets SIGTERM and is started again, five times.

    It ends with status 0 within 30 s. What is committed is what was written: nothing is found twice, nothing
    is lost.
    """
    for seed, _ in rounds("sigterm-under-load"):
        run = fault_run(seed=seed, session_timeout=10.0)
        worker = run.worker("worker")
        for number in range(times(5, ci=2)):
            worker.start()
            worker.wait_ready()
            run.wait_for_progress(1_000)
            with run.fault(f"SIGTERM {number}", left="now"):
                before = time.monotonic()
                worker.terminate()
                assert worker.wait(30.0) == 0, worker.log
            run.record.append(seconds_to_end=time.monotonic() - before)
        worker.start()
        run.finish()


@scenario("kill-in-rebalance", seconds=300)
def test_killed_while_the_group_rebalances(fault_run) -> None:
    """A third worker comes or goes; one of the two others is killed (-9) as the group rebalances: 10 times.

    It dies up to 1 s after the broker told of the rebalance: while partitions are revoked, assigned or taken
    over. Every event is found exactly once.
    """
    for seed, rng in rounds("kill-in-rebalance"):
        run = fault_run(seed=seed)
        victims = [run.worker("first"), run.worker("second")]
        guest = run.worker("guest")
        for victim in victims:
            victim.start()
        victims[0].wait_ready()
        for number in range(times(10, ci=3)):
            victim = victims[number % 2]
            if guest.running:
                guest.terminate()
            else:
                guest.start()
            run.note(f"the group is {_wait_for_rebalance(run)}")
            time.sleep(rng.uniform(0.0, 1.0))
            with run.fault(f"kill {number} amid a rebalance"):
                victim.kill()
            victim.start()
            run.wait_for_progress(500, timeout=45.0)
        run.finish()
