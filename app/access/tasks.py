"""What each thing that the project does needs at a Kafka with access control lists: no more, and no less."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.access.grants import Grant
from app.definitions.decoding import DEFINITION_EVENTS
from app.settings import Settings
from app.topics import Catalogue, TopicSpec

__all__ = [
    "Task",
    "apply_topics",
    "check_topics",
    "compare",
    "export",
    "forget",
    "inspect_raw",
    "is_ours",
    "list_letters",
    "read_schemas",
    "rebuild",
    "rebuild_from_changelog",
    "register_schemas",
    "replay",
    "reports",
    "send",
    "show",
    "show_letter",
    "status",
    "tail",
    "verify",
    "worker",
]

# Those of the catalogue's writers and readers that are a worker.
_WORKER = {"router", "worker"}


@dataclass(frozen=True, slots=True)
class Task:
    """Something that a user does, by the name that a person calls it.

    Without one of `grants` it does not work. Without one of `extra` it does, and says what it leaves out.
    """

    name: str
    grants: tuple[Grant, ...]
    extra: tuple[Grant, ...] = ()

    @property
    def all(self) -> tuple[Grant, ...]:
        """Everything that it can use."""
        return (*self.grants, *self.extra)


def apply_topics(settings: Settings, _: Catalogue) -> Task:
    """Make the topics that are missing: Create is for those alone."""
    return Task(
        "mastery topics apply",
        (_ours("Create", settings), _ours("Describe", settings)),
        (_ours("DescribeConfigs", settings),),
    )


def check_topics(settings: Settings, _: Catalogue) -> Task:
    """Compare the topics with the catalogue."""
    return Task("mastery topics check", (_ours("Describe", settings),), (_ours("DescribeConfigs", settings),))


def register_schemas(settings: Settings, _: Catalogue) -> Task:
    """Put the schemas where they are kept."""
    return Task(
        "mastery schemas register",
        (*_topics("Read", settings.schemas_topic), *_topics("Write", settings.schemas_topic)),
    )


def read_schemas(settings: Settings, _: Catalogue) -> Task:
    """Look at what is kept of the schemas."""
    return Task("mastery schemas list|check", tuple(_topics("Read", settings.schemas_topic)))


def send(settings: Settings, _: Catalogue) -> Task:
    """Put events into the raw topic."""
    return Task("mastery send", tuple(_topics("Write", settings.raw_topic_name)))


def inspect_raw(settings: Settings, _: Catalogue) -> Task:
    """See what the raw topic holds."""
    return Task("mastery raw inspect", tuple(_topics("Read", settings.raw_topic_name)))


def worker(settings: Settings, catalogue: Catalogue) -> Task:
    """Run a worker: each topic by the catalogue's readers and writers."""
    grants = []
    for name, spec in catalogue.topics.items():
        if _WORKER.intersection(spec.readers):
            grants.append(Grant("Read", "topic", name))
        if _WORKER.intersection(spec.writers):
            grants.append(Grant("Write", "topic", name))
    grants.append(Grant("Read", "group", settings.group_id))
    # Each worker has an id of its own.
    grants.append(Grant("Write", "transactional-id", f"{settings.group_id}.", prefixed=True))
    return Task("a worker", tuple(grants))


def is_ours(spec: TopicSpec) -> bool:
    """Return whether a worker reads or writes the topic."""
    return bool(_WORKER.intersection((*spec.readers, *spec.writers)))


def reports(settings: Settings, catalogue: Catalogue) -> Task:
    """Consume all typed topics and rows, in the group `reports`."""
    read = [name for name, spec in catalogue.topics.items() if "consumers" in spec.readers]
    return Task(
        "a consumer", (*_topics("Read", *read, settings.schemas_topic), Grant("Read", "group", "reports"))
    )


def status(settings: Settings, _: Catalogue, *, counts_rows: bool = True) -> Task:
    """See how far the workers are."""
    rows = [settings.changelog_topic] if counts_rows else []
    return Task(
        "mastery status", (*_topics("Read", *settings.input_topics, *rows), _group("Describe", settings))
    )


def show(settings: Settings, _: Catalogue, *, as_json: bool = False) -> Task:
    """See how a student stands, and whether something is left to be processed."""
    rows = _topics("Read", settings.changelog_topic)
    if as_json:
        return Task("mastery show", tuple(rows))
    return Task(
        "mastery show", (*rows, *_topics("Read", *settings.input_topics), _group("Describe", settings))
    )


def compare(settings: Settings, _: Catalogue) -> Task:
    """Compare the rows of a course with Canvas's, and see whether something is left to be processed."""
    return Task(
        "mastery compare",
        (
            *_topics("Read", settings.changelog_topic, *settings.input_topics),
            _group("Describe", settings),
        ),
    )


def export(settings: Settings, _: Catalogue) -> Task:
    """Write all rows to a file."""
    return Task("mastery state export", tuple(_topics("Read", settings.changelog_topic)))


def verify(settings: Settings, catalogue: Catalogue) -> Task:
    """Compute all rows again, and compare."""
    return Task(
        "mastery state verify",
        (
            *_topics("Read", *_definitions(settings), *settings.result_topics, *_row_topics(catalogue)),
            *_schemas(settings),
            _group("Describe", settings),
        ),
    )


def tail(settings: Settings, catalogue: Catalogue, *, topic: str | None = None) -> Task:
    """Print a topic; all of the catalogue's, unless one is named, with or without the prefix."""
    if topic is None:
        return Task("mastery tail", tuple(_topics("Read", *catalogue.topics)))
    name = f"{settings.topic_prefix}{topic}"
    # Any topic will do, and its records may be Avro.
    known = name if name in catalogue.topics else topic
    return Task("mastery tail", (*_topics("Read", known), *_schemas(settings)))


def list_letters(settings: Settings, _: Catalogue) -> Task:
    """List dead letters, and which were sent again."""
    topics = settings.dead_letter_topic, settings.replays_topic
    return Task("mastery dead-letters list", tuple(_topics("Read", *topics)))


def show_letter(settings: Settings, catalogue: Catalogue) -> Task:
    """Show one dead letter."""
    return Task("mastery dead-letters show", list_letters(settings, catalogue).grants)


def replay(settings: Settings, catalogue: Catalogue, *, dry_run: bool = False) -> Task:
    """Send dead letters again."""
    raw, marks = settings.raw_topic_name, settings.replays_topic
    sending = (*_topics("Write", raw, marks), _transactions(settings, "dead-letter-replay"))
    seeing = tuple(_topics("Describe", raw))
    return Task(
        "mastery dead-letters replay",
        (*list_letters(settings, catalogue).grants, *(seeing if dry_run else sending)),
        tuple(_topics("DescribeConfigs", raw)),
    )


def forget(settings: Settings, _: Catalogue, *, dry_run: bool = False) -> Task:
    """Forget a student."""
    raw = settings.raw_topic_name
    sending = (*_topics("Write", settings.commands_topic), _group("Describe", settings))
    foreign = [] if raw.startswith(settings.topic_prefix) else [raw]
    return Task(
        "mastery forget",
        (*_topics("Read", settings.changelog_topic), *(() if dry_run else sending)),
        (_ours("DescribeConfigs", settings), *_topics("DescribeConfigs", *foreign)),
    )


def rebuild(settings: Settings, catalogue: Catalogue) -> Task:
    """Make all rows anew, by the workers."""
    rows = _row_topics(catalogue)
    return Task(
        "mastery state rebuild",
        (
            # Of the raw topic, only whether the group has offsets in it.
            *_topics("Describe", settings.raw_topic_name),
            *_topics("Read", *settings.result_topics, *rows),
            *_schemas(settings),
            *_topics("Write", *rows),
            _group("Read", settings),
            _transactions(settings, "state-rebuild"),
        ),
    )


def rebuild_from_changelog(settings: Settings, catalogue: Catalogue) -> Task:
    """Make all rows anew at once, from what they keep."""
    more = _topics("Read", *_definitions(settings), settings.schemas_topic)
    return Task(
        "mastery state rebuild --from-changelog",
        tuple(dict.fromkeys((*rebuild(settings, catalogue).grants, *more))),
    )


def _ours(operation: str, settings: Settings) -> Grant:
    return Grant(operation, "topic", settings.topic_prefix, prefixed=True)


def _topics(operation: str, *names: str) -> Iterable[Grant]:
    return (Grant(operation, "topic", name) for name in dict.fromkeys(names))


def _schemas(settings: Settings) -> Iterable[Grant]:
    """What decoding other releases' records needs, where there is no schema registry."""
    return () if settings.schema_registry_url else _topics("Read", settings.schemas_topic)


def _group(operation: str, settings: Settings) -> Grant:
    return Grant(operation, "group", settings.group_id)


def _transactions(settings: Settings, name: str) -> Grant:
    return Grant("Write", "transactional-id", f"{settings.group_id}.{name}")


def _definitions(settings: Settings) -> list[str]:
    return [settings.typed_topic(name) for name in DEFINITION_EVENTS]


def _row_topics(catalogue: Catalogue) -> list[str]:
    """Those that hold rows: compacted, and in the partitions of the results."""
    return [
        name
        for name, spec in catalogue.topics.items()
        if spec.group is not None and spec.config["cleanup.policy"] == "compact"
    ]
