"""The least that each part of an installation must be allowed at a Kafka with access control lists."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from app.checks.permissions import needed
from app.settings import Settings
from app.topics import Catalogue, TopicSpec

__all__ = ["Acl", "Role", "kafka_acls", "roles"]


@dataclass(frozen=True, slots=True)
class Acl:
    """One permission in Kafka's words; `prefixed` is for everything whose name begins so."""

    operation: str
    resource: str
    name: str
    prefixed: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """Who needs permissions: `name` is for people, `user` for the examples.

    `note` says, in Markdown, what those are for that the work seems to go on without.
    """

    name: str
    user: str
    acls: tuple[Acl, ...]
    note: str = ""


def roles(settings: Settings, catalogue: Catalogue) -> list[Role]:
    """Return the roles, from who sets up to who reads. A person who does several things has several roles."""
    raw, schemas = settings.raw_topic_name, settings.schemas_topic
    marks = settings.replays_topic
    # By who makes rows anew.
    unread = {marks, settings.dead_letter_topic, settings.commands_topic}
    read = [name for name, spec in catalogue.topics.items() if "consumers" in spec.readers]
    return [
        Role(
            "Setting up: `mastery topics apply|check`, `mastery schemas register`",
            "deployer",
            (
                *(
                    Acl(it, "topic", settings.topic_prefix, prefixed=True)
                    for it in ("Create", "Describe", "DescribeConfigs")
                ),
                Acl("Read", "topic", schemas),
                Acl("Write", "topic", schemas),
            ),
            "`Create` is for topics that are missing. Without `DescribeConfigs`, settings that differ go"
            " unnoticed.",
        ),
        Role(
            "What receives the events from Canvas, or `mastery send`",
            "receiver",
            (Acl("Write", "topic", raw),),
        ),
        Role(
            "Workers",
            "worker",
            (
                *(Acl(grant.operation, grant.resource, grant.name) for grant in needed(settings, catalogue)),
                Acl("Write", "transactional-id", f"{settings.group_id}.", prefixed=True),
            ),
            "All of them are asked for at each start. `Read` on topics that are only written is for the first"
            " start, which must find them empty, and for the pages; `Write` on the topic of schemas for the"
            " first start and for releases with new schemas. With `DescribeConfigs` on the topics, pages show"
            " the settings that Kafka has instead of those that topics are made with; with `Read` on"
            f" `{marks}`, whether a dead letter was sent again. Workers do without both.",
        ),
        Role(
            "A consumer of all typed topics and rows, in the group `reports`",
            "reports",
            (
                *(Acl("Read", "topic", name) for name in [*read, schemas]),
                Acl("Read", "group", "reports"),
            ),
        ),
        Role(
            "Looking after it: `mastery status`, `show`, `state export|verify`, `tail`, "
            "`dead-letters list|show|replay`",
            "operator",
            (
                *(Acl("Read", "topic", name) for name in catalogue.topics),
                *(Acl("Write", "topic", name) for name in (raw, marks)),
                Acl("DescribeConfigs", "topic", raw),
                Acl("Describe", "group", settings.group_id),
                Acl("Write", "transactional-id", f"{settings.group_id}.dead-letter-replay"),
            ),
            "`tail` is for every topic. Without `DescribeConfigs`, a replay goes by the age that the raw"
            " topic is made with.",
        ),
        Role(
            "Forgetting students: `mastery forget`",
            "registrar",
            (
                Acl("Read", "topic", settings.changelog_topic),
                Acl("Write", "topic", settings.commands_topic),
                Acl("DescribeConfigs", "topic", settings.topic_prefix, prefixed=True),
                *([] if raw.startswith(settings.topic_prefix) else [Acl("DescribeConfigs", "topic", raw)]),
                Acl("Describe", "group", settings.group_id),
            ),
            "Without `DescribeConfigs`, the times until when topics hold the student are those that they are"
            " made with.",
        ),
        Role(
            "Making rows anew: `mastery state rebuild`",
            "rebuilder",
            (
                *(Acl("Read", "topic", name) for name in catalogue.topics if name not in unread),
                *(Acl("Write", "topic", spec.name) for spec in catalogue.topics.values() if _is_row(spec)),
                Acl("Read", "group", settings.group_id),
                Acl("Write", "transactional-id", f"{settings.group_id}.state-rebuild"),
            ),
            "Those on typed topics apart from results and definitions are for noticing that the group's"
            " offsets are lost.",
        ),
    ]


def _is_row(spec: TopicSpec) -> bool:
    """Whether the topic holds rows: it is compacted, and in the partitions of the results."""
    return spec.group is not None and spec.config["cleanup.policy"] == "compact"


def kafka_acls(role: Role) -> Iterable[str]:
    """Yield the commands that grant it, one for each resource and set of operations."""
    operations: dict[tuple[str, bool, str], list[str]] = {}
    for acl in role.acls:
        operations.setdefault((acl.resource, acl.prefixed, acl.name), []).append(acl.operation)
    # Stable: names keep their order within one command.
    ordered = sorted(operations.items(), key=lambda entry: (entry[0][:2], entry[1]))
    for ((resource, prefixed), allowed), entries in groupby(ordered, lambda entry: (entry[0][:2], entry[1])):
        yield " \\\n    ".join(
            [
                "kafka-acls.sh --bootstrap-server kafka:9092 --add",
                f"--allow-principal User:{role.user} " + " ".join(f"--operation {it}" for it in allowed),
                *(f"--{resource} {name}" for (_, _, name), _ in entries),
                *(["--resource-pattern-type prefixed"] if prefixed else []),
            ]
        )
