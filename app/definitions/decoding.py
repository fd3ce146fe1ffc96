"""From a record of a definition topic to the definition in it."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from app.definitions.errors import DefinitionUnreadable
from app.mastery.definition import OutcomeDefinition, ProficiencyDefinition, read_outcome, read_proficiency
from app.mastery.ids import is_number
from app.schemas.decoder import AvroDecoder, DecodingError, UnknownSchemaError
from app.schemas.registry_errors import RegistryUnavailable

__all__ = ["DEFINITION_EVENTS", "OUTCOME_EVENTS", "DefinitionDecoder", "ReadDefinition", "global_ids"]

OUTCOME_EVENTS: Final = ("learning_outcome_created", "learning_outcome_updated")
PROFICIENCY_EVENTS: Final = ("outcome_proficiency_created", "outcome_proficiency_updated")
DEFINITION_EVENTS: Final = (*OUTCOME_EVENTS, *PROFICIENCY_EVENTS)

_SHARD: Final = 10**13

#: Seconds. A schema that a newer worker has just registered can take as long as this to be known here.
_PATIENCE: Final = 30.0
_PAUSE: Final = 1.0


class ReadDefinition(NamedTuple):
    """What one record says."""

    definition: OutcomeDefinition | ProficiencyDefinition
    global_ids: frozenset[str]
    """The ids by which any root account may mean this outcome; none if it is not global."""


class DefinitionDecoder:
    """Reads the records of the definition topics. `events` maps topics to their events."""

    def __init__(
        self,
        schema_by_id: Callable[[int], dict[str, Any] | str],
        events: Mapping[str, str],
        *,
        patience: float = _PATIENCE,
    ) -> None:
        self._decoder = AvroDecoder(schema_by_id)
        self._outcomes = {topic: event in OUTCOME_EVENTS for topic, event in events.items()}
        self._patience = patience

    def read(
        self, topic: str, partition: int, offset: int, value: bytes | None, closing: threading.Event
    ) -> ReadDefinition:
        """Return the definition in a record. Waits for a schema that is not known yet.

        Raises:
            DefinitionUnreadable: the record is no event of this topic.
            MasteryError: its schema could not be asked for, or not in time.
        """
        try:
            record = self._decode(value, closing)
            return _outcome(record) if self._outcomes[topic] else _proficiency(record)
        except DecodingError as error:
            raise _unreadable(topic, partition, offset, str(error)) from None
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            # The error's own text may hold a value.
            reason = f"not an event of this topic ({type(error).__name__})"
            raise _unreadable(topic, partition, offset, reason) from None

    def _decode(self, value: bytes | None, closing: threading.Event) -> Mapping[str, Any]:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                record: Mapping[str, Any] = self._decoder.decode(value or b"")
                return record
            except (UnknownSchemaError, RegistryUnavailable):
                if time.monotonic() > deadline or closing.wait(_PAUSE):
                    raise


def global_ids(learning_outcome_id: str, root_account_id: str | None) -> frozenset[str]:
    """The ids of a global outcome: as the event's root account writes it, and as those of other shards do.

    `learning_outcome_id` is as `local_id` returns it, `root_account_id` the event's: global ids are shard *
    10^13 + local id (the rule of `app.mastery.ids`).
    """
    if root_account_id is None or not (is_number(learning_outcome_id) and is_number(root_account_id)):
        return frozenset([learning_outcome_id])
    number, shard = int(learning_outcome_id), int(root_account_id) // _SHARD
    if shard == 0 or not 0 < number < _SHARD:
        return frozenset([learning_outcome_id])
    return frozenset([learning_outcome_id, str(shard * _SHARD + number)])


def _outcome(record: Mapping[str, Any]) -> ReadDefinition:
    outcome = read_outcome(record)
    if not outcome.is_global:
        return ReadDefinition(outcome, frozenset())
    ids = global_ids(outcome.learning_outcome_id, record["metadata"]["root_account_id"])
    return ReadDefinition(outcome, ids)


def _proficiency(record: Mapping[str, Any]) -> ReadDefinition:
    return ReadDefinition(read_proficiency(record), frozenset())


def _unreadable(topic: str, partition: int, offset: int, reason: str) -> DefinitionUnreadable:
    return DefinitionUnreadable(
        f"{topic} partition {partition} offset {offset} holds no definition: {reason}",
        hint="only workers write to this topic: find out what else did; scores would be wrong without it",
    )
