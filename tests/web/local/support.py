"""One worker's files, reports and answers about a made-up school, without a broker."""

import asyncio
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random

from app.definitions.definitions import FILE_NAME
from app.definitions.lookup import DefinitionCounts
from app.definitions.reader import DefinitionReader
from app.mastery import blob
from app.mastery.definition import read_outcome, read_proficiency, scales_in_force
from app.mastery.resolve import resolve
from app.mastery.rollup import roll_up
from app.partitioner import partition_of
from app.settings import Settings
from app.state.store import PartitionStore, StoreIdentity
from app.stream.progress import Phase, Progress
from app.views.answers import PartitionView
from app.views.files import ViewFiles
from app.views.questions import Questions
from app.views.store import ViewStore
from app.views.writer import ChangedRow
from app.web.local.answers import LocalAnswers
from app.web.local.ground import Ground
from app.web.local.history import Histories, OutcomeHistory
from app.web.report import Group, WorkerReport
from tests.definitions.support import OTHER, OTHER_ROOT_ID, WITH_SCALES, LocalCopy, of
from tests.mastery.events import ACCOUNT, ROOT_ID, at, outcome, proficiency, result, results_of

PARTITIONS = 3
COURSES = ("565", "99", "1000")
METHODS = {
    "7": ("highest", None),
    "8": ("decaying_average", 65),
    "12": ("n_mastery", 2),
    "15": ("standard_decaying_average", 65),
    "20": ("average", None),
}
TITLES = {
    "7": "Fractions",
    "8": "=Reads <b>well</b>",
    "12": "fractions again",
    "15": "Zeichnen",
    "20": "Argues",
}
LEVELS = ((4.0, "Exceeds", False), (3.0, "Meets", True), (2.0, "Near", False), (0.0, "Below", False))
CHANGED_AT = 1_790_000_000_000
URL = "http://127.0.0.1:6066"


def definitions():
    """What the school has: one outcome without results, one id in two accounts, a course's own scale."""
    return [
        *[
            outcome(method, n, learning_outcome_id=number, title=TITLES[number])
            for number, (method, n) in METHODS.items()
        ],
        outcome("latest", learning_outcome_id="40", title="Never assessed"),
        of(OTHER, OTHER_ROOT_ID, outcome("latest", learning_outcome_id="7", title="Other fractions")),
        proficiency(*LEVELS, sent=1),
        proficiency(
            (8.0, "Top", False),
            (6.0, "Good", True),
            (1.0, "Poor", False),
            outcome_proficiency_id="2",
            context_type="Course",
            context_id="99",
        ),
    ]


def results(students=24, seed=5):
    """Results: with several of each student and outcome, deleted, cleared and stillborn ones among them."""
    random = Random(seed)
    made = []
    for number in range(students * 28):
        student = random.randrange(students)
        other = student % 6 == 5
        score = random.randint(0, 20) / 4
        state = random.choice(["active"] * 6 + ["deleted"])
        made.append(
            result(
                updated=random.choice([None, 5.0]),
                sent=number,
                id=str(number + 1),
                user_uuid=f"student-{student:02}",
                learning_outcome_id=random.choice([*METHODS, "77"] if not other else ["7"]),
                result_context_id=random.choice(COURSES),
                workflow_state=state,
                score=None if random.random() < 0.1 else score,
                percent=score / 5,
                assessed_at=at(number * 100),
                artifact_id=str(number),
                associated_asset_id=str(number % 40),
                account=OTHER if other else ACCOUNT,
                root_account_id=OTHER_ROOT_ID if other else ROOT_ID,
            )
        )
    return made


def rows_of(events, known):
    """Results and row by key, as a worker with scales of accounts computes them."""
    outcomes = {
        (one.root_account_uuid, one.learning_outcome_id): one
        for one in (read_outcome(event) for event in known if "calculation_method" in event["body"])
    }
    scales = [read_proficiency(one) for one in known if "outcome_proficiency_ratings" in one["body"]]
    made = {}
    for key, held in results_of(events).items():
        in_force = scales_in_force(one for one in scales if one.root_account_uuid == key.root_account_uuid)
        rules = WITH_SCALES.of(key.root_account_uuid)
        made[key] = held, roll_up(key, held, resolve(outcomes.get(key[::2]), rules, in_force))
    return made


class FakeViews(Questions):
    """Views of files made by hand; what the builder tells is set."""

    def __init__(self, files):
        super().__init__(files, 2.0)
        self.files = files
        self.told = {}
        self.error = None
        self.listeners = []

    def states(self):
        return dict(self.told)

    def subscribe(self, listener):
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)


class NoHistories(Histories):
    """As where Kafka does not answer, at once."""

    async def of(self, account, outcome):
        return OutcomeHistory((), None, complete=False)


class Worker:
    """Everything that one worker answers from."""

    def __init__(self, folder, events=None):
        self.settings = Settings(
            state_dir=folder, partitions=PARTITIONS, account_level_scales=True, broker="127.0.0.1:1"
        )
        self.known = definitions()
        self.rows = rows_of(results() if events is None else events, self.known)
        self.settings.rows_folder.mkdir(parents=True, exist_ok=True)
        with LocalCopy(self.settings.rows_folder) as copy:
            copy.add(*self.known)
        self._write_rows()
        self.views = FakeViews(ViewFiles())
        self._write_views(folder)
        self.executor = ThreadPoolExecutor(2)
        self.now = time.time()
        self.reset()
        reader = DefinitionReader(self.settings.rows_folder / FILE_NAME, self.settings.mastery_rules, keep=0)
        self.ground = Ground(
            self.settings, self.views, reader, lambda: self.report, self.executor, lambda: self.now
        )
        self.answers = LocalAnswers(self.ground, histories=NoHistories(self.settings))

    def reset(self):
        """All is well: everything is restored and read."""
        progress = Progress()
        progress.enter(Phase.RUNNING)
        topics = self.settings.input_topics
        progress.assigned(1, {(topic, one): 10 for topic in topics for one in range(PARTITIONS)})
        progress.ends({(topic, one): 11 for topic in topics for one in range(PARTITIONS)})
        self.report = WorkerReport(
            self.now,
            1,
            "1.0",
            progress.snapshot(),
            Group(URL, {URL: {self.settings.result_topics[0]: tuple(range(PARTITIONS))}}),
            DefinitionCounts(7, 0, 2, 1, ()),
        )
        self.views.error = None
        self.views.told = {
            one: PartitionView(
                one, 100 + one, 103, ready=True, progress=1.0, current_at=self.now - 0.5, error=None
            )
            for one in range(PARTITIONS)
        }

    def restoring(self, read=30, left=70):
        progress = replace(self.report.progress, phase=Phase.RESTORING, restore=(read, left), partitions=())
        self.report = replace(self.report, progress=progress)

    def unready(self, *partitions):
        for one in partitions:
            self.views.told[one] = self.views.told[one]._replace(ready=False, progress=0.25)

    def close(self):
        for one in range(PARTITIONS):
            self.views.files.withdraw(one)
        for store in self._stores:
            store.close()
        self.executor.shutdown()

    def _write_rows(self):
        stored: dict[int, dict[bytes, bytes]] = {one: {} for one in range(PARTITIONS)}
        for key, (held, row) in self.rows.items():
            stored[self.partition_of(key)][str(key).encode()] = blob.encode(held, row)
        for one, some in stored.items():
            identity = StoreIdentity(self.settings.changelog_topic, "", one, PARTITIONS, blob.FORMAT)
            with PartitionStore(self.settings.rows_folder / f"{one}.db", identity) as store:
                store.append(some.items(), len(some))
                store.finish_restore()

    def _write_views(self, folder):
        self._stores = []
        (folder / "views").mkdir()
        for one in range(PARTITIONS):
            identity = StoreIdentity(self.settings.changelog_topic, "", one, PARTITIONS, 1)
            store = ViewStore(folder / "views" / f"{one}.db", identity)
            mine = [
                ChangedRow(key, row, CHANGED_AT + place)
                for place, (key, (_, row)) in enumerate(self.rows.items())
                if self.partition_of(key) == one
            ]
            store.apply(mine, len(mine))
            store.finish()
            self.views.files.serve(one, store.path)
            self._stores.append(store)

    @staticmethod
    def partition_of(key):
        return partition_of(f"{key.root_account_uuid}:{key.user_uuid}".encode(), PARTITIONS)


def wait(coroutine):
    return asyncio.run(coroutine)


def all_pages(ask, of: str) -> Iterable[object]:
    """Every entry of a list, page by page; `ask` takes a cursor."""
    found, cursor = [], None
    while True:
        page = wait(ask(cursor))
        found += getattr(page, of)
        cursor = page.next
        if cursor is None:
            return found
