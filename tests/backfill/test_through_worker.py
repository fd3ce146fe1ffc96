"""A backfill and the stream, before, after and among each other, through a worker: the rows of the oracle."""

import random
from itertools import chain

import pytest

from app.settings import Settings
from app.topics import TopicAdmin, apply, load_catalogue
from tests.backfill.running import run
from tests.backfill.school import School, decoded, happened, made_school
from tests.chaos.row_judge import RowJudge
from tests.mastery import oracle
from tests.support.records import produce, read_all
from tests.support.waiting import wait_until
from tests.support.worker import WorkerProcess


@pytest.fixture
def worker(settings: Settings, tmp_path):
    apply(load_catalogue(settings), TopicAdmin(settings))
    with WorkerProcess(settings, tmp_path) as running:
        running.wait_ready()
        yield running


def events_of(seed, folder):
    """The stream of a school from its third day on, and the events of an export taken later."""
    deliveries = made_school(seed, 500, accounts=1, students=12)
    root = deliveries[0][1].root
    moments = sorted(happened(event) for _, event in deliveries)
    begin, taken = moments[len(moments) // 5], moments[len(moments) // 2]
    School(deliveries, root, taken, seed).write_tables(folder)
    backfilled, _ = run(folder, root_account_id=root.global_id(1))
    stream = [raw for raw, event in deliveries if happened(event) > begin]
    return stream, backfilled, [raw for raw, _ in deliveries]


def scores(history):
    return {key: (row["score"], row["results_count"]) for key, row in oracle.rows(history).items()}


def test_before_after_and_among_the_stream(settings, worker, tmp_path):
    after, before, among = (events_of(seed, tmp_path / str(seed)) for seed in (11, 12, 13))
    mixed = [*among[0], *among[1]]
    random.Random(1).shuffle(mixed)
    sent = [*after[0], *after[1], *before[1], *before[0], *mixed]
    produce(settings.broker, settings.raw_topic_name, sent)
    judge = RowJudge([decoded(raw) for raw in sent])
    found = {}

    def done():
        for name in ("outcome_mastery", "course_outcome_mastery"):
            found[name] = read_all(settings.broker, [settings.typed_topic(name)])
        return judge.differences(*found.values()) == 0

    wait_until(done, timeout=60, what="the rows of the oracle", detail=lambda: worker.log)
    judge.check_published(*found.values())
    assert judge.problems() == {}
    # They are what the school's Canvas has, though the stream began later and the export is older.
    whole = chain(after[2], before[2], among[2])
    assert scores([decoded(raw) for raw in sent]) == scores([decoded(raw) for raw in whole])
    assert len(judge.rows) > 100
    assert read_all(settings.broker, [settings.dead_letter_topic]) == []
