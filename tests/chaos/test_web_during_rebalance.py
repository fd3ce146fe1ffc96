"""Look-ups while partitions move between workers, and while state is restored."""

import shutil
from collections import defaultdict

from tests.chaos.lookups import Lookups, Student
from tests.chaos.mastery_run import MasteryRun
from tests.chaos.scenario import rounds, scenario, times
from tests.support.records import read_all
from tests.support.waiting import wait_until

_RATE = 50.0


def _rows(run: MasteryRun) -> dict[Student, frozenset[str]]:
    """The outcomes of which each student has a published row."""
    found: dict[Student, set[str]] = defaultdict(set)
    for record in read_all(run.kafka.bootstrap, run.settings.typed_topic("outcome_mastery")):
        account, user, outcome = (record.key or b"").decode().split(":")
        found[account, user].add(outcome)
    return {student: frozenset(outcomes) for student, outcomes in found.items()}


@scenario("web-during-rebalance", seconds=times(420, ci=240))
def test_lookups_during_rebalances(mastery_run) -> None:
    """50 look-ups a second, at any worker, while others come, go, are killed (-9) and lose their state.

    Events flow. A look-up is answered with 200, 404 or 503 alone; 503 says that rows are restored or move,
    and when to ask again. Never another student's rows, never 404 for one who has rows, never an answer that
    lacks rows and calls itself complete. At the end every row is the oracle's.
    """
    for seed, rng in rounds("web-during-rebalance"):
        run = mastery_run(seed=seed, rate=200, web_view=True, web_rate_limit=0)
        audit = str(run.folder / "audit.log")
        workers = [run.worker(f"worker-{number}", MASTERY_WEB_AUDIT_FILE=audit) for number in range(3)]
        run.manage(workers[0])
        workers[0].start()
        workers[0].wait_ready(90.0)
        run.wait_for_rows(600, timeout=120.0)
        known = _rows(run)
        # Of the workers that were ready and have not ended, whatever else happens to them.
        urls = [workers[0].url]
        lookups = Lookups(known, lambda urls=urls: [*urls], rate=_RATE, seed=seed)
        wait_until(lookups.answers, timeout=60.0, what="the first answer", interval=0.5)
        lookups.start()
        try:
            for number in range(times(10, ci=4)):
                guest = workers[1 + number % 2]
                if not guest.running:
                    run.note(f"{guest.name} comes")
                    if rng.random() < 0.5:
                        shutil.rmtree(run.state_folder(guest.name), ignore_errors=True)
                    guest.start()
                    guest.wait_ready(90.0)
                    urls.append(guest.url)
                elif rng.random() < 0.5:
                    guest.kill()
                    urls.remove(guest.url)
                else:
                    guest.terminate()
                    assert guest.wait(30.0) == 0, guest.log
                    urls.remove(guest.url)
                run.wait_for_rows(20, timeout=60.0)
        finally:
            lookups.stop()
            run.measure(**lookups.figures())
            for one in lookups.wrong[:5]:
                run.note(one)
        wrong = "\n".join(lookups.wrong[:20])
        assert not lookups.wrong, f"{len(lookups.wrong)} of {lookups.statuses}:\n{wrong}\n{run.logs()}"
        assert lookups.statuses[200] > 200, f"hardly anything was answered: {lookups.statuses}"
        assert lookups.statuses[404] > 5, f"hardly anybody unknown was asked for: {lookups.statuses}"
        run.finish(timeout=120.0)
