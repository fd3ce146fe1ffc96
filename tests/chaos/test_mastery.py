"""Mastery end to end on real Kafka: every row is the one that the oracle computes from the whole history."""

import pytest

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


def test_every_row_is_the_oracles(mastery_run) -> None:
    """A school as Canvas delivers it: late, out of order, twice, definitions after the results."""
    run = mastery_run(seed=31)
    run.worker("worker").start()
    run.wait_for_progress(4_000)
    run.finish()
