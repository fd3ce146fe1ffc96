"""The two places that keep schemas, alike for who asks: a schema registry, and the topic of schemas."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.schemas.compatibility import Incompatibility
from app.schemas.contract import TopicSchema, canonical_text
from app.schemas.known import KnownSchema
from app.schemas.registry_client import COMPATIBILITY, RegistryClient
from app.schemas.registry_errors import IncompatibleSchema, SchemaIdConflict
from app.schemas.schema_topic import SchemaTopic, SchemaTopicContent

__all__ = ["RegistryStore", "SchemaStore", "SubjectState", "TopicStore", "numbered"]


@dataclass(frozen=True, slots=True)
class SubjectState:
    """One event's schema compared with what is kept of its subject.

    `found` is the kept version that it is; None when it would be a new one. `problems` are between it and any
    kept version: with one, it cannot become a new version.
    """

    schema: TopicSchema
    subject: str
    found: KnownSchema | None
    versions: tuple[KnownSchema, ...]
    problems: tuple[Incompatibility, ...]


class SchemaStore(Protocol):
    """Where schemas are kept."""

    def versions(self, subject: str) -> list[KnownSchema]:
        """Return all versions of a subject, oldest first."""

    def find(self, subject: str, schema: TopicSchema) -> KnownSchema | None:
        """Return the kept version that is this event's schema."""

    def add(self, states: Sequence[SubjectState]) -> list[KnownSchema]:
        """Keep what is not kept yet; return the versions that the states' schemas are, in their order."""


class RegistryStore:
    """Schemas in a schema registry, which gives them their ids."""

    def __init__(self, registry: RegistryClient) -> None:
        self._registry = registry

    def versions(self, subject: str) -> list[KnownSchema]:
        """Return all versions of a subject, oldest first."""
        return self._registry.versions(subject)

    def find(self, subject: str, schema: TopicSchema) -> KnownSchema | None:
        """Return the kept version that is this event's schema."""
        return self._registry.find(subject, schema.text)

    def add(self, states: Sequence[SubjectState]) -> list[KnownSchema]:
        """Set the rule, ask, register; what needs no writing is not written."""
        # A worker needs no permission to write where an administrator ran `mastery schemas register`.
        for state in states:
            if self._registry.compatibility(state.subject) != COMPATIBILITY:
                self._registry.set_compatibility(state.subject)
        # All are asked about before one is registered: all or none.
        for state in states:
            if (
                state.versions
                and not state.found
                and not self._registry.accepts(state.subject, state.schema.text)
            ):
                raise IncompatibleSchema(
                    f"the schema registry finds the schema of {state.subject} not {COMPATIBILITY}",
                    hint="`mastery schemas check` compares them here; the registry may have rules of its own",
                )
        return [state.found or self._registry.register(state.subject, state.schema.text) for state in states]


class TopicStore:
    """Schemas in the compacted topic, with local ids. `content` is what the topic holds."""

    def __init__(self, topic: SchemaTopic, content: SchemaTopicContent) -> None:
        self._topic = topic
        self._schemas = numbered(content)

    def versions(self, subject: str) -> list[KnownSchema]:
        """Return all versions of a subject, oldest first."""
        return [schema for schema in self._schemas if schema.subject == subject]

    def find(self, subject: str, schema: TopicSchema) -> KnownSchema | None:
        """Return the kept version that is this event's schema."""
        return next((known for known in self.versions(subject) if known.schema_id == schema.local_id), None)

    def add(self, states: Sequence[SubjectState]) -> list[KnownSchema]:
        """Append what is new. Raises SchemaIdConflict before anything is written."""
        kept = [
            state.found
            or KnownSchema(
                state.subject,
                max((version.version for version in state.versions), default=0) + 1,
                state.schema.local_id,
                state.schema.text,
            )
            for state in states
        ]
        own = [KnownSchema(state.subject, 0, state.schema.local_id, state.schema.text) for state in states]
        _refuse_shared_ids([*self._schemas, *own])
        new = [schema for state, schema in zip(states, kept, strict=True) if not state.found]
        if new:
            self._topic.write_schemas(new)
        return kept


def numbered(content: SchemaTopicContent) -> list[KnownSchema]:
    """By subject and version. Two workers may have given one number to two schemas: the later moves up."""
    schemas: list[KnownSchema] = []
    for schema in sorted(content.schemas, key=lambda known: (known.subject, known.version)):
        last = schemas[-1] if schemas and schemas[-1].subject == schema.subject else None
        version = schema.version if last is None else max(schema.version, last.version + 1)
        schemas.append(KnownSchema(schema.subject, version, schema.schema_id, schema.text))
    return schemas


def _refuse_shared_ids(schemas: Iterable[KnownSchema]) -> None:
    """Raise SchemaIdConflict for two different schemas with one id: their records look the same."""
    owners: dict[int, tuple[str, str]] = {}
    for schema in schemas:
        text = canonical_text(json.loads(schema.text))
        subject, other = owners.setdefault(schema.schema_id, (schema.subject, text))
        if other != text:
            raise SchemaIdConflict(
                f"two schemas, of {subject} and {schema.subject}, have the same local id {schema.schema_id}",
                hint="use a schema registry, or change any attribute but `doc` of one of them",
            )
