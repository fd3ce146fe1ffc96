"""Permissions in Kafka's words, and the line that tells a person which of them lack."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.kafka import AccessDenied
from app.settings import Settings

__all__ = ["Grant", "PermissionMissing", "permission_missing", "read_denied"]

#: Names of topics in a line.
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Grant:
    """One permission: an `operation` such as Read on a `topic`, `group` or `transactional-id`.

    `prefixed` is for everything whose name begins so.
    """

    operation: str
    resource: str
    name: str
    prefixed: bool = False


class PermissionMissing(AccessDenied):
    """The broker knows this user, who lacks permissions; the message names all that are missing."""


def permission_missing(settings: Settings, missing: Iterable[Grant], *, doer: str) -> PermissionMissing:
    """Put all missing permissions into one line, and the commands that grant them into the hint.

    `doer` is who needs them: "a worker", "`mastery status`".
    """
    together: dict[tuple[str, str], list[str]] = {}
    for grant in missing:
        name = f"{grant.name}*" if grant.prefixed else grant.name
        together.setdefault((grant.operation, grant.resource), []).append(name)
    parts = []
    commands = []
    for (operation, resource), names in together.items():
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        plural = "s" if len(names) > 1 else ""
        parts.append(f"{operation} on {resource}{plural} {', '.join(names[:_SHOWN])}{more}")
        commands += [f"--operation {operation} {it}" for it in _patterns(settings, resource, names)]
    user = settings.sasl_username or "..."
    return PermissionMissing(
        f"this user may not do all that {doer} does at {settings.broker}: no {'; no '.join(parts)}",
        hint=f"grant it: kafka-acls --bootstrap-server ... --add --allow-principal User:{user} "
        + ", and the same with ".join(commands),
    )


def read_denied(settings: Settings, topic: str) -> PermissionMissing:
    """Say that this user may not read the topic."""
    hint = permission_missing(settings, [Grant("Read", "topic", topic)], doer="").hint
    return PermissionMissing(
        f"this user may not read at {settings.broker}: no Read on topic {topic}", hint=hint
    )


def _patterns(settings: Settings, resource: str, names: list[str]) -> list[str]:
    """Name things as they are, or by our prefix."""
    prefixed = "--resource-pattern-type prefixed"
    ours = [name for name in names if name.startswith(settings.topic_prefix)]
    if resource == "topic" and len(ours) > 1:
        others = [f"--{resource} {name}" for name in names if name not in ours]
        return [*others, f"--{resource} {settings.topic_prefix} {prefixed}"]
    return [
        f"--{resource} {name.removesuffix('*')}{f' {prefixed}' if name.endswith('*') else ''}"
        for name in names
    ]
