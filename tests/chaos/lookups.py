"""Somebody who looks students up all the time, and holds each answer against what must be there."""

import http.client
import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

__all__ = ["Lookups", "Student"]

Student = tuple[str, str]
"""Root account and student."""

_THREADS = 10

#: One of these must be in the words of a 503: rows are restored or move, or their worker is silent or new.
_REASONS = ("restored", "move", "moving", "not answer", "cannot be reached", "just started")


class Lookups:
    """Threads that ask, at so many look-ups a second, any of the workers for any student.

    `known` are the outcomes that each student has rows of, from before the first look-up; a row is never
    taken away. `urls` tells the workers that run now.
    """

    def __init__(
        self,
        known: Mapping[Student, frozenset[str]],
        urls: Callable[[], Sequence[str]],
        *,
        rate: float,
        seed: int,
    ) -> None:
        self._known = known
        self._urls = urls
        self._pause = _THREADS / rate
        self._seed = seed
        self._accounts: dict[str, set[str]] = defaultdict(set)
        for account, user in known:
            self._accounts[user].add(account)
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"look-ups {number}", daemon=True)
            for number in range(_THREADS)
        ]
        self._lock = threading.Lock()
        #: By status; 0 where no worker answered.
        self.statuses: Counter[int] = Counter()
        #: Answers of 200 that name a worker whose part is missing.
        self.partial = 0
        self.wrong: list[str] = []
        self.slowest = 0.0

    def answers(self) -> bool:
        """Whether a student who has rows is found now."""
        (account, user), *_ = sorted(self._known)
        path = f"/api/users/{quote(user)}?account={quote(account)}"
        return all(_get(url, path)[0] == http.client.OK for url in self._urls())

    def figures(self) -> dict[str, float]:
        """What came of it, for the record of a run."""
        return {
            "lookups": self.statuses.total(),
            **{f"status_{status}": count for status, count in sorted(self.statuses.items())},
            "lookups_partial": self.partial,
            "lookups_wrong": len(self.wrong),
            "slowest_seconds": round(self.slowest, 2),
        }

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(30.0)

    def _run(self, number: int) -> None:
        rng = random.Random(f"{self._seed} {number}")
        students = sorted(self._known)
        while not self._stopping.wait(self._pause * rng.uniform(0.5, 1.5)):
            urls = self._urls()
            if not urls:
                continue
            account, user = rng.choice(students)
            there = rng.random() < 0.9
            if not there:
                user = f"nobody-{rng.randrange(1000)}"
            # With the account one worker is asked, without it all are.
            path = f"/api/users/{quote(user)}" + (f"?account={quote(account)}" if rng.random() < 0.5 else "")
            begun_at = time.monotonic()
            status, answer, headers = _get(rng.choice(urls), path)
            took = time.monotonic() - begun_at
            problem = self._judge(user, account if "?" in path else None, status, answer, headers)
            with self._lock:
                self.statuses[status] += 1
                self.slowest = max(self.slowest, took)
                if status == http.client.OK and not _complete(answer):
                    self.partial += 1
                if problem:
                    moment = time.strftime("%H:%M:%S")
                    self.wrong.append(f"{moment} {path}: {status}, {problem}")

    def _judge(
        self, user: str, account: str | None, status: int, answer: Any, headers: Mapping[str, str]
    ) -> str | None:
        accounts = {account} if account is not None else self._accounts.get(user, set())
        expected = {(one, outcome) for one in accounts for outcome in self._known.get((one, user), ())}
        match status:
            case 0:
                return None
            case http.client.OK:
                return _wrong_answer(user, accounts, expected, answer)
            case http.client.NOT_FOUND:
                return "there are rows" if expected else None
            case http.client.SERVICE_UNAVAILABLE:
                told = json.dumps(answer)
                said = any(word in told for word in _REASONS)
                return None if said and "retry-after" in headers else f"says nothing: {told[:300]}"
        return f"no status to be seen: {json.dumps(answer)[:300]}"


def _wrong_answer(
    user: str, accounts: Iterable[str], expected: set[tuple[str, str]], answer: Any
) -> str | None:
    if answer["user_uuid"] != user:
        return "another student's answer"
    found = {(one["root_account_uuid"], one["learning_outcome_id"]) for one in answer["outcomes"]}
    if strange := {account for account, _ in found} - set(accounts):
        return f"rows of {len(strange)} accounts that the student has none in"
    if expected - found and _complete(answer):
        return f"{len(expected - found)} of {len(expected)} rows are missing, and it says that it is complete"
    return None


def _complete(answer: Any) -> bool:
    return all(one["state"] == "answered" for one in answer["freshness"]["workers"])


def _get(url: str, path: str) -> tuple[int, Any, Mapping[str, str]]:
    """Return status, JSON and headers; 0 where nobody answered: a worker that has just ended."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20.0)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        body = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, json.loads(body), headers
    except (OSError, http.client.HTTPException):
        return 0, None, {}
    finally:
        connection.close()
