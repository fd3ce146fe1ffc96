"""What a file of an export holds, recognised by the names of its fields."""

from collections.abc import Collection
from enum import IntEnum, StrEnum
from typing import Final

__all__ = ["LINKING", "PASSES", "Kind", "Pass", "recognise"]


class Kind(StrEnum):
    """Tables of Canvas Data 2 by their names there, and answers of the REST API."""

    USERS = "users"
    ACCOUNTS = "accounts"
    COURSES = "courses"
    ROSTER = "roster"
    RUBRIC_ASSOCIATIONS = "rubric_associations"
    RATINGS = "outcome_proficiency_ratings"
    PROFICIENCIES = "outcome_proficiencies"
    OUTCOMES = "learning_outcomes"
    GROUPS = "learning_outcome_groups"
    LINKS = "content_tags"
    RESULTS = "learning_outcome_results"
    REST_OUTCOMES = "outcomes"
    REST_GROUPS = "outcome_groups"
    REST_LINKS = "outcome_links"
    REST_RESULTS = "outcome_results"
    REST_PROFICIENCY = "outcome_proficiency"


class Pass(IntEnum):
    """What is read when: results need their definitions, and everything the uuids."""

    LOOKUPS = 0
    DEFINITIONS = 1
    RESULTS = 2


_DEFINED: Final = frozenset({Pass.LOOKUPS, Pass.DEFINITIONS})

#: In which passes a file is read. What it holds itself is counted in the last of them.
PASSES: Final[dict[Kind, frozenset[Pass]]] = {
    Kind.USERS: frozenset({Pass.LOOKUPS}),
    Kind.ACCOUNTS: frozenset({Pass.LOOKUPS}),
    Kind.COURSES: frozenset({Pass.LOOKUPS}),
    Kind.ROSTER: frozenset({Pass.LOOKUPS}),
    Kind.RUBRIC_ASSOCIATIONS: frozenset({Pass.LOOKUPS}),
    Kind.RATINGS: frozenset({Pass.LOOKUPS}),
    Kind.PROFICIENCIES: frozenset({Pass.DEFINITIONS}),
    Kind.OUTCOMES: _DEFINED,
    Kind.GROUPS: _DEFINED,
    Kind.LINKS: frozenset({Pass.DEFINITIONS}),
    Kind.RESULTS: frozenset({Pass.RESULTS}),
    Kind.REST_OUTCOMES: _DEFINED,
    Kind.REST_GROUPS: _DEFINED,
    Kind.REST_LINKS: _DEFINED,
    Kind.REST_RESULTS: frozenset(Pass),
    Kind.REST_PROFICIENCY: frozenset({Pass.DEFINITIONS}),
}

#: Answers that link outcomes and groups: the same ones in many places.
LINKING: Final = frozenset({Kind.REST_RESULTS, Kind.REST_LINKS, Kind.REST_OUTCOMES, Kind.REST_GROUPS})

#: The first whose fields are all there, of each group of alternatives one. The order tells the alike apart.
_SIGNS: Final[tuple[tuple[Kind, tuple[frozenset[str], ...]], ...]] = (
    (Kind.REST_RESULTS, (frozenset({"outcome_results"}),)),
    (Kind.REST_PROFICIENCY, (frozenset({"ratings", "data"}),)),
    (Kind.REST_LINKS, (frozenset({"outcome"}), frozenset({"outcome_group"}))),
    (Kind.REST_GROUPS, (frozenset({"title"}), frozenset({"subgroups_url", "outcomes_url"}))),
    (Kind.REST_OUTCOMES, (frozenset({"title"}), frozenset({"has_updateable_rubrics", "mastery_points"}))),
    (Kind.ROSTER, (frozenset({"kind"}), frozenset({"id"}), frozenset({"name"}))),
    (Kind.LINKS, (frozenset({"tag_type"}), frozenset({"content_id", "content_type"}))),
    (Kind.RATINGS, (frozenset({"outcome_proficiency_id"}), frozenset({"points"}))),
    (Kind.OUTCOMES, (frozenset({"short_description"}),)),
    (
        Kind.GROUPS,
        (
            frozenset({"title"}),
            frozenset(
                {"root_learning_outcome_group_id", "learning_outcome_group_id", "source_outcome_group_id"}
            ),
        ),
    ),
    (
        Kind.RESULTS,
        (
            frozenset({"learning_outcome_id"}),
            frozenset({"user_id", "user_uuid"}),
            frozenset({"score", "percent", "possible"}),
        ),
    ),
    (Kind.RUBRIC_ASSOCIATIONS, (frozenset({"rubric_id"}), frozenset({"association_id"}))),
    (Kind.ACCOUNTS, (frozenset({"uuid"}), frozenset({"parent_account_id", "default_time_zone"}))),
    (Kind.COURSES, (frozenset({"uuid"}), frozenset({"course_code", "enrollment_term_id"}))),
    (Kind.USERS, (frozenset({"id"}), frozenset({"uuid"}))),
    (Kind.PROFICIENCIES, (frozenset({"id"}), frozenset({"context_type"}), frozenset({"created_at"}))),
)
_PROFICIENCY_FIELDS: Final = frozenset(
    {"id", "context_id", "context_type", "workflow_state", "created_at", "updated_at", "root_account_id"}
)


def recognise(fields: Collection[str]) -> Kind | None:
    """The kind of a file whose rows have these fields; None for none of them."""
    names = {name for name in fields if not name.startswith("meta.")}
    for kind, groups in _SIGNS:
        if all(not group.isdisjoint(names) for group in groups):
            if kind is Kind.REST_PROFICIENCY and not _is_proficiency(names):
                continue
            if kind is Kind.PROFICIENCIES and not names <= _PROFICIENCY_FIELDS:
                continue
            return kind
    return None


def _is_proficiency(names: set[str]) -> bool:
    """`ratings` stands in outcomes, too, and `data` in tables; a scale has hardly anything else."""
    return names <= {"ratings", "id", "context_type", "context_id", "data", "errors", "extensions"} and not (
        "data" in names and "id" in names
    )
