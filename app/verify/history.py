"""All definitions, from the beginning of their topics: what the rows have to agree with."""

import threading
from typing import Final

from app.definitions.decoding import DEFINITION_EVENTS, DefinitionDecoder, ReadDefinition
from app.definitions.lookup import Lookup
from app.definitions.store import OutcomeRow, ProficiencyRow
from app.mastery.definition import OutcomeDefinition
from app.mastery.resolve import Definition
from app.schemas.contract import Contract
from app.schemas.registry import schema_lookup
from app.settings import Settings
from app.verify.offsets import Place, bounds, places_of
from app.verify.reading import Found, read_stretch

__all__ = ["DefinitionHistory"]

_NEVER: Final = threading.Event()


class DefinitionHistory:
    """Reads the definition topics itself; no file and no worker is asked. `advance` goes on to their end.

    `begins_late` is true when a definition topic does not begin at 0: what was told before is not known here.
    """

    def __init__(self, settings: Settings, contract: Contract) -> None:
        self._settings = settings
        events = {settings.typed_topic(event): event for event in DEFINITION_EVENTS}
        self._decoder = DefinitionDecoder(schema_lookup(settings, contract), events)
        self._topics = list(events)
        self._next: dict[Place, int] = {}
        self._lookup = Lookup(settings.mastery_rules)
        self.begins_late = False
        self.outcomes = 0

    def resolve(self, root_account_uuid: str, learning_outcome_id: str) -> Definition:
        """What an outcome's scores are to be computed with."""
        return self._lookup.resolve(root_account_uuid, learning_outcome_id)

    def advance(self) -> None:
        """Read what is there now. Raises BrokerFailure, TopicMissing and what DefinitionDecoder raises."""
        stretches = {}
        for place, (begin, end) in bounds(self._settings, places_of(self._settings, self._topics)).items():
            self.begins_late |= begin > 0
            stretches[place] = max(begin, self._next.get(place, 0)), end
            self._next[place] = end
        for records in read_stretch(self._settings, stretches):
            for record in records:
                self._apply(record)
        self.outcomes = self._lookup.counts().outcomes

    def _apply(self, record: Found) -> None:
        place = record.topic, record.partition, record.offset
        read: ReadDefinition = self._decoder.read(*place, record.value, _NEVER)
        one = read.definition
        if isinstance(one, OutcomeDefinition):
            outcome = self._lookup.outcome(one.root_account_uuid, one.learning_outcome_id)
            if outcome is None or outcome.version < one.version:
                self._lookup.apply([OutcomeRow(one, read.global_ids, place)], [])
        else:
            scale = self._lookup.proficiency(one.root_account_uuid, one.outcome_proficiency_id)
            if scale is None or scale.version < one.version:
                self._lookup.apply([], [ProficiencyRow(one, place)])
