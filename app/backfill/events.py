"""From a row of an export to the event that Canvas would have sent of it.

Field by field, and with the source of each, in `docs/backfill.md`. The same row and the same options give the
same bytes, so that sending twice changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from app.backfill.directory import Directory
from app.backfill.errors import Problem, RowRefused, Skipped
from app.backfill.fields import Fields
from app.backfill.kinds import Kind
from app.backfill.rest import FROM_REST, Part
from app.backfill.stamps import Stamp, stamp
from app.mastery.ids import local_id
from app.values import timestamp_text

__all__ = ["EVENT_TABLES", "PRODUCER", "EventMaker", "Institution", "Made"]

PRODUCER: Final = "backfill"

_LINK_TAG: Final = "learning_outcome_association"
_NAMES: Final = {
    Kind.OUTCOMES: "learning_outcome",
    Kind.GROUPS: "learning_outcome_group",
    Kind.LINKS: "learning_outcome_link",
    Kind.PROFICIENCIES: "outcome_proficiency",
    Kind.RESULTS: "learning_outcome_result",
}
#: Of the tables that become events.
EVENT_TABLES: Final = frozenset(_NAMES)


@dataclass(frozen=True, slots=True)
class Institution:
    """What the exports do not tell. Times in milliseconds since 1970."""

    root_account: str | None = None
    """Uuid of the root account of rows that do not name one of the accounts table."""
    root_account_id: str | None = None
    """Its global id, as live events have it."""
    unknown_time: int = 946_684_800_000
    """Stands for times that nobody tells. The default, 2000, is before any live event."""
    result_ids: bool = True
    """False where live events of results have no id: then those made here have none."""


class Made(NamedTuple):
    """An event. `name` is its own."""

    name: str
    raw: bytes


class EventMaker:
    """Makes events of rows."""

    def __init__(self, institution: Institution, directory: Directory) -> None:
        self._institution = institution
        self._known = directory
        self._encode = msgspec.json.Encoder().encode
        self._bodies: dict[Kind, Callable[[Fields], dict[str, Any]]] = {
            Kind.OUTCOMES: self._outcome,
            Kind.GROUPS: self._group,
            Kind.LINKS: self._link,
            Kind.PROFICIENCIES: self._proficiency,
            Kind.RESULTS: self._result,
        }

    def make(self, part: Part) -> Made | Skipped:
        """The event of a row of one of EVENT_TABLES. Raises RowRefused."""
        table, row = part.table, Fields(part.values)
        if row.get("meta.action") == "D":
            return Skipped.DELETED_FOR_GOOD
        if part.abbreviated:
            return Skipped.LINK_WITHOUT_ID if table is Kind.LINKS else Skipped.ABBREVIATED
        if table is Kind.LINKS and row.text("tag_type") != _LINK_TAG:
            return Skipped.NO_LINK
        account, account_id = self._root(row)
        body = self._bodies[table](row)
        times = stamp(row.time("created_at"), row.time("updated_at"), self._institution.unknown_time)
        return self._event(_NAMES[table], times, account, account_id, body)

    def _event(
        self, name: str, times: Stamp, account: str, account_id: str | None, body: dict[str, Any]
    ) -> Made:
        updated = times.updated_at is not None
        name = f"{name}_updated" if updated else f"{name}_created"
        metadata = {
            "event_name": name,
            "event_time": timestamp_text(times.event_time),
            "producer": PRODUCER,
            "root_account_uuid": account,
            "root_account_id": account_id,
        }
        if times.updated_at is not None:
            body["updated_at"] = timestamp_text(times.updated_at)
        return Made(name, self._encode({"metadata": _without_nulls(metadata), "body": _without_nulls(body)}))

    def _root(self, row: Fields) -> tuple[str, str | None]:
        """Uuid and id of the root account."""
        given, number = self._institution, row.identifier("root_account_id")
        if (uuid := self._known.root(number)) is not None:
            return uuid, (given.root_account_id if uuid == given.root_account else None) or number
        only = self._known.only_root
        if given.root_account is not None:
            known_id = only[0] if only is not None and only[1] == given.root_account else None
            return given.root_account, given.root_account_id or number or known_id
        if only is not None:
            return only[1], given.root_account_id or only[0]
        raise RowRefused(Problem.NO_ROOT_ACCOUNT)

    def _context_uuid(self, row: Fields) -> str | None:
        kind, number = row.text("context_type"), row.identifier("context_id")
        found = self._known.uuid_of(kind, number)
        if found is None and kind == "Account" and number is not None:
            uuid, root_id = self._root(row)
            if root_id is not None and local_id(number, root_id) == local_id(root_id, root_id):
                return uuid
        return found

    def _outcome(self, row: Fields) -> dict[str, Any]:
        number = row.required("id")
        title = row.text("short_description")
        if title is None:
            raise RowRefused(Problem.MISSING_FIELD, "short_description")
        return {
            "learning_outcome_id": number,
            "title": title,
            "short_description": title,
            "display_name": row.text("display_name"),
            "description": row.text("description"),
            "vendor_guid": row.text("vendor_guid"),
            "workflow_state": row.text("workflow_state") or "active",
            "calculation_method": row.text("calculation_method"),
            "calculation_int": row.integer("calculation_int"),
            "rubric_criterion": self._criterion(row, number),
            "context_id": row.identifier("context_id"),
            "context_type": row.text("context_type"),
            "context_uuid": self._context_uuid(row),
            "copied_from_outcome_id": row.identifier("copied_from_outcome_id"),
        }

    def _criterion(self, row: Fields, number: str) -> dict[str, Any]:
        """The scale: the row's, else what another file told of it."""
        data = row.json("data")
        if not data and (told := self._known.find("scale", number)) is not None:
            data = msgspec.json.decode(told)
        criterion = _named(data).get("rubric_criterion")
        if not isinstance(criterion, dict):
            raise RowRefused(Problem.NO_SCALE)
        scale = Fields(_named(criterion))
        ratings = scale.get("ratings")
        if ratings is not None and not isinstance(ratings, list):
            raise RowRefused(Problem.WRONG_TYPE, "data.rubric_criterion.ratings")
        levels = [Fields(_named(one)) for one in ratings or ()]
        return _without_nulls(
            {
                "description": scale.text("description"),
                "mastery_points": scale.number("mastery_points"),
                "points_possible": scale.number("points_possible"),
                "ratings": [
                    {"description": level.text("description"), "points": level.number("points")}
                    for level in levels
                ],
            }
        )

    def _group(self, row: Fields) -> dict[str, Any]:
        parent, title = row.identifier("learning_outcome_group_id"), row.text("title")
        if title is None:
            raise RowRefused(Problem.MISSING_FIELD, "title")
        return {
            "learning_outcome_group_id": row.required("id"),
            "parent_outcome_group_id": parent,
            "parent_outcome_group_context_uuid": self._known.context("group", parent),
            "title": title,
            "description": row.text("description"),
            "vendor_guid": row.text("vendor_guid"),
            "workflow_state": row.text("workflow_state") or "active",
            "context_id": row.identifier("context_id"),
            "context_type": row.text("context_type"),
            "context_uuid": self._context_uuid(row),
        }

    def _link(self, row: Fields) -> dict[str, Any]:
        outcome, group = row.required("content_id"), row.identifier("associated_asset_id")
        return {
            "learning_outcome_link_id": row.required("id"),
            "learning_outcome_id": outcome,
            "learning_outcome_context_uuid": self._known.context("outcome", outcome),
            "learning_outcome_group_id": group,
            "learning_outcome_group_context_uuid": self._known.context("group", group),
            "context_id": row.identifier("context_id"),
            "context_type": row.text("context_type"),
            "workflow_state": row.text("workflow_state") or "active",
        }

    def _proficiency(self, row: Fields) -> dict[str, Any]:
        number = row.identifier("id")
        if number is None:
            raise RowRefused(Problem.NO_PROFICIENCY_ID)
        told = row.get("ratings")
        if told is not None and not (isinstance(told, list) and all(isinstance(one, dict) for one in told)):
            raise RowRefused(Problem.WRONG_TYPE, "ratings")
        ratings = []
        for rating in self._known.ratings(number) if told is None else told:
            level = Fields(rating)
            points = level.number("points")
            if points is None:
                raise RowRefused(Problem.MISSING_FIELD, "ratings.points")
            ratings.append(
                {
                    "outcome_proficiency_rating_id": level.required("id"),
                    "description": level.text("description") or "",
                    "points": points,
                    "mastery": bool(level.boolean("mastery")),
                    "color": level.identifier("color") or "",
                    "workflow_state": level.text("workflow_state") or "active",
                }
            )
        return {
            "outcome_proficiency_id": number,
            "context_type": row.required("context_type"),
            "context_id": row.required("context_id"),
            "workflow_state": row.text("workflow_state") or "active",
            "outcome_proficiency_ratings": ratings,
        }

    def _result(self, row: Fields) -> dict[str, Any]:
        if not row.values:
            raise RowRefused(Problem.MISSING_FIELD, "links")
        outcome, user = row.required("learning_outcome_id"), row.identifier("user_uuid")
        if user is None and (user_id := row.identifier("user_id")) is not None:
            user = self._known.find("user", user_id)
        if user is None:
            raise RowRefused(Problem.NO_STUDENT, "user_id")
        course = row.identifier("context_id")
        if course is None and row.get(FROM_REST):
            raise RowRefused(Problem.NO_COURSE)
        course_type = (row.text("context_type") or "Course") if course else None
        asset_type, asset = self._asset(row)
        artifact = row.identifier("artifact_id")
        number: str | None = row.required("id")
        if not self._institution.result_ids:
            if artifact is None:
                raise RowRefused(Problem.NO_WORK)
            number = None
        created = row.time("created_at")
        return {
            "id": number,
            "learning_outcome_id": outcome,
            "learning_outcome_context_uuid": self._known.context("outcome", outcome),
            "user_uuid": user,
            "result_context_id": course,
            "result_context_type": course_type,
            "result_context_uuid": self._known.uuid_of(course_type, course),
            "workflow_state": row.text("workflow_state") or "active",
            "score": row.number("score"),
            "possible": row.number("possible"),
            "percent": row.number("percent"),
            "mastery": row.boolean("mastery"),
            "original_score": row.number("original_score"),
            "original_possible": row.number("original_possible"),
            "original_mastery": row.boolean("original_mastery"),
            "attempt": row.integer("attempt"),
            "assessed_at": _time(row.time("assessed_at")),
            "artifact_id": artifact,
            "artifact_type": row.text("artifact_type") if artifact else None,
            "associated_asset_id": asset,
            "associated_asset_type": asset_type,
            "created_at": _time(self._institution.unknown_time if created is None else created),
        }

    def _asset(self, row: Fields) -> tuple[str | None, str | None]:
        """Type and id of what was assessed; for rubrics that of the association, as Canvas tells it."""
        asset = row.identifier("associated_asset_id")
        if asset is not None:
            return row.text("associated_asset_type"), asset
        if row.text("association_type") == "RubricAssociation":
            association = row.identifier("association_id")
            kind, _, asset = ((association and self._known.find("rubric", association)) or "").partition(":")
            if asset:
                return kind, asset
        return None, None


def _time(moment: int | None) -> str | None:
    return None if moment is None else timestamp_text(moment)


def _named(value: Any) -> dict[str, Any]:
    """An object's fields; Ruby writes some with a colon before the name."""
    if not isinstance(value, dict):
        return {}
    return {str(name).removeprefix(":"): inner for name, inner in value.items()}


def _without_nulls(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
