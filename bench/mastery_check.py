"""Was the state right? A run whose rows are not those of its events is void."""

import json
from collections.abc import Callable

from app.schemas.contract import load_contract
from app.schemas.decoder import compile_decoder
from bench.broker import Cluster
from bench.contenders import Stage
from bench.mastery_workload import expected_rows, last_results
from bench.measure import RunFailed

__all__ = ["check_state"]

_FRAMING = 5
_CENT = 0.0051


def _last(cluster: Cluster, topic: str) -> dict[bytes, bytes]:
    """The last value of each key of a topic."""
    values: dict[bytes, bytes] = {}
    for message in cluster.read(topic, cluster.partitions(topic)):
        key, value = message.key(), message.value()
        if isinstance(key, bytes) and isinstance(value, bytes):
            values[key] = value
    return values


def check_state(stage: Stage, events: int, users: int, *, ours: bool = True) -> int:
    """Compare the rows of a run with what they must be. Returns how many rows there are.

    Of `ours`, this project, count and score of each published row; of peers the ids in each row of their
    changelog.
    Raises RunFailed when one is missing, too many or wrong.
    """
    check: Callable[[Stage, int, int], tuple[int, int]] = _rows if ours else _kept
    rows, wrong = check(stage, events, users)
    if wrong:
        raise RunFailed(f"{wrong} rows of {rows} are missing, too many or wrong")
    return rows


def _rows(stage: Stage, events: int, users: int) -> tuple[int, int]:
    expected = expected_rows(events, users)
    decode = compile_decoder(load_contract().derived["outcome_mastery"].schema)
    found = {}
    for raw_key, value in _last(stage.cluster, stage.row_topic).items():
        row = decode(value[_FRAMING:])
        found[raw_key.decode()] = row["results_count"], row["score"]
    wrong = len(expected.keys() ^ found.keys())
    for key, (count, score) in found.items():
        held = expected.get(key)
        wrong += held is not None and (held[0] != count or score is None or abs(held[1] - score) > _CENT)
    return len(expected), wrong


def _kept(stage: Stage, events: int, users: int) -> tuple[int, int]:
    expected = last_results(events, users)
    by_first_id = {ids[0]: ids for ids in expected.values()}
    changelogs = [name for name in stage.cluster.topics("") if stage.prefix in name and "changelog" in name]
    found: dict[str, list[str]] = {}
    surplus = 0
    for topic in changelogs:
        for value in _last(stage.cluster, topic).values():
            ids = [str(row[0]) for row in json.loads(value)]
            surplus += ids[0] in found
            found[ids[0]] = ids
    return len(expected), surplus + sum(found.get(first) != ids for first, ids in by_first_id.items())
