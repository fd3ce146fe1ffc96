"""The part put together, on a broker: what the pieces were given."""

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from app.agents.forgetting import Forgetting
from app.agents.mastery import MasteryProcessor
from app.definitions.errors import DefinitionUnreadable
from app.errors import MasteryError
from app.mastery import blob, forgotten
from app.mastery.results import Results
from app.mastery_part import MasteryPart
from app.schemas.decoder import MalformedRecordError
from app.schemas.known import KnownSchema, SchemaCatalogue
from app.settings import Settings
from app.stream.batch import RecordBatch
from app.stream.progress import Progress
from app.topics import TopicAdmin, apply, load_catalogue
from tests.stream.fakes import assignment_of
from tests.support.events import CONTRACT

SCHEMAS = SchemaCatalogue(
    KnownSchema(name, 1, number, schema.text) for number, (name, schema) in enumerate(CONTRACT.topics.items())
)
IDS = SimpleNamespace(
    by_name={schema.subject: schema.schema_id for schema in SCHEMAS.schemas()}, catalogue=SCHEMAS
)
MONTH = 30 * 24 * 3600.0


@pytest.fixture
def part(settings: Settings) -> Iterator[MasteryPart]:
    catalogue = load_catalogue(settings)
    apply(catalogue, TopicAdmin(settings))
    failures: list[MasteryError] = []
    # No registry: whatever asks one fails.
    settings = settings.model_copy(update={"schema_registry_url": "http://127.0.0.1:1"})
    made = MasteryPart.build(settings, CONTRACT, catalogue, IDS, Progress(), failures.append)
    yield made
    made.close()
    assert failures == []


def test_the_changelog_is_known_by_what_tells_it_from_another(part: MasteryPart, settings: Settings) -> None:
    changelog = part.table._changelog
    assert changelog.topic == settings.changelog_topic
    assert changelog.topic_id == TopicAdmin(settings).topic_id(settings.changelog_topic)
    assert (changelog.partitions, changelog.rows_format) == (settings.partitions, blob.FORMAT)
    assert changelog.delete_retention == MONTH
    assert part.table._files.folder == settings.rows_folder
    row = blob.encode(Results(), None)
    accepted = [number for number in range(256) if changelog.check(bytes([number]) + row[1:])]
    assert accepted == [blob.FORMAT, forgotten.FORMAT]
    assert not changelog.check(b"")
    assert not changelog.check(bytes([blob.FORMAT]) + b"no row")


def test_each_input_goes_to_who_knows_it(
    part: MasteryPart, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []

    def noting(name: str) -> Callable[[object, RecordBatch], None]:
        return lambda _, batch: seen.append((name, batch.topic))

    monkeypatch.setattr(Forgetting, "__call__", noting("forgetting"))
    monkeypatch.setattr(MasteryProcessor, "__call__", noting("results"))
    for topic in settings.row_topics:
        part.apply(RecordBatch(topic, 0, 0, 0, [], assignment_of(1)))
    assert seen == [
        *(("results", topic) for topic in settings.result_topics),
        ("forgetting", settings.commands_topic),
    ]


def test_what_was_known_at_the_start_needs_no_registry_later(part: MasteryPart, settings: Settings) -> None:
    """A registry may be away when the first results and the first definitions come."""
    for name in ("learning_outcome_result_created", "learning_outcome_result_updated"):
        framing = b"\0" + IDS.by_name[name].to_bytes(4, "big")
        with pytest.raises(MalformedRecordError):
            part.processor._decode(framing)
    name = "learning_outcome_created"
    framing = b"\0" + IDS.by_name[name].to_bytes(4, "big")
    with pytest.raises(DefinitionUnreadable):
        part.definitions._copy._decoder.read(settings.typed_topic(name), 0, 0, framing, threading.Event())
