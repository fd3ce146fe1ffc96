"""The topics: what the catalogue says of each, and what Kafka has."""

import time
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Final

from app.schemas.contract import Contract, TopicSchema, load_contract
from app.schemas.fields import fields_of
from app.schemas.known import SchemaCatalogue
from app.settings import Settings
from app.topics import TopicAdmin, TopicSpec, load_catalogue
from app.web.local.newest import Newest, RecordShower, newest_records
from app.web.local.offsets import TopicSpans, records_in, topic_spans
from app.web.local.samples import consuming_sample
from app.web.local.shared import PATIENCE, Made, Shared, from_broker
from app.web.models.base import Freshness
from app.web.models.stream import TopicAnswer, TopicList, TopicSummary
from app.web.problems import NotFound
from app.web.security.viewer import Viewer

__all__ = ["Topics", "retention_text"]

_DAY_MS: Final = 24 * 60 * 60 * 1000
#: Records of a topic that are shown.
_RECORDS: Final = 10
#: Seconds for which offsets and records are as fresh as need be, and the topics' settings.
_KEEP: Final = 3.0
_KEEP_CONFIGS: Final = 30.0


class Topics:
    """Answers about topics. `schemas()` are those that the worker writes with, None where not known yet."""

    def __init__(
        self,
        settings: Settings,
        schemas: Callable[[], SchemaCatalogue | None] = lambda: None,
        worker_url: Callable[[], str | None] = lambda: None,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._settings = settings
        self._schemas = schemas
        self._worker_url = worker_url
        self._specs = load_catalogue(settings).topics
        self._contract: Contract = load_contract()
        self._of_topic = {settings.typed_topic(one.name): one for one in self._contract.topics.values()}
        self._shower = RecordShower(settings)
        self._spans: Shared[TopicSpans] = Shared(
            lambda: topic_spans(settings, list(self._specs)),
            keep=_KEEP,
            name="topic-offsets",
            patience=patience,
        )
        # One of each for each topic of the catalogue, made when first asked for.
        self._newest: dict[str, Shared[Newest]] = {}
        self._configs: dict[str, Shared[Mapping[str, str]]] = {}

    async def spans(self) -> Made[TopicSpans]:
        """First and end offsets of the catalogue's topics that Kafka has. Raises BrokerAway."""
        return await from_broker(self._spans, self._settings.broker)

    async def all(self) -> TopicList:
        """The catalogue with counts. Raises BrokerAway."""
        found = await self.spans()
        topics = tuple(self._summary(spec, found.value) for spec in self._specs.values())
        return TopicList(topics=topics, freshness=_freshness(found.at))

    async def one(self, viewer: Viewer, name: str) -> TopicAnswer:
        """One topic, by its name with or without the prefix. Raises NotFound and BrokerAway."""
        spec = self._spec(name)
        found = await self.spans()
        as_of = found.at
        summary = self._summary(spec, found.value)
        schema = self._of_topic.get(spec.name)
        schema_id = None if schema is None else self._newest_id(spec.name, schema)
        # Records hold students' ids as Canvas wrote them.
        hidden = not viewer.sees_everything or self._settings.web_pseudonyms
        newest, configs = Newest((), complete=True), dict(spec.config)
        if not summary.missing:
            configs |= await self._told_configs(spec)
            if not hidden:
                made = await from_broker(self._newest_of(spec.name), self._settings.broker)
                newest, as_of = made.value, min(as_of, made.at)
        return TopicAnswer(
            topic=summary,
            doc=None if schema is None else schema.schema.get("doc"),
            subject=None if schema is None else self._settings.subject(spec.name),
            schema_id=schema_id,
            avro_schema=None if schema is None else schema.schema,
            fields=() if schema is None else _fields(schema),
            configs=configs,
            records=self._shower.shown(newest.records, schema_id),
            records_hidden=hidden,
            records_complete=newest.complete,
            sample=consuming_sample(
                self._settings,
                spec.name,
                avro=schema is not None,
                headers=spec.name == self._settings.dead_letter_topic,
                worker_url=self._worker_url(),
            ),
            freshness=_freshness(as_of),
        )

    def _spec(self, name: str) -> TopicSpec:
        for candidate in (name, f"{self._settings.topic_prefix}{name}"):
            if candidate in self._specs:
                return self._specs[candidate]
        near = get_close_matches(name[:249], self._specs, n=1)
        raise NotFound(
            "the catalogue has no topic of this name",
            hint=f"did you mean {near[0]}?" if near else "/topics lists those that there are",
        )

    def _summary(self, spec: TopicSpec, spans: TopicSpans) -> TopicSummary:
        there = spans.get(spec.name)
        return TopicSummary(
            name=spec.name,
            title=" ".join(spec.description.split()),
            role=self._role(spec),
            partitions=spec.partitions if there is None else len(there),
            records=None if there is None else records_in(there),
            retention=retention_text(spec.config),
            key=" ".join(spec.key.split()),
            missing=there is None,
        )

    def _role(self, spec: TopicSpec) -> str:
        if spec.raw:
            return "raw"
        if spec.event is not None:
            return "typed"
        if spec.name in self._of_topic:
            return "derived"
        return "dead-letter" if spec.name == self._settings.dead_letter_topic else "internal"

    def _newest_id(self, topic: str, schema: TopicSchema) -> int | None:
        """The id of the newest version that is kept; without a registry the schema itself tells it."""
        subject = self._settings.subject(topic)
        known = self._schemas()
        ids = [] if known is None else [one for one in known.schemas() if one.subject == subject]
        if ids:
            return max(ids, key=lambda one: one.version).schema_id
        return schema.local_id if self._settings.schema_registry_url is None else None

    def _newest_of(self, topic: str) -> Shared[Newest]:
        if topic not in self._newest:
            self._newest[topic] = Shared(
                lambda: newest_records(
                    self._settings, topic, topic_spans(self._settings, [topic]).get(topic, {}), _RECORDS
                ),
                keep=_KEEP,
                name="newest-records",
                patience=self._spans.patience,
            )
        return self._newest[topic]

    async def _told_configs(self, spec: TopicSpec) -> Mapping[str, str]:
        """What Kafka says of the settings that the catalogue makes; nothing where it may not be asked."""
        if spec.name not in self._configs:
            self._configs[spec.name] = Shared(
                lambda: TopicAdmin(self._settings, timeout=2.0).configs([spec.name])[spec.name] or {},
                keep=_KEEP_CONFIGS,
                name="topic-settings",
                patience=self._spans.patience,
            )
        told = (await from_broker(self._configs[spec.name], self._settings.broker)).value
        return {name: told[name] for name in spec.config if told.get(name) is not None}


def retention_text(config: Mapping[str, str]) -> str:
    """Say for a person how long records stay: 'compacted', 'for ever' or '14 days'."""
    if config.get("cleanup.policy") == "compact":
        return "compacted"
    age = int(config.get("retention.ms", "-1"))
    if age < 0:
        return "for ever"
    days = age // _DAY_MS
    return "1 day" if days == 1 else f"{days} days"


def _fields(schema: TopicSchema) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (
            field.path,
            f"{field.type} or null" if field.nullable else field.type,
            f"Personal. {field.doc}" if field.personal else field.doc,
        )
        for field in fields_of(schema.schema["fields"])
    )


def _freshness(as_of: float) -> Freshness:
    return Freshness(as_of=as_of, behind_seconds=max(0.0, time.time() - as_of))
