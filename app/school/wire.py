"""Events as bytes, in all the forms in which Canvas, and those who pass it on, write them.

Most take the plain form of the newest Canvas. Older generations write nulls out and ids as integers, and a
share of all events has an oddity that the fan-out must see through: none of them changes what the event says.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from app.school.dice import Dice
from app.school.fates import Typed
from app.school.model import Event, Generation
from app.school.term import utc_text, zoned_text

__all__ = ["ODDITIES", "Wire", "plain_parts"]

# The share of events with an oddity: definitions are few, and are to have them all.
_ODD = 0.15
_ODD_DEFINITIONS = 0.6
_FREQUENT = frozenset(
    {"learning_outcome_result_created", "learning_outcome_result_updated", "rubric_assessed"}
)
# The share of cleared scores that are written so.
_NAN = 0.3
_NOT_A_NUMBER = "@not a number@"
_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "learning_outcome": (
        "vendor_guid",
        "calculation_method",
        "calculation_int",
        "context_id",
        "context_type",
    ),
    "learning_outcome_group": ("description", "vendor_guid", "parent_outcome_group_id", "context_id"),
    "learning_outcome_link": ("learning_outcome_group_id", "context_id"),
    "learning_outcome_result": ("score", "percent", "mastery", "original_score", "original_mastery"),
    "rubric_assessed": ("context_uuid",),
}
_NULLABLE = {
    name + ending: fields for name, fields in _KINDS.items() for ending in ("", "_created", "_updated")
}
_RESULT_TIMES = ("created_at", "assessed_at", "updated_at", "artifact_created_at", "artifact_updated_at")
_TIMES: Final[Mapping[str, tuple[str, ...]]] = {
    "learning_outcome_result_created": _RESULT_TIMES,
    "learning_outcome_result_updated": _RESULT_TIMES,
    "rubric_assessed": ("submitted_at", "created_at", "updated_at"),
}
_encode = msgspec.json.Encoder().encode


def plain_parts(event: Event) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return metadata and body as the newest Canvas writes them, for the caller to change."""
    metadata, body = dict(event.metadata), dict(event.body)
    metadata["event_time"] = utc_text(metadata["event_time"])
    for name in time_fields(event):
        if name in body:
            body[name] = utc_text(body[name])
    return metadata, body


def time_fields(event: Event) -> Iterable[str]:
    """Return the names of the fields of its body that hold times."""
    return _TIMES.get(event.name, ("updated_at",))


class Wire:
    """Writes events."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice

    def write(self, event: Event) -> tuple[bytes, Typed]:
        """Return the bytes, and the event that they must be read as."""
        metadata, body = plain_parts(event)
        draft = _Draft(event, metadata, body)
        generation = event.root.generation
        if generation < Generation.NEWEST:
            _nulls(draft)
            if generation is Generation.OLDEST:
                _numbers_as_ids(draft)
                _whole_numbers(draft)
        if "score" not in event.body and event.name.startswith("learning_outcome_result"):
            if self._dice.chance(_NAN):
                _not_a_number(draft)
        elif self._dice.random() < (_ODD if event.name in _FREQUENT else _ODD_DEFINITIONS):
            self._dice.pick(ODDITIES)(draft)
        raw = _encode({draft.metadata_name: metadata, "body": draft.body, **draft.envelope})
        if draft.not_a_number:
            raw = raw.replace(b'"@not a number@"', b"NaN")
        return raw, Typed(draft.event, draft.metadata_extra, draft.body_extra)


@dataclass(slots=True)
class _Draft:
    """An event about to be written. `event` is what it says in the end."""

    event: Event
    metadata: dict[str, Any]
    body: dict[str, Any]
    metadata_name: str = "metadata"
    envelope: dict[str, Any] = field(default_factory=dict)
    metadata_extra: dict[str, Any] = field(default_factory=dict)
    body_extra: dict[str, Any] = field(default_factory=dict)
    not_a_number: bool = False


def _nulls(draft: _Draft) -> None:
    """Null fields are written out."""
    for name in _NULLABLE.get(draft.event.name, ()):
        draft.body.setdefault(name, None)
    for name in ("user_sis_id", "context_sis_source_id"):
        draft.metadata.setdefault(name, None)


def _numbers_as_ids(draft: _Draft) -> None:
    """Ids are integers."""
    for name, value in draft.body.items():
        if (name == "id" or name.endswith("_id")) and isinstance(value, str) and value.isdigit():
            draft.body[name] = int(value)


def _whole_numbers(draft: _Draft) -> None:
    """5 stands for 5.0."""
    draft.body = _without_fractions(draft.body)


def _without_fractions(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_fractions(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_fractions(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _not_a_number(draft: _Draft) -> None:
    """A score that is not there is NaN."""
    draft.body["score"] = draft.body["percent"] = _NOT_A_NUMBER
    draft.not_a_number = True


def _attributes(draft: _Draft) -> None:
    """Metadata goes by the name that it has on Canvas's own stream."""
    draft.metadata_name = "attributes"


def _empty_texts(draft: _Draft) -> None:
    """An empty text in metadata stands for null."""
    for name in ("client_ip", "referrer", "user_sis_id", "context_sis_source_id"):
        draft.metadata.setdefault(name, "")


def _other_clocks(draft: _Draft) -> None:
    """Times of the body by a clock that is not UTC's; one of them stays as it is."""
    for name in time_fields(draft.event):
        if name in draft.body and name != "created_at":
            draft.body[name] = zoned_text(draft.event.body[name], draft.event.root.offset)


def _ruby_times(draft: _Draft) -> None:
    """Times as Ruby prints them: `2026-01-12 08:00:00 UTC`."""
    for name in time_fields(draft.event):
        if name in draft.body:
            draft.body[name] = draft.body[name].replace("T", " ").replace("Z", " UTC")


def _new_beside(draft: _Draft) -> None:
    """A field beside metadata and body."""
    draft.envelope["schema_version"] = "2.1"
    draft.metadata_extra["$envelope.schema_version"] = "2.1"


def _new_in_metadata(draft: _Draft) -> None:
    """A field in metadata."""
    draft.metadata["request_tags"] = draft.metadata_extra["request_tags"] = ["beta", None, 7]


def _new_in_body(draft: _Draft) -> None:
    """A field in the body, with an object in it."""
    draft.body["pathway"] = draft.body_extra["pathway"] = {"id": "9", "steps": [1, 2.5], "title": "Über"}


def _new_inside(draft: _Draft) -> None:
    """A field in an object of the body, where there is one."""
    if (criterion := draft.body.get("rubric_criterion")) is not None:
        ratings = [{**rating, "long_description": "More"} for rating in criterion["ratings"]]
        draft.body["rubric_criterion"] = {**criterion, "ratings": ratings, "ignore_for_scoring": False}
        draft.body_extra["rubric_criterion.ignore_for_scoring"] = False
        for place in range(len(ratings)):
            draft.body_extra[f"rubric_criterion.ratings[{place}].long_description"] = "More"
    elif scale := draft.body.get("outcome_proficiency_ratings"):
        draft.body["outcome_proficiency_ratings"] = [*scale[:-1], {**scale[-1], "level": 0}]
        draft.body_extra[f"outcome_proficiency_ratings[{len(scale) - 1}].level"] = 0
    else:
        draft.body["score_version"] = draft.body_extra["score_version"] = 2


def _no_account(draft: _Draft) -> None:
    """Metadata of an event that was sent outside any context: nothing but name and time.

    Left out for events whose account matters later: nobody could say whose rows they change.
    """
    event = draft.event
    if event.name == "rubric_assessed" or event.name.startswith("outcomes."):
        kept = {name: draft.metadata[name] for name in ("event_name", "event_time")}
        draft.metadata.clear()
        draft.metadata.update(kept)
        key = None if event.key is None else "-:" + event.key.partition(":")[2]
        said = {name: event.metadata[name] for name in kept}
        draft.event = event._replace(metadata=said, key=key)


#: What may be odd about an event. None of these changes what it says, but for the last.
ODDITIES: tuple[Callable[[_Draft], None], ...] = (
    _nulls,
    _numbers_as_ids,
    _whole_numbers,
    _attributes,
    _empty_texts,
    _other_clocks,
    _other_clocks,
    _ruby_times,
    _new_beside,
    _new_in_metadata,
    _new_in_body,
    _new_inside,
    _new_inside,
    _no_account,
)
