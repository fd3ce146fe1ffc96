"""Look-ups of one student through the whole web server, without Kafka or sockets. Prints CPU by layer.

.venv/bin/python -m bench.lookups [STUDENTS] [--answers FILE] [--profile LAYER]

Each student has 3 to 15 outcomes with 1 to 5 results each, as a rule in one course: 10,000 students make
90,000 rows. Times are CPU of the whole process in us for one look-up; each layer contains those below it.
`--answers` writes what some look-ups gave, to be compared with what another version gives.
"""

import argparse
import asyncio
import cProfile
import hashlib
import json
import pstats
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Scope

from app.definitions.definitions import FILE_NAME
from app.definitions.reader import DefinitionReader
from app.definitions.store import DefinitionStore, OutcomeRow
from app.mastery import blob
from app.mastery.definition import OutcomeDefinition
from app.mastery.resolve import resolve
from app.mastery.results import Results
from app.mastery.rollup import roll_up
from app.mastery.rules import AccountRules
from app.mastery.scale import Level
from app.mastery.snapshot import ResultSnapshot, RowKey, Work
from app.mastery.versions import Version
from app.partitioner import partition_of
from app.settings import Settings
from app.state.store import PartitionStore, StoreIdentity
from app.stream.progress import Phase, Progress
from app.views.answers import PartitionView
from app.views.store import ViewStore
from app.views.views import Views
from app.views.writer import ChangedRow
from app.web.api.answering import answered
from app.web.application import build_application
from app.web.cluster.answers import ClusterAnswers
from app.web.cluster.members import membership_of
from app.web.cluster.peers import Peers
from app.web.local.answers import LocalAnswers
from app.web.local.ground import Ground
from app.web.named_answers import NamedAnswers
from app.web.report import Group, WorkerReport
from app.web.security.viewer import LOCAL
from app.web.site import Site

_ACCOUNT: Final = "7pQ3WvJm2rT8bXkL9sYd4nHf6gZc1aEe5uRiOoPq"
_PARTITIONS: Final = 12
_OUTCOMES: Final = 300
_METHODS: Final = (("decaying_average", 65), ("highest", None), ("average", None), ("n_mastery", 3))
_LEVELS: Final = ((5.0, "Exceeds Mastery"), (3.0, "Mastery"), (2.0, "Near Mastery"), (0.0, "Below Mastery"))
_URL: Final = "http://127.0.0.1:6066"
_NOW: Final = 1_790_000_000.0
_ROUNDS: Final = 5
_EACH: Final = 200


def _definition(outcome: int) -> OutcomeDefinition:
    method, n = _METHODS[outcome % len(_METHODS)]
    return OutcomeDefinition(
        root_account_uuid=_ACCOUNT,
        learning_outcome_id=str(outcome),
        is_global=False,
        title=f"Outcome {outcome}: explains its steps",
        method=method,
        n=n,
        mastery_points=3.0,
        points_possible=5.0,
        levels=tuple(Level(*level) for level in _LEVELS),
        version=Version(False, 0, 1_750_000_000_000, bytes(16)),
    )


def _user(student: int) -> str:
    return uuid.UUID(int=student * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).hex + "00000000"


def _results(student: int, random_: random.Random) -> Results:
    home = str(student // 250 * 5 + random_.randrange(5) + 1)
    held = []
    for number in range(random_.randint(1, 5)):
        score = random_.randint(0, 10) / 2
        at = 1_760_000_000_000 + student * 999 + number * 86_400_000
        held.append(
            ResultSnapshot(
                id=str(student * 100 + number),
                work=Work("RubricAssessment", str(student * 7 + number), "Assignment", str(number + 1)),
                active=random_.random() > 0.05,
                score=score,
                possible=5.0,
                percent=score / 5,
                assessed_at=at,
                course_id=home if random_.random() > 0.1 else "9999",
                course_uuid=None,
                version=Version(number % 2 == 0, at, at, bytes(16)),
            )
        )
    return Results(held)


def _rows(students: int) -> Iterator[tuple[RowKey, Results]]:
    random_ = random.Random(1)  # noqa: S311 - the same rows each time
    for student in range(students):
        outcomes = random_.sample(range(1, _OUTCOMES + 1), random_.randint(3, 15))
        for outcome in outcomes:
            yield RowKey(_ACCOUNT, _user(student), str(outcome)), _results(student, random_)


class _FixedViews(Views):
    """Views that were built once, and are current."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.stores: list[ViewStore] = []

    def add(self, store: ViewStore) -> None:
        self.stores.append(store)
        self._files.serve(len(self.stores) - 1, store.path)

    def states(self) -> dict[int, PartitionView]:
        return {
            one: PartitionView(one, 100, 100, ready=True, progress=1.0, current_at=_NOW - 0.5, error=None)
            for one in range(_PARTITIONS)
        }


def _site(folder: Path, students: int) -> tuple[Site, LocalAnswers, _FixedViews]:
    settings = Settings(state_dir=folder, partitions=_PARTITIONS, broker="127.0.0.1:1", web_rate_limit=0)
    settings.rows_folder.mkdir(parents=True)
    with DefinitionStore(settings.rows_folder / FILE_NAME, {"outcomes": "id"}) as definitions:
        known = [_definition(one) for one in range(1, _OUTCOMES + 1)]
        rows = [OutcomeRow(one, frozenset(), ("outcomes", 0, place)) for place, one in enumerate(known)]
        definitions.write(rows, [], {("outcomes", 0): len(rows)})
    resolved = {one.learning_outcome_id: resolve(one, AccountRules()) for one in known}
    stored: list[dict[bytes, bytes]] = [{} for _ in range(_PARTITIONS)]
    shown: list[list[ChangedRow]] = [[] for _ in range(_PARTITIONS)]
    for key, results in _rows(students):
        row = roll_up(key, results, resolved[key.learning_outcome_id])
        place = partition_of(f"{_ACCOUNT}:{key.user_uuid}".encode(), _PARTITIONS)
        stored[place][str(key).encode()] = blob.encode(results, row)
        shown[place].append(ChangedRow(key, row, 1_790_000_000_000))
    views = _FixedViews(settings)
    (folder / "views").mkdir()
    for place in range(_PARTITIONS):
        identity = StoreIdentity(settings.changelog_topic, "", place, _PARTITIONS, blob.FORMAT)
        with PartitionStore(settings.rows_folder / f"{place}.db", identity) as store:
            store.append(stored[place].items(), len(stored[place]))
            store.finish_restore()
        view = ViewStore(folder / "views" / f"{place}.db", identity)
        view.apply(shown[place], len(shown[place]))
        view.finish()
        views.add(view)
    print(f"{sum(map(len, stored)):,} rows of {students:,} students", flush=True)
    return *_assembled(settings, views), views


def _assembled(settings: Settings, views: Views) -> tuple[Site, LocalAnswers]:
    progress = Progress()
    progress.enter(Phase.RUNNING)
    places = [(topic, one) for topic in settings.input_topics for one in range(_PARTITIONS)]
    progress.assigned(1, dict.fromkeys(places, 10))
    progress.ends(dict.fromkeys(places, 10))
    topic = settings.result_topics[0]
    group = Group(_URL, {_URL: {topic: tuple(range(_PARTITIONS))}})
    report = WorkerReport(_NOW, 1, "1.0", progress.snapshot(), group)
    site = Site(settings, progress, lambda: report)
    definitions = DefinitionReader(settings.rows_folder / FILE_NAME, settings.mastery_rules)
    ground = Ground(settings, views, definitions, site.report, site.executor, lambda: _NOW)
    local = LocalAnswers(ground)
    whole = ClusterAnswers(local, lambda: membership_of(report.group, topic), Peers(lambda _: {}))
    site.answers = NamedAnswers(whole, site.roster)
    return site, local


def _scope(path: str, query: str = "") -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [
            (b"host", b"127.0.0.1:6066"),
            (b"accept", b"application/json"),
            (b"accept-encoding", b"gzip, deflate"),
            (b"user-agent", b"bench"),
        ],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 6066),
    }


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _get(app: ASGIApp, path: str, query: str = "") -> tuple[int, list[Any], bytes]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(_scope(path, query), _receive, send)
    return sent[0]["status"], sent[0]["headers"], b"".join(one.get("body", b"") for one in sent[1:])


_Look = Callable[[str], Awaitable[object]]


def _layers(site: Site, local: LocalAnswers, views: Views) -> dict[str, _Look]:  # noqa: C901 - many, and small
    """What is timed, by name: each takes a student."""
    app, guarded = build_application(site), site.guarded_answers()
    assert guarded is not None  # noqa: S101 - it was just given its answers
    ground = local._students._ground  # noqa: SLF001 - layers are looked at from inside
    request = Request(_scope("/api/users/x"))
    kept: dict[str, Any] = {}

    async def hop(user: str) -> object:
        return await ground.run(str, user)

    async def keys(user: str) -> object:
        return views.keys_of_user(user)

    async def explained(user: str) -> object:
        return local._students._of_account(user, _ACCOUNT)  # noqa: SLF001

    async def fresh(_: str) -> object:
        return ground.freshness()

    async def own(user: str) -> object:
        return await local.student(LOCAL, user)

    async def of_all(user: str) -> object:
        kept.clear()
        kept[user] = await guarded.student(LOCAL, user)
        return kept[user]

    async def written(_: str) -> object:
        return answered(request, next(iter(kept.values())))

    async def whole(user: str) -> object:
        return await _get(app, f"/api/users/{user}")

    async def whole_with_account(user: str) -> object:
        return await _get(app, f"/api/users/{user}", f"account={_ACCOUNT}")

    async def nothing(_: str) -> object:
        return await _get(app, "/api/nothing")

    return {
        "hop to a thread and back": hop,
        "freshness": fresh,
        "keys from the views": keys,
        "rows read and explained": explained,
        "this worker's answer": own,
        "answer of the group, guarded, named": of_all,
        "answer written, with tag": written,
        "address that there is not": nothing,
        "the whole": whole,
        "the whole, account given": whole_with_account,
    }


async def _time(look: _Look, users: list[str]) -> tuple[float, float]:
    """CPU us for a look-up, and the slowest of a hundred in ms."""
    taken = []
    began = time.process_time()
    for user in users:
        at = time.perf_counter()
        await look(user)
        taken.append(time.perf_counter() - at)
    used = time.process_time() - began
    taken.sort()
    return used / len(users) * 1e6, taken[int(len(taken) * 0.99)] * 1000


async def _measure(layers: dict[str, _Look], students: int) -> None:
    random_ = random.Random(2)  # noqa: S311
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in layers}
    for one in range(_ROUNDS + 1):
        users = [_user(random_.randrange(students)) for _ in range(_EACH)]
        for name, look in layers.items():
            told = await _time(look, users)
            if one:  # the first is to warm up
                found[name].append(told)
    for name, times in found.items():
        cpu = statistics.median(used for used, _ in times)
        print(
            f"  {name:40} {cpu:7.0f} us of CPU   p99 {statistics.median(most for _, most in times):6.2f} ms"
        )


async def _answers(site: Site, students: int) -> tuple[str, dict[str, Any]]:
    """What some look-ups give, by student; before it, a digest of their bodies."""
    app, digest = build_application(site), hashlib.sha256()
    kept = {}
    for student in range(0, students, max(1, students // 300)):
        user = _user(student)
        status, headers, body = await _get(app, f"/api/users/{user}")
        digest.update(body)
        kept[user] = [status, sorted((k.decode(), v.decode()) for k, v in headers), json.loads(body)]
    return digest.hexdigest(), kept


def _profile(look: _Look, students: int) -> None:
    async def some() -> None:
        for student in range(500):
            await look(_user(student % students))

    profile = cProfile.Profile()
    profile.runcall(asyncio.run, some())
    pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(45)


def main() -> None:
    """Build, look up, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("students", nargs="?", type=int, default=10_000)
    parser.add_argument("--answers", type=Path)
    parser.add_argument("--profile")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mastery-bench-") as folder:
        site, local, views = _site(Path(folder), options.students)
        layers = _layers(site, local, views)
        if options.answers:
            digest, kept = asyncio.run(_answers(site, options.students))
            options.answers.write_text(f"{digest}\n{json.dumps(kept, indent=1)}")
            print(f"{len(kept)} answers: {digest}")
        elif options.profile:
            asyncio.run(
                _time(layers["answer of the group, guarded, named"], [_user(one) for one in range(500)])
            )
            _profile(layers[options.profile], options.students)
        else:
            asyncio.run(_measure(layers, options.students))
        site.close()
        for store in views.stores:
            store.close()


if __name__ == "__main__":
    main()
