"""Definition events as records of their topics, encoded as the router does, and a copy without a broker."""

from pathlib import Path
from typing import Any

import msgspec

from app.definitions.copy import DefinitionCopy, DefinitionRecord
from app.definitions.decoding import DEFINITION_EVENTS, DefinitionDecoder
from app.definitions.lookup import Lookup
from app.mastery.rules import AccountRules, MasteryRules
from app.schemas.encoder import compile_encoder
from tests.mastery import events
from tests.support.events import CONTRACT, MODELS

ACCOUNT, ROOT_ID = events.ACCOUNT, events.ROOT_ID
OTHER, OTHER_ROOT_ID = "other-account", "21080000000000001"
WITH_SCALES = MasteryRules(AccountRules(account_level_scales=True))
LEVELS = ((4.0, "Exceeds", False), (3.0, "Meets", True), (1.0, "Below", False))
GLOBAL = {"context_id": None, "context_type": None, "context_uuid": None}

_ENCODERS = {
    name: compile_encoder(CONTRACT.events[name].schema, CONTRACT.events[name].local_id)
    for name in DEFINITION_EVENTS
}
SCHEMAS = {event.local_id: event.text for event in CONTRACT.events.values()}


def schema_by_id(schema_id: int) -> str:
    return SCHEMAS[schema_id]


def of(account: str, root_account_id: str | None, event: dict[str, Any]) -> dict[str, Any]:
    """The event as another root account sends it."""
    metadata = event["metadata"] | {"root_account_uuid": account, "root_account_id": root_account_id}
    return event | {"metadata": metadata}


def event_name(event: dict[str, Any]) -> str:
    return event["metadata"]["event_name"]


def framed(event: dict[str, Any]) -> bytes:
    """The record's value."""
    body = dict(event["body"])
    if "rubric_criterion" in body:
        body["short_description"] = body["title"]
        criterion = body["rubric_criterion"]
        body["rubric_criterion"] = criterion | {"description": "Criterion"}
    else:
        body["outcome_proficiency_ratings"] = [
            rating | {"outcome_proficiency_rating_id": str(number), "color": "0B874B"}
            for number, rating in enumerate(body["outcome_proficiency_ratings"])
        ]
    name = event_name(event)
    record = msgspec.convert({"metadata": event["metadata"], "body": body}, MODELS[name])
    record.event_id = event["event_id"]
    return _ENCODERS[name].encode(record)


def topic_of(event: dict[str, Any], prefix: str = "") -> str:
    return f"{prefix}{event_name(event)}"


class LocalCopy:
    """A copy in a folder, without a broker: events go straight into it, at offsets that count up."""

    def __init__(
        self,
        folder: Path,
        rules: MasteryRules = WITH_SCALES,
        *,
        topic_id: str = "id",
        check=lambda _: None,
        patience: float = 0.0,
    ) -> None:
        self.lookup = Lookup(rules)
        self.told = 0
        decoder = DefinitionDecoder(
            schema_by_id, {event: event for event in DEFINITION_EVENTS}, patience=patience
        )
        self.copy = DefinitionCopy(folder / "definitions.db", decoder, self.lookup, notify=self._notify)
        self.copy.open({event: f"{topic_id}-{event}" for event in DEFINITION_EVENTS}, check)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.copy.close()

    def _notify(self) -> None:
        self.told += 1

    def apply(self, *placed: tuple[dict[str, Any], int, int]) -> None:
        """Events with the partition and offset of each."""
        records = [
            DefinitionRecord(topic_of(event), partition, offset, framed(event))
            for event, partition, offset in placed
        ]
        moved: dict[tuple[str, int], int] = {}
        for record in records:
            place = record.topic, record.partition
            moved[place] = max(moved.get(place, 0), record.offset + 1)
        self.copy.apply(records, moved)

    def add(self, *history: dict[str, Any]) -> None:
        """Events at the next offsets of partition 0."""
        placed = []
        ahead: dict[str, int] = {}
        for event in history:
            topic = topic_of(event)
            at = self.copy.vector.get((topic, 0), 0) + ahead.get(topic, 0)
            ahead[topic] = ahead.get(topic, 0) + 1
            placed.append((event, 0, at))
        self.apply(*placed)
