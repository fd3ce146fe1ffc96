"""Several workers computing mastery: they come and go, hang and wake up, and definitions change meanwhile."""

import signal
import time

from tests.chaos.mastery_run import MasteryRun
from tests.chaos.run import FAULTY_WORKER
from tests.chaos.scenario import rounds, scenario, times
from tests.support.records import read_all
from tests.support.waiting import wait_until

ZOMBIE_STEPS = (
    "recompute",
    "begin",
    "produce",
    "flush+rows",
    "end+rows",
    "done+rows",
    "write",
    "release",
    "note",
)
#: Of a worker that takes partitions over. It has written nothing, and may take its share again.
STARTING_STEPS = ("take_over:1", "append:2", "finish_restore:2", "catch_up:1", "open:1")


def _zombie(run: MasteryRun, step: str) -> None:
    zombie = run.worker("zombie", module=FAULTY_WORKER, FAULT=f"stop:{step}:5")
    with run.fault(f"stop before {step}", left="now"):
        zombie.start()
        wait_until(lambda: zombie.frozen, timeout=60.0, what=f"a stop at {step}", detail=run.logs)
    run.school.redefine(1)
    run.worker("successor").start()
    run.wait_for_rows(200, timeout=40.0)
    zombie.thaw()
    # It must not go on as if nothing had been.
    assert zombie.wait(30.0) == 1, zombie.log
    run.wait_for_rows(200)
    run.finish()
    if step in {"send_offsets+rows", "end+rows"}:
        changelog = run.settings.changelog_topic
        seen = [len(read_all(run.kafka.bootstrap, changelog, committed=only)) for only in (True, False)]
        run.measure(aborted_changelog_records=seen[1] - seen[0])
        assert seen[0] < seen[1], "the zombie had written no rows: the run proves nothing"


@scenario("mastery-zombie", ci=True, seconds=150)
def test_a_zombies_rows_never_count(mastery_run) -> None:
    """A worker hangs with rows written and not committed until another has taken over, and wakes up.

    It ends with status 1; its rows are in no table and seen by no read_committed reader: every row is the
    oracle's.
    """
    for seed, _ in rounds("mastery-zombie"):
        _zombie(mastery_run(seed=seed), "send_offsets+rows")


@scenario("mastery-zombie-between-steps", seconds=540)
def test_a_zombie_at_every_step(mastery_run) -> None:
    """The same at other steps: of recomputation, checkpoint and state file. A round has four of nine."""
    for seed, rng in rounds("mastery-zombie-between-steps"):
        for step in rng.sample(ZOMBIE_STEPS, 4):
            _zombie(mastery_run(seed=seed, part=step.replace("+", "-")), step)


@scenario("mastery-zombie-in-take-over", seconds=360)
def test_a_zombie_that_was_taking_over_spoils_nothing(mastery_run) -> None:
    """Workers hang one after the other while they take over: at the restore, at definitions, before work.

    Each without files, at three of five moments. It wakes up beside its successor; every row is the oracle's.
    """
    for seed, rng in rounds("mastery-zombie-in-take-over"):
        run = mastery_run(seed=seed)
        worker = run.worker("worker-0")
        worker.start()
        run.wait_for_rows(300)
        worker.terminate()
        assert worker.wait(30.0) == 0, worker.log
        for number, fault in enumerate(rng.sample(STARTING_STEPS, 3)):
            zombie = run.worker(f"zombie-{number}", module=FAULTY_WORKER, FAULT=f"stop:{fault}")
            with run.fault(f"stop before {fault}", left="now"):
                zombie.start()
                wait_until(
                    lambda z=zombie: z.frozen, timeout=60.0, what=f"a stop at {fault}", detail=run.logs
                )
            run.school.redefine(number)
            successor = run.worker(f"worker-{number + 1}")
            successor.start()
            run.wait_for_rows(200, timeout=40.0)
            zombie.thaw()
            run.wait_for_rows(200, timeout=40.0)
            zombie.kill()
            successor.terminate()
            assert successor.wait(30.0) == 0, successor.log
        run.worker("last").start()
        run.finish()


@scenario("mastery-storm", seconds=300)
def test_workers_come_and_go_under_load(mastery_run) -> None:
    """One worker stays; two others come, and go by SIGTERM or kill -9; all definitions change in between.

    12 changes of the group. Scales of accounts and courses count, and change, too. Every row is the oracle's.
    """
    for seed, rng in rounds("mastery-storm"):
        run = mastery_run(seed=seed, account_level_scales=True, session_timeout=4.0)
        steady = run.worker("steady")
        guests = [run.worker("guest-1"), run.worker("guest-2")]
        run.manage(steady)
        steady.start()
        steady.wait_ready()
        changes, hit = times(12, ci=5), 0
        for number in range(changes):
            guest = guests[number % 2]
            with run.fault(f"change {number} of the group", left="now", required=False) as change:
                if not guest.running:
                    guest.start()
                    # One that has not come yet would go without a trace.
                    guest.wait_ready(60.0)
                    run.wait_for_rows(100)
                elif rng.random() < 0.4:
                    guest.kill()
                else:
                    guest.terminate()
                    assert guest.wait(30.0) == 0, guest.log
            # Workers may be through with all there is, for a moment.
            hit += change.left > 0
            if number % 3 == 1:
                run.school.redefine(number)
            time.sleep(rng.uniform(0.1, 2.0))
        assert hit > changes / 2, f"only {hit} of {changes} changes came while work was left"
        run.finish()


@scenario("kill-in-recomputation", seconds=180)
def test_killed_while_rows_are_computed_again(mastery_run) -> None:
    """Every definition changes and no result comes after it; workers are killed (-9) in the recomputation.

    Nothing but the recomputation mends the rows: in the end every row is the oracle's.
    """
    for seed, _ in rounds("kill-in-recomputation"):
        run = mastery_run(seed=seed)
        worker = run.worker("worker")
        worker.start()
        run.wait_for_rows(500)
        worker.terminate()
        assert worker.wait(30.0) == 0, worker.log
        fed = run.feeder.count
        assert run.school.redefine(1) > 20
        wait_until(lambda f=run.feeder, n=fed: f.count > n + 300, timeout=20.0, what="changes to be fed")
        judge = run.judge_of_fed()
        for step, count in (("recompute", 60), ("recompute", 150), ("note", 2)):
            worker = run.worker("worker", module=FAULTY_WORKER, FAULT=f"kill:{step}:{count}")
            worker.start()
            assert worker.wait(60.0) == -signal.SIGKILL, worker.log
            left = judge.differences(*run.published())
            run.note(f"killed before {step} {count}; {left} rows were left to do")
            assert left > 0, "nothing was left to do"
            run.record.count(faults=1)
        run.worker("worker").start()
        run.finish()
