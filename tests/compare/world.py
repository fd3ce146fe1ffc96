"""Rows as the workers make them, and Canvas's answers, made by hand."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from app.mastery import blob
from app.state.query import StoredRow
from tests.mastery.events import results_of, rows_of

__all__ = ["USERS", "page", "rollup", "stored_rows", "write_json"]

#: By Canvas's id.
USERS = {"10": "student", "11": "other"}


def stored_rows(history: Iterable[object]) -> list[StoredRow]:
    """Return the rows that decoded events make, as they are read from the changelog."""
    events = list(history)
    rows = rows_of(events)
    return [
        StoredRow(key, *blob.decode(key, blob.encode(results, rows[key])), 0)
        for key, results in results_of(events).items()
    ]


def rollup(user: str, scores: Mapping[str, tuple[float | None, int]]) -> dict[str, Any]:
    """Return a student's roll-up: score and count of results by outcome."""
    return {
        "scores": [
            {"score": score, "count": count, "title": "T", "links": {"outcome": outcome}}
            for outcome, (score, count) in scores.items()
        ],
        "links": {"user": user, "section": "5", "status": "active"},
    }


def page(
    *rollups: dict[str, Any], course: str = "565", pages: int | None = None, number: int = 1, **linked: Any
) -> Any:
    """Return one answer of Canvas."""
    made: dict[str, Any] = {
        "rollups": list(rollups),
        "linked": {"courses": [{"id": course, "name": "Biology"}]} | linked,
        "meta": {"pagination": {"per_page": 100}},
    }
    if pages is not None:
        made["meta"]["pagination"] |= {"page": number, "page_count": pages, "count": 100}
    return made


def write_json(path: Path, value: Any) -> Path:
    """Write a file of JSON."""
    path.write_text(json.dumps(value))
    return path
