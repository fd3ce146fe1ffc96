"""Where the schemas are kept, and the ids that frame the records: a schema registry's, or local ones.

At start a worker calls `prepare_schemas` once; from then on it needs neither registry nor topic to write.
Tools that read call `schema_lookup`. `survey` compares the contract with what is kept, changing nothing.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from fastavro.schema import SchemaParseException, UnknownType

from app.schemas.compatibility import Incompatibility, read_problems
from app.schemas.contract import Contract, TopicSchema, load_contract
from app.schemas.known import KnownSchema, SchemaCatalogue
from app.schemas.registry_client import RegistryClient
from app.schemas.registry_errors import IncompatibleSchema, UnknownSchema
from app.schemas.schema_topic import SchemaMode, SchemaTopic, SchemaTopicContent
from app.schemas.stores import RegistryStore, SchemaStore, SubjectState, TopicStore, numbered
from app.settings import Settings

__all__ = [
    "SchemaCatalogue",
    "SchemaIds",
    "SchemaMode",
    "SubjectState",
    "prepare_schemas",
    "reload_from",
    "schema_lookup",
    "survey",
]

OURS = "this release"


@dataclass(frozen=True, slots=True)
class SchemaIds:
    """The ids that frame each topic's records, whose they are, and all schemas, to be served to consumers."""

    by_name: Mapping[str, int]
    mode: SchemaMode
    catalogue: SchemaCatalogue


def prepare_schemas(settings: Settings, contract: Contract) -> SchemaIds:
    """Make sure that the schemas are kept before any record is written with them, and return their ids.

    Blocks for seconds at most and may be called again. Nothing is written when something does not fit:
    SchemaModeConflict (the topics hold the other kind of ids), IncompatibleSchema, SchemaIdConflict. Waiting
    may help against RegistryUnavailable and `BrokerFailure`s that are not permanent, not against
    RegistryRefused and SchemasTopicMissing.
    """
    topic, mode = SchemaTopic(settings), _mode(settings)
    content = topic.read()
    content.require_mode(mode, topic.name)
    with _opened(settings, topic, content) as store:
        states = _survey(store, settings, contract)
        _refuse_incompatible(states)
        kept = store.add(states)
    # Last, so that a start that fails before leaves no mark; first come is first served among workers.
    if content.mode is None:
        content = topic.claim_mode(mode)
    ids = {state.schema.name: schema.schema_id for state, schema in zip(states, kept, strict=True)}
    versions = [*kept, *(version for state in states for version in state.versions)]
    return SchemaIds(
        MappingProxyType(ids),
        mode,
        SchemaCatalogue([*versions, *numbered(content)], reload_from(settings, contract)),
    )


def survey(settings: Settings, contract: Contract) -> tuple[SchemaMode, list[SubjectState]]:
    """Compare the contract with what is kept, changing nothing. Raises what `prepare_schemas` raises."""
    topic, mode = SchemaTopic(settings), _mode(settings)
    content = topic.read()
    content.require_mode(mode, topic.name)
    with _opened(settings, topic, content) as store:
        return mode, _survey(store, settings, contract)


def schema_lookup(
    settings: Settings, contract: Contract | None = None, *, known: Iterable[KnownSchema] = ()
) -> Callable[[int], str]:
    """Return a function from a schema id to the schema's text, for those who read typed topics.

    With a registry it asks that, once for each id that is not among `known`. Without, it knows the contract
    and reads the topic of schemas for what else it is asked for. The function raises UnknownSchema, or what
    keeps it from knowing.
    """
    if settings.schema_registry_url:
        texts = {schema.schema_id: schema.text for schema in known}

        def ask(schema_id: int) -> str:
            if schema_id not in texts:
                with RegistryClient(settings) as registry:
                    texts[schema_id] = registry.by_id(schema_id)
            return texts[schema_id]

        return ask
    contract = contract or load_contract()
    own = {schema.local_id: schema.text for schema in contract.topics.values()}
    catalogue = SchemaCatalogue((), reload_from(settings, contract))

    def look_up(schema_id: int) -> str:
        if schema_id in own:
            return own[schema_id]
        try:
            return catalogue.by_id(schema_id)
        except UnknownSchema as error:
            raise UnknownSchema(
                str(error), hint="set MASTERY_SCHEMA_REGISTRY_URL if the workers use a schema registry"
            ) from None

    return look_up


def _mode(settings: Settings) -> SchemaMode:
    return SchemaMode.REGISTRY if settings.schema_registry_url else SchemaMode.LOCAL


@contextmanager
def _opened(settings: Settings, topic: SchemaTopic, content: SchemaTopicContent) -> Iterator[SchemaStore]:
    if settings.schema_registry_url is None:
        yield TopicStore(topic, content)
        return
    with RegistryClient(settings) as registry:
        yield RegistryStore(registry)


def reload_from(settings: Settings, contract: Contract) -> Callable[[], list[KnownSchema]]:
    """Return a function that fetches all that is kept: the topic, or the contract's subjects.

    It raises what the topic or the registry raises.
    """
    subjects = [settings.subject(settings.typed_topic(name)) for name in contract.topics]

    def reload() -> list[KnownSchema]:
        if settings.schema_registry_url is None:
            return numbered(SchemaTopic(settings).read())
        with RegistryClient(settings) as registry:
            return [version for subject in subjects for version in registry.versions(subject)]

    return reload


def _survey(store: SchemaStore, settings: Settings, contract: Contract) -> list[SubjectState]:
    states = []
    for schema in contract.topics.values():
        subject = settings.subject(settings.typed_topic(schema.name))
        versions, found = tuple(store.versions(subject)), store.find(subject, schema)
        problems = () if found else tuple(_problems(subject, schema, versions))
        states.append(SubjectState(schema, subject, found, versions, problems))
    return states


def _problems(
    subject: str, schema: TopicSchema, versions: Iterable[KnownSchema]
) -> Iterable[Incompatibility]:
    for version in versions:
        label = f"version {version.version}"
        try:
            kept = json.loads(version.text)
            pairs = ((OURS, schema.schema, label, kept), (label, kept, OURS, schema.schema))
            for reader, reads, writer, writes in pairs:
                for problem in read_problems(reads, writes):
                    yield Incompatibility(subject, reader, writer, problem.path, problem.rule, problem.detail)
        except (ValueError, KeyError, TypeError, SchemaParseException, UnknownType):
            raise IncompatibleSchema(
                f"{label} of {subject} is no Avro schema that can be compared",
                hint="somebody else uses this subject: set another MASTERY_TOPIC_PREFIX",
            ) from None


def _refuse_incompatible(states: Sequence[SubjectState]) -> None:
    problems = [problem for state in states for problem in state.problems]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise IncompatibleSchema(
            f"{problems[0]}{more}",
            problems,
            hint="run the release that fits, or set a new MASTERY_TOPIC_PREFIX and produce the events again",
        )
