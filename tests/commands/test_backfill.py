import json

import pytest

from app.json_stream import json_events
from tests.backfill.school import School, decoded, made_school
from tests.support.records import read_all

RESULTS = (
    "key.id,value.learning_outcome_id,value.user_uuid,value.score,value.context_id,"
    "value.created_at,value.updated_at\n"
    "1,7,ann,4,565,2026-01-12T08:00:00Z,2026-01-13T08:00:00Z\n"
    "2,7,,3,565,2026-01-12T08:00:00Z,2026-01-13T08:00:00Z\n"
    "3,7,bob,3,565,2026-01-12T08:00:00Z,2026-01-12T08:00:00Z\n"
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def results(tmp_path):
    file = tmp_path / "results.csv"
    file.write_text(RESULTS)
    return file


def test_a_dry_run_shows_and_leaves_nothing(mastery, here, results):
    done = mastery("backfill", "--dry-run", "--root-account", "root", results)
    assert done.status == 1
    lines = done.out.splitlines()
    assert lines[0] == "the first learning_outcome_result_updated:"
    assert json.loads(lines[1])["body"]["user_uuid"] == "ann"
    assert "learning_outcome_results     3          0     2        0         1" in lines
    assert lines[-1] == "2 events would be sent"
    assert done.err == (
        f"{results}, line 3: no-student (user_id): the uuid of the student is not known: "
        "add the users table, or a list of id and uuid\n"
    )
    assert list(here.iterdir()) == []


def test_events_into_a_file_that_send_takes(mastery, here, results):
    done = mastery("backfill", "--out", "events", "--root-account", "root", results)
    assert done.status == 1
    assert done.out.endswith("2 events written to events\n")
    assert done.err.endswith("  -> all rows that could not be used are in backfill-problems.jsonl\n")
    assert sorted(path.name for path in here.iterdir()) == ["backfill-problems.jsonl", "events"]
    with (here / "events").open("rb") as file:
        events = [decoded(raw) for raw in json_events(file, "")]
    assert [event["body"]["user_uuid"] for event in events] == ["ann", "bob"]
    (problem,) = map(json.loads, (here / "backfill-problems.jsonl").read_text().splitlines())
    assert (problem["line"], problem["problem"], problem["id"]) == (3, "no-student", "2")


def test_counts_as_json(mastery, here, results):
    done = mastery("backfill", "--json", "--out", "events", "--root-account", "root", results)
    assert json.loads(done.out)["sent"] == {
        "learning_outcome_result_created": 1,
        "learning_outcome_result_updated": 1,
    }


def test_strict_ends_with_the_first_problem(mastery, here, results):
    done = mastery("backfill", "--strict", "--out", "events", "--root-account", "root", results)
    assert done.status == 1
    assert done.err.startswith(f"error: {results}, line 3: no-student (user_id): ")


def test_the_state_of_other_work_is_not_gone_on_with(mastery, here, results):
    (here / "backfill-state.json").write_text('{"work": "another"}')
    done = mastery("backfill", "--out", "other", "--root-account", "root", results)
    assert (done.status, done.out) == (1, "")
    assert "delete the file to begin anew" in done.err


def test_interrupted_it_says_so_and_goes_on(mastery, here, results, monkeypatch):
    call = ("backfill", "--out", "events", "--root-account", "root", results)
    assert mastery(*call).status == 1
    whole = (here / "events").read_bytes()
    (here / "events").unlink()
    monkeypatch.setattr("app.backfill.run._ROWS", 1)
    with monkeypatch.context() as patch:
        patch.setattr("app.backfill.tally.Problems.add", interrupted)
        done = mastery(*call)
    assert done.status == 130
    assert done.err.startswith("cut off; the same call goes on from what stands in backfill-state.json")
    done = mastery(*call)
    assert done.err.startswith("going on where the run before ended\n")
    assert "learning_outcome_results     3          0     2        0         1" in done.out.splitlines()
    assert (here / "events").read_bytes() == whole
    assert sorted(path.name for path in here.iterdir()) == ["backfill-problems.jsonl", "events"]


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dry-run", "--out", "x"], "exclude each other"),
        (["--kind", "grades"], "grades is none of users, accounts"),
        (["--as-of", "yesterday"], "is no time"),
        (["--rate", "0"], "0"),
    ],
)
def test_wrong_calls(mastery, here, results, arguments, said):
    done = mastery("backfill", *arguments, results)
    assert done.status == 2
    assert said in done.err


def test_a_school_goes_to_the_raw_topic(some_topics, mastery, here, tmp_path):
    deliveries = made_school(5, 400, accounts=1)
    school = School(deliveries, deliveries[0][1].root)
    school.write_tables(tmp_path / "export", "csv.gz")
    done = mastery("backfill", "--rate", "100000", tmp_path / "export")
    assert (done.status, done.err) == (0, "")
    records = read_all(some_topics.broker, [some_topics.raw_topic_name])
    assert done.out.endswith(f"{len(records)} events sent to {some_topics.raw_topic_name}\n")
    assert len(records) > 100
    events = [decoded(record.value) for record in records]
    assert {event["metadata"]["root_account_uuid"] for event in events} == {school.root.uuid}
    # The present, so that the topic's retention does not take them.
    newest = max(record.timestamp for record in records)
    assert newest - min(record.timestamp for record in records) < 60_000
    assert newest > max(event["metadata"]["event_time"].timestamp() * 1000 for event in events)
    assert list(here.iterdir()) == []
