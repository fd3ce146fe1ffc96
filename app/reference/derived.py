"""The derived topics in `docs/topics.md`: what they say, and an example that the worker's own code makes."""

import json
from typing import Any

from app.agents.publication import Publication
from app.embedded.samples import sample_events
from app.events.decode import EventDecoder
from app.mastery.definition import read_outcome
from app.mastery.resolve import resolve
from app.mastery.results import Results
from app.mastery.rollup import roll_up
from app.mastery.rules import AccountRules
from app.mastery.snapshot import Unplaced, read_result
from app.schemas.contract import Contract
from app.schemas.decoder import AvroDecoder
from app.schemas.encoder import compile_encoder
from app.schemas.models import build_models
from app.settings import Settings
from app.values import ValueReader

__all__ = ["MASTERY", "WHEN_DERIVED", "derived_examples"]

MASTERY = "Mastery"

WHEN_DERIVED = {
    "outcome_mastery": "What a student's results on an outcome come to has changed: a result came, was graded"
    " again or deleted, or the outcome's definition is another one.",
    "course_outcome_mastery": "The same in one course has changed. A record without a value says that the"
    " student has no result in the course any more.",
}

_RESULT, _OUTCOME = "learning_outcome_result_created", "learning_outcome_created"


def derived_examples(contract: Contract, settings: Settings) -> dict[str, dict[str, Any]]:
    """Return key and value of one record of each derived topic, by its name, as `mastery tail` shows them.

    Made of Canvas's example of a result, as if it were on Canvas's example of an outcome.
    """
    outcome, result = _typed(contract, _OUTCOME), _typed(contract, _RESULT)
    result["body"]["learning_outcome_id"] = outcome["body"]["learning_outcome_id"]
    placed = read_result(result)
    # Canvas's newest example tells whose result it is.
    assert not isinstance(placed, Unplaced)  # noqa: S101 - for the type
    key, snapshot = placed
    results = Results()
    results.apply(snapshot)
    row = roll_up(key, results, resolve(read_outcome(outcome), AccountRules()))
    topics = {name: settings.typed_topic(name) for name in contract.derived}
    publication = Publication(
        row_topic=topics["outcome_mastery"],
        course_topic=topics["course_outcome_mastery"],
        **{
            argument: compile_encoder(
                contract.derived[name].schema, contract.derived[name].local_id, plain_times=True
            ).encode
            for argument, name in (
                ("encode_row", "outcome_mastery"),
                ("encode_course", "course_outcome_mastery"),
            )
        },
    )
    values = ValueReader(settings)
    made = {
        topic: {"key": raw_key.decode(), "value": values.value(value)}
        for topic, value, raw_key, *_ in publication.records(str(key).encode(), None, row, 0)
    }
    return {name: made[topic] for name, topic in topics.items()}


def _typed(contract: Contract, name: str) -> dict[str, Any]:
    """Canvas's newest example of an event, as a consumer decodes it."""
    raw = next(sample.raw for sample in sample_events() if sample.event_name == name)
    event = contract.events[name]
    framed = compile_encoder(event.schema, event.local_id).encode(
        EventDecoder(contract, build_models(contract))(raw)
    )
    decoded: dict[str, Any] = AvroDecoder(lambda _: json.loads(event.text)).decode(framed)
    return decoded
