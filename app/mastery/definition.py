"""Outcomes and proficiencies as events tell them: what stands in the event, not yet judged."""

from collections.abc import Iterable, Mapping
from math import isfinite
from re import fullmatch
from typing import Any, Final

import msgspec

from app.mastery.ids import local_id
from app.mastery.scale import Level, ProficiencyLevel
from app.mastery.versions import Version, read_version

__all__ = [
    "AccountScales",
    "OutcomeDefinition",
    "ProficiencyDefinition",
    "ScaleInForce",
    "read_outcome",
    "read_proficiency",
    "scales_in_force",
]


#: Characters of a title or a level's description that count. Canvas has room for 255 in a title; a row holds
#: both, and must fit into its topic whatever an event says.
_LONGEST_TEXT: Final = 2_000


class OutcomeDefinition(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one event says of an outcome. Later versions replace earlier ones. A deleted one counts on."""

    root_account_uuid: str
    learning_outcome_id: str
    is_global: bool
    """Owned by no account or course: it holds for every root account that has no outcome of this id."""
    title: str
    method: str | None
    n: int | None
    mastery_points: float | None
    points_possible: float | None
    levels: tuple[Level, ...]
    version: Version


class ProficiencyDefinition(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one event says of a mastery scale. Later versions replace earlier ones."""

    root_account_uuid: str
    outcome_proficiency_id: str
    active: bool
    whole_account: bool
    """Set on the root account itself."""
    course_id: str | None
    """The course it is set on; None with `whole_account` false for an account below the root."""
    levels: tuple[ProficiencyLevel, ...]
    version: Version


class ScaleInForce(msgspec.Struct, frozen=True, gc=False):
    """What the proficiencies of one account or course come to."""

    proficiency: ProficiencyDefinition | None
    """None if all were deleted."""
    time: int
    """When the last of them changed or was deleted. It never goes back, whatever becomes known later."""


class AccountScales(msgspec.Struct, frozen=True, gc=False):
    """The scales in force in one root account. Those of accounts below it are not among them."""

    account: ScaleInForce | None = None
    courses: Mapping[str, ScaleInForce] = {}


def read_outcome(record: Mapping[str, Any]) -> OutcomeDefinition:
    """The definition in a decoded `learning_outcome_*` record."""
    metadata, body = record["metadata"], record["body"]
    criterion = body["rubric_criterion"]
    return OutcomeDefinition(
        root_account_uuid=metadata["root_account_uuid"] or "-",
        learning_outcome_id=local_id(body["learning_outcome_id"], metadata["root_account_id"]),
        is_global=not (body["context_id"] or body["context_type"] or body["context_uuid"]),
        title=body["title"][:_LONGEST_TEXT],
        method=body["calculation_method"] or None,
        n=body["calculation_int"],
        mastery_points=_finite(criterion["mastery_points"]),
        points_possible=_finite(criterion["points_possible"]),
        levels=tuple(
            Level(rating["points"], _cut(rating["description"]))
            for rating in criterion["ratings"] or ()
            if rating["points"] is not None and isfinite(rating["points"])
        ),
        version=read_version(record),
    )


def read_proficiency(record: Mapping[str, Any]) -> ProficiencyDefinition:
    """The definition in a decoded `outcome_proficiency_*` record."""
    metadata, body = record["metadata"], record["body"]
    root_account_id = metadata["root_account_id"]
    context_id = local_id(body["context_id"], root_account_id)
    is_account = body["context_type"] == "Account"
    return ProficiencyDefinition(
        root_account_uuid=metadata["root_account_uuid"] or "-",
        outcome_proficiency_id=local_id(body["outcome_proficiency_id"], root_account_id),
        active=body["workflow_state"] == "active",
        whole_account=is_account
        and root_account_id is not None
        and context_id == local_id(root_account_id, root_account_id),
        course_id=context_id if body["context_type"] == "Course" else None,
        levels=tuple(
            ProficiencyLevel(
                rating["points"], _cut(rating["description"]), rating["mastery"], _color(rating.get("color"))
            )
            for rating in body["outcome_proficiency_ratings"]
            if rating["workflow_state"] != "deleted" and isfinite(rating["points"])
        ),
        version=read_version(record),
    )


def scales_in_force(proficiencies: Iterable[ProficiencyDefinition]) -> AccountScales:
    """What is in force of a root account's proficiencies, given the latest version of each.

    Of several active ones for one account or course, which Canvas does not allow, the latest version counts.
    """
    account: ScaleInForce | None = None
    courses: dict[str, ScaleInForce] = {}
    for proficiency in sorted(proficiencies, key=lambda one: one.version):
        if proficiency.whole_account:
            account = _after(account, proficiency)
        elif (course_id := proficiency.course_id) is not None:
            courses[course_id] = _after(courses.get(course_id), proficiency)
    return AccountScales(account, courses)


def _after(before: ScaleInForce | None, proficiency: ProficiencyDefinition) -> ScaleInForce:
    time = proficiency.version.time
    if before is None:
        return ScaleInForce(proficiency if proficiency.active else None, time)
    return ScaleInForce(proficiency if proficiency.active else before.proficiency, max(before.time, time))


def _cut(text: str | None) -> str | None:
    return None if text is None else text[:_LONGEST_TEXT]


def _color(text: str | None) -> str | None:
    """The colour if it is one: it ends up in pages."""
    return text.lower() if text and fullmatch("[0-9a-fA-F]{6}", text) else None


def _finite(number: float | None) -> float | None:
    return number if number is not None and isfinite(number) else None
