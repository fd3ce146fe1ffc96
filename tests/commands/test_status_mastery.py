import json
from collections import Counter

import pytest

from app.commands.status_mastery import ask_worker
from app.definitions.lookup import DefinitionCounts
from app.mastery_numbers import MasteryNumbers
from app.settings import load_settings
from app.state.folder import StateFiles
from app.stream.progress import Phase, Progress
from app.web.site import Site
from tests.mastery.events import outcome, result
from tests.support.changelog import make_changelog, rows_as_stored, write_rows
from tests.support.ports import stable_port
from tests.support.web import served

NUMBERS = MasteryNumbers(12, DefinitionCounts(7, 1, 3, 2, ("account-1", "account-2")))
TOKEN = "t" * 40


@pytest.fixture
def worker(request):
    """A worker's web server, and the settings that lead to it."""
    settings = load_settings(web_port=stable_port(), **getattr(request, "param", {}))
    progress = Progress()
    progress.assigned(1, {(settings.raw_topic_name, 0): 0})
    progress.enter(Phase.RUNNING)
    counts = Counter({"results": 9, "no-student": 4})
    progress.committed(
        {}, events=Counter(), dead_letters=Counter(), ignored=Counter(), seconds=0.1, mastery=counts
    )
    with served(Site(settings, progress, numbers=lambda: NUMBERS)):
        yield settings, progress


def test_status_tells_what_is_known_of_mastery(worker, mastery, some_topics, monkeypatch):
    make_changelog(some_topics)
    events = [outcome(), *[result(user_uuid=user) for user in "ab"], result(learning_outcome_id="8")]
    write_rows(some_topics, rows_as_stored(events))
    files = StateFiles(some_topics.state_dir / "mastery")
    files.path(3).write_bytes(b"damaged")
    files.move_aside(3, "it is damaged")
    monkeypatch.setenv("MASTERY_WEB_PORT", str(worker[0].web_port))
    monkeypatch.setenv("MASTERY_TOPIC_PREFIX", some_topics.topic_prefix)
    worker[1].assigned(2, {(some_topics.raw_topic_name, 0): 0})

    out = mastery("status", "--rows").out
    for text in (
        "rows: 3, of 3 students and 2 outcomes; by definition: 2 known, 1 unknown",
        "1 outcomes are unknown, as no event has told of them",
        f"worker at http://127.0.0.1:{worker[0].web_port}: running",
        "12 rows, definitions of 7 outcomes and 3 scales",
        "2 outcomes of its results are unknown",
        "4 results since its start are in no row: they name no student (Canvas's oldest generation)",
        "MASTERY_ACCOUNT_LEVEL_SCALES is off; is Canvas's feature flag on?",
        "Root accounts: account-1, account-2",
        f"moved aside: {some_topics.state_dir}/mastery/aside/3-",
    ):
        assert text in out
    told = json.loads(mastery("status", "--json").out)["mastery"]
    assert told["rows"] is None
    assert (told["worker"]["rows"], told["worker"]["results"]) == (12, 9)
    assert told["worker"]["accounts_with_unused_scales"] == ["account-1", "account-2"]
    (aside,) = told["moved_aside"]
    assert aside["bytes"] == len(b"damaged")


@pytest.mark.parametrize("worker", [{"web_token": TOKEN}], indirect=True)
def test_a_worker_is_asked_with_its_token(worker):
    settings, progress = worker
    assert ask_worker(settings).rows == 12
    other = settings.model_copy(update={"web_token": None})
    told = ask_worker(other)
    assert (told.phase, told.rows, told.problem) == ("running", None, "its metrics cannot be read: HTTP 401")
    progress.enter(Phase.RESTORING, "restoring 4 partitions of state: 7 records read")
    told = ask_worker(settings)
    assert (told.phase, told.detail) == ("restoring", "restoring 4 partitions of state: 7 records read")


def test_another_installations_worker_is_none_of_ours(worker):
    other = worker[0].model_copy(update={"topic_prefix": "other."})
    told = ask_worker(other)
    assert (told.phase, told.problem) == (None, "the worker there works on other topics")


def test_nobody_there():
    assert ask_worker(load_settings(web_port=0)) is None
    assert ask_worker(load_settings(web_port=stable_port())).problem == "no worker answers there"
