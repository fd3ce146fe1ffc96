"""Mastery end to end on real Kafka: every row is the one that the oracle computes from the whole history."""

from tests.chaos.scenario import rounds, scenario


@scenario("mastery-rows", seconds=120)
def test_every_row_is_the_oracles(mastery_run) -> None:
    """No fault but what Canvas does: a school's events late, out of order, twice, definitions after results.

    Every row, as published, in the changelog and in the state file, is the one that an oracle computes.
    """
    for seed, _ in rounds("mastery-rows"):
        run = mastery_run(seed=seed)
        run.worker("worker").start()
        run.wait_for_progress(4_000)
        run.finish()
