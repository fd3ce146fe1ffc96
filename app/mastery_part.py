"""What a worker needs to compute mastery, put together: table, definitions, agent, recomputation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.agents.forgetting import Forgetting
from app.agents.mastery import MasteryProcessor
from app.agents.publication import Publication
from app.agents.recompute import Recomputation
from app.agents.rows import MasteryRows
from app.definitions.definitions import Definitions
from app.errors import MasteryError
from app.kafka import client_config
from app.mastery import blob, forgotten
from app.mastery.forgotten import Forgotten
from app.mastery.snapshot import RESULT_FIELDS
from app.partitioner import partition_of
from app.schemas.contract import Contract
from app.schemas.decoder import AvroDecoder
from app.schemas.encoder import compile_encoder
from app.schemas.registry import SchemaIds, schema_lookup
from app.settings import Settings
from app.state.table import Changelog, StateTable
from app.stream.application import StreamApp
from app.stream.batch import Output, RecordBatch
from app.stream.progress import Progress
from app.topics import Catalogue, TopicAdmin

__all__ = ["MasteryPart"]

#: Seconds. A few hundred thousand definitions at most, at some ten thousand a second.
_CATCH_UP_TIMEOUT: Final = 300.0

#: Students whose partitions are kept in mind: some 10 MB.
_STUDENTS: Final = 50_000
_NOWHERE: Final = -1

_ROW_TOPIC: Final = "outcome_mastery"
_COURSE_TOPIC: Final = "course_outcome_mastery"


@dataclass(frozen=True, slots=True)
class MasteryPart:
    """The part of a worker that computes mastery."""

    definitions: Definitions
    table: StateTable
    rows: MasteryRows
    processor: MasteryProcessor
    forgetting: Forgetting
    commands_topic: str
    tags: Mapping[str, str]
    """What the group's offsets of a topic of results rest on: the changelog, and which one of that name."""

    @classmethod
    def build(
        cls,
        settings: Settings,
        contract: Contract,
        catalogue: Catalogue,
        ids: SchemaIds,
        progress: Progress,
        on_failure: Callable[[MasteryError], None],
    ) -> "MasteryPart":
        """Put it together; nothing is connected but to ask for the changelog's id."""
        # The registry may be away by the time that the first record of a topic is read.
        look_up = schema_lookup(settings, contract, known=ids.catalogue.schemas())
        folder = settings.rows_folder
        definitions = Definitions(settings, folder, look_up, settings.mastery_rules, on_failure=on_failure)
        config = client_config(settings, group_id=settings.group_id)
        changelog = _changelog(settings, catalogue)
        table = StateTable(folder, changelog, config)
        publication = Publication(
            row_topic=settings.typed_topic(_ROW_TOPIC),
            course_topic=settings.typed_topic(_COURSE_TOPIC),
            encode_row=_encode(contract, ids, _ROW_TOPIC),
            encode_course=_encode(contract, ids, _COURSE_TOPIC),
        )
        marks: dict[int, Forgotten] = {}
        processor = MasteryProcessor(
            typed_results(look_up),
            table,
            definitions.lookup.resolve,
            publication,
            changelog=settings.changelog_topic,
            forgotten=marks,
        )
        rows = MasteryRows(
            table,
            settings.row_topics,
            lambda cancelled: definitions.catch_up(_CATCH_UP_TIMEOUT, cancelled),
            progress,
            marks,
        )
        forgetting = Forgetting(table, processor, marks)
        # The embedded broker has no ids.
        tag = f"{changelog.topic} {changelog.topic_id}" if changelog.topic_id else ""
        tags = dict.fromkeys(settings.result_topics, tag)
        return cls(definitions, table, rows, processor, forgetting, settings.commands_topic, tags)

    def apply(self, batch: RecordBatch) -> Output:
        """Bring a batch of one of the inputs into the rows."""
        return (self.forgetting if batch.topic == self.commands_topic else self.processor)(batch)

    def recomputation(self, app: StreamApp, settings: Settings) -> Recomputation:
        """Return what keeps the rows in agreement with the definitions while `app` runs."""
        return Recomputation(
            app, self.table, self.definitions, lambda: self.processor, settings.result_topics[0]
        )

    def close(self) -> None:
        """Let files and connections go."""
        self.definitions.close()
        self.table.close()


def typed_results(look_up: Callable[[int], dict[str, Any] | str]) -> Callable[[bytes], Any]:
    """Return the decoder of framed results: what mastery needs of them, in two thirds of the time."""
    return AvroDecoder(look_up, only=RESULT_FIELDS, plain_times=True).decode


def _changelog(settings: Settings, catalogue: Catalogue) -> Changelog:
    spec = catalogue.topics[settings.changelog_topic]
    formats = (blob.BEGIN, bytes([forgotten.FORMAT]))
    return Changelog(
        spec.name,
        TopicAdmin(settings).topic_id(spec.name),
        spec.partitions,
        blob.FORMAT,
        lambda value: value.startswith(formats),
        int(spec.config["delete.retention.ms"]) / 1000,
        _home(spec.partitions),
    )


def _home(partitions: int) -> Callable[[bytes], int | None]:
    """Return what tells the partition of a row's key. A student has several rows, and hashing takes 7 us."""
    known: dict[bytes, int] = {}

    def home(key: bytes) -> int | None:
        student, _, _ = key.rpartition(b":")
        found = known.get(student)
        if found is None:
            if b":" not in student:
                return None if forgotten.is_mark(key) else _NOWHERE
            if len(known) >= _STUDENTS:
                known.clear()
            found = known[student] = partition_of(student, partitions)
        return found

    return home


def _encode(contract: Contract, ids: SchemaIds, name: str) -> Callable[[object], bytes]:
    schema = contract.derived[name].schema
    return compile_encoder(schema, ids.by_name[name], plain_times=True).encode
