import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from starlette.testclient import TestClient

from app import __version__
from app.definitions.lookup import DefinitionCounts
from app.mastery_numbers import MasteryNumbers
from app.stream.progress import Phase, Progress
from app.web.metrics import metrics_route
from app.web.security.viewer import LOCAL, Role, Viewer

RAW = "canvas.live-events"


def samples(client):
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in parse_text(answer.text)
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def expected():
    return {"events": ("rubric_assessed",)}


def commit(progress, **counts):
    progress.committed(
        {(RAW, 0): 40},
        events=Counter(counts.get("events", {})),
        dead_letters=Counter(counts.get("dead_letters", {})),
        ignored=Counter(counts.get("ignored", {})),
        seconds=0.25,
        newest=counts.get("newest"),
    )


def test_counts_what_was_committed(client, progress):
    progress.assigned(1, {(RAW, 0): 10})
    commit(
        progress,
        events={"learning_outcome_created": 3},
        dead_letters={"not-json": 1},
        ignored={"logged_in": 9},
    )
    commit(progress, events={"learning_outcome_created": 4})
    found = samples(client)
    assert found["mastery_events_total", "learning_outcome_created"] == 7
    assert found["mastery_dead_letters_total", "not-json"] == 1
    assert found["mastery_ignored_total", "logged_in"] == 9
    assert found["mastery_checkpoint_seconds_count",] == 2
    assert found["mastery_checkpoint_seconds_sum",] == 0.5
    assert found["mastery_last_checkpoint_duration_seconds",] == 0.25
    assert abs(found["mastery_last_checkpoint_timestamp_seconds",] - time.time()) < 60
    assert found["mastery_rebalances_total",] == 1


def test_expected_labels_start_at_zero(client, progress):
    assert samples(client)["mastery_events_total", "rubric_assessed"] == 0
    commit(progress, events={"rubric_assessed": 2})
    assert samples(client)["mastery_events_total", "rubric_assessed"] == 2


def test_offsets_of_each_partition_and_none_that_is_unknown(client, progress):
    progress.assigned(1, {(RAW, 0): 10, (RAW, 1): None})
    progress.ends({(RAW, 0): 52})
    progress.read({(RAW, 0): 50})
    commit(progress)
    found = samples(client)
    assert found["mastery_partition_read_offset", "0", RAW] == 50
    assert found["mastery_partition_committed_offset", "0", RAW] == 40
    assert found["mastery_partition_end_offset", "0", RAW] == 52
    assert found["mastery_partition_lag", "0", RAW] == 12
    assert not [key for key in found if key[1:] == ("1", RAW)]
    progress.assigned(2, {})
    assert not [key for key in samples(client) if RAW in key]


def test_phase_is_exactly_one(client, progress):
    progress.assigned(1, {("raw", 0): 0})
    for current in Phase:
        progress.enter(current)
        found = samples(client)
        assert {phase: found["mastery_phase", phase.value] for phase in Phase} == {
            phase: float(phase is current) for phase in Phase
        }
        assert found["mastery_ready",] == float(current is Phase.RUNNING)


def test_age_of_the_newest_event_by_event_and_root_account(client, progress):
    name = "mastery_last_event_age_seconds"
    assert not [key for key in samples(client) if key[0] == name]
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    commit(progress, newest={("rubric_assessed", "one"): hour_ago, ("rubric_assessed", None): hour_ago})
    commit(progress, newest={("rubric_assessed", None): datetime.now(UTC) + timedelta(hours=1)})
    found = {key[1:]: value for key, value in samples(client).items() if key[0] == name}
    assert found.keys() == {("one", "rubric_assessed"), ("-", "rubric_assessed")}
    assert 3600 <= found["one", "rubric_assessed"] < 3660
    assert 0 <= found["-", "rubric_assessed"] < 60


def test_what_runs_and_what_it_uses(client):
    found = samples(client)
    assert [key for key in found if key[0] == "mastery_build_info" and __version__ in key]
    assert found["process_resident_memory_bytes",] > 0
    assert found["process_cpu_seconds_total",] > 0


def test_openmetrics_where_it_is_asked_for(client, progress):
    commit(progress, events={"learning_outcome_created": 3})
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in parse_openmetrics(answer.text)}
    assert families["mastery_events"].type == "counter"
    assert families["mastery_checkpoint_seconds"].type == "summary"


def test_every_metric_is_explained(client):
    families = [
        family for family in parse_text(client.get("/metrics").text) if family.name.startswith("mastery_")
    ]
    assert len(families) >= 14
    assert all(family.documentation for family in families)


@pytest.mark.parametrize(
    ("viewer", "told"),
    [
        (Viewer("numbers", Role.AGGREGATE), False),
        (Viewer("ann", Role.VIEWER, courses=frozenset({"1"})), False),
        (Viewer("ann", Role.VIEWER), True),
        (LOCAL, True),
    ],
)
def test_rows_are_counted_for_who_may_see_all_students(viewer, told):
    """Less the students of each outcome that is shown, they would count those of the others."""
    progress = Progress()
    progress.restored(5, 4)
    numbers = MasteryNumbers(7, DefinitionCounts(1, 0, 0, 1, ()))
    route = metrics_route(progress, numbers=lambda: numbers)

    async def logged_in(scope, receive, send):
        await route.app({**scope, "state": {"viewer": viewer}}, receive, send)

    text = TestClient(logged_in).get("/metrics").text
    assert "mastery_definitions" in text
    assert ("mastery_rows " in text) is told
    assert ("mastery_restore_records" in text) is told
