"""Answers of Canvas's REST API in the words of Canvas Data 2, so that both become events in one way.

The REST API tells no times of outcomes, groups and scales, no ids of links and scales, and neither uuid nor
course of a result. `docs/backfill.md` says where each field stems from.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from app.backfill.errors import Problem, RowRefused
from app.backfill.kinds import Kind

__all__ = ["FROM_REST", "Part", "parts"]

#: A field of results that a page of the REST API held.
FROM_REST: Final = "from REST"

_COURSE: Final = re.compile(r"/courses/(\d+)(?:/|$)")
_ASSIGNMENT: Final = re.compile(r"assignment_(\d+)")


class Part(NamedTuple):
    """One row of a table. A row of the REST API may hold several."""

    table: Kind
    values: Mapping[str, Any]
    abbreviated: bool = False
    """Told beside something else, without all that an event needs."""


def parts(kind: Kind, values: Mapping[str, Any]) -> Iterator[Part]:
    """Yield what stands in a row of a file of this kind. Raises RowRefused for what is none."""
    match kind:
        case Kind.REST_RESULTS:
            yield from _results(values)
        case Kind.REST_OUTCOMES:
            yield _outcome(values)
        case Kind.REST_GROUPS:
            yield _group(values)
        case Kind.REST_LINKS:
            yield from _link(values)
        case Kind.REST_PROFICIENCY:
            yield from _proficiencies(values)
        case _:
            yield Part(kind, values)


def _outcome(values: Mapping[str, Any]) -> Part:
    if "title" not in values:
        raise RowRefused(Problem.OTHER_ROW, "title")
    row = dict(values)
    row["short_description"] = values["title"]
    row["workflow_state"] = "active"
    if whole := "points_possible" in values or "mastery_points" in values:
        row["data"] = {
            "rubric_criterion": {
                name: values.get(name) for name in ("points_possible", "mastery_points", "ratings")
            }
        }
    return Part(Kind.OUTCOMES, row, abbreviated=not whole)


def _group(values: Mapping[str, Any]) -> Part:
    if "title" not in values:
        raise RowRefused(Problem.OTHER_ROW, "title")
    parent = values.get("parent_outcome_group")
    row = {**values, "workflow_state": "active"}
    if isinstance(parent, dict):
        row["learning_outcome_group_id"] = parent.get("id")
    # Abbreviated ones do not name their context; without it a group would count as global.
    return Part(Kind.GROUPS, row, abbreviated="context_type" not in values)


def _link(values: Mapping[str, Any]) -> Iterator[Part]:
    outcome, group = values.get("outcome"), values.get("outcome_group")
    if not isinstance(outcome, dict) or not isinstance(group, dict):
        raise RowRefused(Problem.OTHER_ROW)
    yield _outcome(outcome)
    yield _group(group)
    yield Part(Kind.LINKS, values, abbreviated=True)


def _proficiencies(values: Mapping[str, Any]) -> Iterator[Part]:
    if isinstance(values.get("ratings"), list):
        yield _proficiency(values, values["ratings"])
        return
    found = list(_graphql(values.get("data")))
    if not found:
        raise RowRefused(Problem.OTHER_ROW)
    for one in found:
        ratings = one.get("proficiencyRatingsConnection")
        nodes = ratings.get("nodes") if isinstance(ratings, dict) else None
        if not isinstance(nodes, list):
            raise RowRefused(Problem.MISSING_FIELD, "proficiencyRatingsConnection.nodes")
        row = {
            "id": one.get("_id"),
            "context_id": one.get("contextId"),
            "context_type": one.get("contextType"),
        }
        yield _proficiency(row, nodes)


def _graphql(value: Any) -> Iterator[Mapping[str, Any]]:
    """What stands under `outcomeProficiency`, wherever that is."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "outcomeProficiency" and isinstance(inner, dict):
                yield inner
            else:
                yield from _graphql(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _graphql(inner)


def _proficiency(row: Mapping[str, Any], ratings: Sequence[Any]) -> Part:
    levels = []
    for place, rating in enumerate(ratings, 1):
        if not isinstance(rating, dict):
            raise RowRefused(Problem.WRONG_TYPE, "ratings")
        number = rating.get("_id") or rating.get("id") or f"{row.get('id')}-{place}"
        levels.append({**rating, "id": number, "workflow_state": "active"})
    return Part(
        Kind.PROFICIENCIES,
        {
            "id": row.get("id"),
            "context_id": row.get("context_id"),
            "context_type": row.get("context_type"),
            "workflow_state": "active",
            "ratings": levels,
        },
    )


def _results(page: Mapping[str, Any]) -> Iterator[Part]:
    """A page of results, with what is linked to them."""
    results, linked = page.get("outcome_results"), page.get("linked") or {}
    if not isinstance(results, list) or not isinstance(linked, dict):
        raise RowRefused(Problem.OTHER_ROW)
    for user in _objects(linked.get("users")):
        if user.get("uuid"):
            yield Part(Kind.USERS, user)
    # One that is not as it should be must not take the results of its page with it.
    for name, table, make in (
        ("outcomes", Kind.OUTCOMES, _outcome),
        ("outcome_groups", Kind.GROUPS, _group),
    ):
        for one in _objects(linked.get(name)):
            yield make(one) if "title" in one else Part(table, one, abbreviated=True)
    courses = _courses(linked.get("alignments"))
    for result in results:
        yield Part(Kind.RESULTS, _result(result, page.get("course_id"), courses))


def _result(result: Any, course: Any, courses: Mapping[str, str]) -> Mapping[str, Any]:
    links = result.get("links") if isinstance(result, dict) else None
    if not isinstance(links, dict):
        # Told where the row is made an event of, so that the others of its page are read.
        return {}
    assessed = result.get("submitted_or_assessed_at")
    row = {
        "id": result.get("id"),
        "user_id": links.get("user"),
        "user_uuid": links.get("user_uuid"),
        "learning_outcome_id": links.get("learning_outcome") or links.get("outcome"),
        "score": result.get("score"),
        "possible": result.get("possible"),
        "percent": result.get("percent"),
        "mastery": result.get("mastery"),
        "assessed_at": assessed,
        "created_at": assessed,
        "workflow_state": "active",
        FROM_REST: True,
        "context_type": "Course",
        "context_id": course if course is not None else courses.get(str(links.get("alignment"))),
    }
    assigned = _ASSIGNMENT.fullmatch(str(links.get("assignment") or links.get("alignment")))
    if assigned:
        row["associated_asset_type"], row["associated_asset_id"] = "Assignment", assigned[1]
    return row


def _courses(alignments: Any) -> dict[str, str]:
    """The course of each alignment, which stands in the address of its page."""
    found = {}
    for one in _objects(alignments):
        if match := _COURSE.search(str(one.get("html_url"))):
            found[str(one.get("id"))] = match[1]
    return found


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())
