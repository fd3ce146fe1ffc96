"""What `mastery status` tells of mastery: from a worker, this machine's files, and the changelog."""

import http.client
import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from app.commands.rows import time_text
from app.errors import MasteryError
from app.settings import Settings
from app.state.folder import AsideFile, StateFiles
from app.state.query import all_rows
from app.web.security.tokens import read_token

__all__ = [
    "CountedRows",
    "WorkerNumbers",
    "as_json",
    "ask_worker",
    "count_rows",
    "files_aside",
    "lines",
]

# Seconds. A worker answers in milliseconds, also while it restores.
_PATIENCE = 3.0
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask one that listens on all


@dataclass(frozen=True)
class WorkerNumbers:
    """What one worker tells; counters since it started. `problem` says why it tells less, or nothing."""

    url: str
    problem: str | None = None
    phase: str | None = None
    detail: str | None = None
    rows: int | None = None
    outcomes: int | None = None
    scales: int | None = None
    unknown_outcomes: int | None = None
    results: int | None = None
    not_placed: dict[str, int] = field(default_factory=dict)
    accounts_with_unused_scales: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CountedRows:
    """The rows in the changelog."""

    rows: int
    students: int
    outcomes: int
    by_definition_state: dict[str, int]
    unknown_outcomes: int
    """Outcomes that no event has told of."""


def ask_worker(settings: Settings) -> WorkerNumbers | None:
    """Ask the worker of these settings, and no other; None where the settings name no port."""
    if settings.web_port == 0:
        return None
    host = _ANY_ADDRESS.get(settings.web_host, settings.web_host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.web_port}"
    try:
        ready = json.loads(_get(f"{url}/health/ready", None))
        told = WorkerNumbers(url, phase=str(ready["phase"]), detail=str(ready["detail"]) or None)
        topics = {entry["topic"] for entry in ready["partitions"]}
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return WorkerNumbers(url, "no worker answers there")
    if not topics <= set(settings.input_topics):
        return WorkerNumbers(url, "the worker there works on other topics")
    try:
        token = read_token(settings)
        text = _get(f"{url}/metrics", None if token is None else token.get_secret_value())
        return replace(told, **_numbers(text))
    except (OSError, http.client.HTTPException, ValueError, MasteryError) as error:
        reason = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
        return replace(told, problem=f"its metrics cannot be read: {reason}")


def count_rows(settings: Settings) -> CountedRows:
    """Read the changelog, and count."""
    states: Counter[str] = Counter()
    students, outcomes, unknown = set(), set(), set()
    for stored in all_rows(settings):
        row = stored.row
        outcome = (row.root_account_uuid, row.learning_outcome_id)
        states[row.definition_state] += 1
        students.add((row.root_account_uuid, row.user_uuid))
        outcomes.add(outcome)
        if row.definition_state == "unknown":
            unknown.add(outcome)
    return CountedRows(
        states.total(), len(students), len(outcomes), dict(sorted(states.items())), len(unknown)
    )


def files_aside(settings: Settings) -> list[AsideFile]:
    """What this machine's worker could not use and moved aside, if the state folder is here."""
    folders = [settings.state_dir / "mastery", settings.state_dir]
    return [one for folder in folders if folder.is_dir() for one in StateFiles(folder).aside()]


def lines(worker: WorkerNumbers | None, counted: CountedRows | None, aside: list[AsideFile]) -> Iterator[str]:
    """Yield what a person reads."""
    if counted is not None:
        states = ", ".join(f"{count} {state}" for state, count in counted.by_definition_state.items())
        yield (
            f"rows: {counted.rows}, of {counted.students} students and {counted.outcomes} outcomes;"
            f" by definition: {states or 'none'}"
        )
        if counted.unknown_outcomes:
            yield (
                f"  {counted.unknown_outcomes} outcomes are unknown, as no event has told of them: their rows"
                " show no score (MASTERY_UNKNOWN_DEFINITION)"
            )
    if worker is not None:
        yield from _worker_lines(worker)
    for one in aside:
        yield f"moved aside: {one.path}, {one.bytes:,} bytes, {time_text(int(one.moved_at * 1000))}"


def as_json(
    worker: WorkerNumbers | None, counted: CountedRows | None, aside: list[AsideFile]
) -> dict[str, Any]:
    """The same for a script; None for what was not asked for."""
    return {
        "worker": None if worker is None else asdict(worker),
        "rows": None if counted is None else asdict(counted),
        "moved_aside": [
            {"path": str(one.path), "bytes": one.bytes, "moved_at": time_text(int(one.moved_at * 1000))}
            for one in aside
        ],
    }


def _worker_lines(worker: WorkerNumbers) -> Iterator[str]:
    if worker.phase is None:
        yield f"worker at {worker.url}: {worker.problem}"
        return
    detail = f", {worker.detail}" if worker.detail else ""
    yield f"worker at {worker.url}: {worker.phase}{detail}"
    if worker.problem is not None:
        yield f"  {worker.problem}"
        return
    held = "" if worker.rows is None else f"{worker.rows} rows, "
    yield f"  {held}definitions of {worker.outcomes} outcomes and {worker.scales} scales"
    if worker.unknown_outcomes:
        yield f"  {worker.unknown_outcomes} outcomes of its results are unknown: no event has told of them"
    for reason, count in worker.not_placed.items():
        if count:
            yield f"  {count} results since its start are in no row: {_REASONS.get(reason, reason)}"
    if accounts := worker.accounts_with_unused_scales:
        yield (
            "  mastery scales are in force but not used, as MASTERY_ACCOUNT_LEVEL_SCALES is off; is Canvas's"
            f" feature flag on? Root accounts: {', '.join(accounts)}"
        )


_REASONS = {
    "no-student": "they name no student (Canvas's oldest generation)",
    "no-identity": "nothing tells them from other results",
    "empty": "they have no content",
    "passed-over": "their student was forgotten",
}


def _numbers(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {"not_placed": {}, "accounts_with_unused_scales": []}
    plain = {
        "mastery_rows": "rows",
        "mastery_unknown_outcomes": "unknown_outcomes",
        "mastery_results_total": "results",
    }
    kinds = {"outcome": "outcomes", "proficiency": "scales"}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in plain:
                found[plain[sample.name]] = int(sample.value)
            elif sample.name == "mastery_definitions":
                found[kinds[sample.labels["kind"]]] = int(sample.value)
            elif sample.name == "mastery_results_not_placed_total":
                found["not_placed"][sample.labels["reason"]] = int(sample.value)
            elif sample.name == "mastery_unused_scales":
                found["accounts_with_unused_scales"].append(sample.labels["root_account"])
    return found


def _get(url: str, token: str | None) -> str:
    request = urllib.request.Request(url)  # noqa: S310 - of http alone
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    # No proxy: it is this machine's worker, or a near one's.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_PATIENCE) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        # Not ready is an answer, too.
        if error.code == http.HTTPStatus.SERVICE_UNAVAILABLE:
            return error.read().decode()
        raise
