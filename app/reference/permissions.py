"""The least that each part of an installation must be allowed at a Kafka with access control lists."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from app.access import tasks
from app.access.grants import Grant
from app.access.tasks import Task
from app.settings import Settings
from app.topics import Catalogue

__all__ = ["Role", "kafka_acls", "roles"]


@dataclass(frozen=True, slots=True)
class Role:
    """Who needs permissions: `name` is for people, `user` for the examples, `tasks` is what this one does.

    `note` says, in Markdown, what those are for that the work seems to go on without.
    """

    name: str
    user: str
    tasks: tuple[Task, ...]
    note: str = ""

    @property
    def grants(self) -> tuple[Grant, ...]:
        """What all its tasks need together, apart from what one of the others includes."""
        wanted = dict.fromkeys(grant for task in self.tasks for grant in task.all)
        return tuple(grant for grant in wanted if not any(_includes(other, grant) for other in wanted))


def _includes(other: Grant, grant: Grant) -> bool:
    """Whether Kafka takes `other` for `grant`, too: whoever may read or write a thing may describe it."""
    same = (other.resource, other.name, other.prefixed) == (grant.resource, grant.name, grant.prefixed)
    return same and grant.operation == "Describe" and other.operation in {"Read", "Write"}


def roles(settings: Settings, catalogue: Catalogue) -> list[Role]:
    """Return the roles, from who sets up to who reads. A person who does several things has several roles."""
    told = [
        (
            "Setting up: `mastery topics apply|check`, `mastery schemas register|list|check`",
            "deployer",
            (tasks.apply_topics, tasks.check_topics, tasks.register_schemas, tasks.read_schemas),
            (
                "`Create` is for topics that are missing. Without `DescribeConfigs`, settings that differ go"
                " unnoticed: the commands say so."
            ),
        ),
        (
            "What brings events into the raw topic: `mastery receive`, `send`, `backfill`",
            "receiver",
            (tasks.send,),
            "",
        ),
        (
            "Workers",
            "worker",
            (tasks.worker,),
            (
                "All of them are asked for at each start. `Read` on topics that are only written is for the"
                " first start, which must find them empty, and for the pages; `Write` on the topic of schemas"
                " for the first start and for releases with new schemas. With `DescribeConfigs` on the"
                " topics, pages show the settings that Kafka has instead of those that topics are made with;"
                f" with `Read` on `{settings.replays_topic}`, whether a dead letter was sent again. Workers"
                " do without both."
            ),
        ),
        (
            "A consumer of all typed topics and rows, in the group `reports`",
            "reports",
            (tasks.reports,),
            "",
        ),
        (
            (
                "Looking after it: `mastery status`, `show`, `state export|verify`, `tail`, "
                "`dead-letters list|show|replay`"
            ),
            "operator",
            (
                tasks.status,
                tasks.show,
                tasks.export,
                tasks.compare,
                tasks.verify,
                tasks.tail,
                tasks.inspect_raw,
                tasks.list_letters,
                tasks.show_letter,
                tasks.replay,
            ),
            (
                "`tail` is for every topic. Without `DescribeConfigs`, a replay goes by the age that the raw"
                " topic is made with, and says so."
            ),
        ),
        (
            "Forgetting students: `mastery forget`",
            "registrar",
            (tasks.forget,),
            (
                "Without `DescribeConfigs`, the times until when topics hold the student are those that they"
                " are made with; the command says so."
            ),
        ),
        (
            "Making rows anew: `mastery state rebuild`",
            "rebuilder",
            (tasks.rebuild, tasks.rebuild_from_changelog),
            "Those on definitions are for `--from-changelog` alone.",
        ),
    ]
    return [
        Role(name, user, tuple(task(settings, catalogue) for task in does), note)
        for name, user, does, note in told
    ]


def kafka_acls(role: Role) -> Iterable[str]:
    """Yield the commands that grant it, one for each resource and set of operations."""
    operations: dict[tuple[str, bool, str], list[str]] = {}
    for acl in role.grants:
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
