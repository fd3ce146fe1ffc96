from collections import Counter

import pytest

from app.definitions.lookup import DefinitionCounts
from app.mastery_numbers import MasteryNumbers
from app.web.application import build_application
from app.web.mastery_metrics import NOT_PLACED
from tests.web.test_metrics import samples


@pytest.fixture
def told():
    return []


@pytest.fixture(scope="module")
def application(site_of_module):
    # Which numbers are asked for is settled when the application is made.
    site_of_module.numbers = lambda: site_of_module.told[-1] if site_of_module.told else None
    return build_application(site_of_module)


@pytest.fixture
def site(site, told):
    site.told = told
    return site


def test_results_and_rows_are_counted_from_0(client, progress):
    found = samples(client)
    assert found["mastery_results_total",] == 0
    assert {labels[1] for labels in found if labels[0] == "mastery_results_not_placed_total"} == set(
        NOT_PLACED
    )
    for counts in (
        {"results": 9, "changed": 4, "published": 3},
        {"results": 2, "no-student": 2, "recomputed": 1},
    ):
        progress.committed(
            {},
            events=Counter(),
            dead_letters=Counter(),
            ignored=Counter(),
            seconds=0.1,
            mastery=Counter(counts),
        )
    found = samples(client)
    assert found["mastery_results_total",] == 11
    assert found["mastery_rows_changed_total",] == 4
    assert found["mastery_rows_published_total",] == 3
    assert found["mastery_rows_recomputed_total",] == 1
    assert found["mastery_results_not_placed_total", "no-student"] == 2
    assert found["mastery_results_not_placed_total", "no-identity"] == 0


def test_a_restore_is_told(client, progress):
    assert ("mastery_restore_records", "read") not in samples(client)
    progress.restored(7, 3)
    found = samples(client)
    assert (found["mastery_restore_records", "read"], found["mastery_restore_records", "left"]) == (7, 3)


def test_what_the_worker_holds_is_told_once_it_holds_something(client, told):
    assert ("mastery_rows",) not in samples(client)
    numbers = MasteryNumbers(None, DefinitionCounts(7, 1, 3, 2, ("account-1",)))
    told.append(numbers)
    found = samples(client)
    assert ("mastery_rows",) not in found
    assert found["mastery_definitions", "outcome"] == 7
    assert found["mastery_definitions", "proficiency"] == 3
    assert found["mastery_unknown_outcomes",] == 2
    assert found["mastery_unused_scales", "account-1"] == 1
    told.append(MasteryNumbers(12, numbers.definitions))
    assert samples(client)["mastery_rows",] == 12
