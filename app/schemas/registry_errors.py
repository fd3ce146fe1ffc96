"""What can go wrong with schemas, their ids and where they are kept."""

from collections.abc import Sequence

from app.errors import MasteryError
from app.schemas.compatibility import Incompatibility

__all__ = [
    "IncompatibleSchema",
    "RegistryRefused",
    "RegistryUnavailable",
    "SchemaIdConflict",
    "SchemaModeConflict",
    "SchemasTopicMissing",
    "UnknownSchema",
]


class RegistryUnavailable(MasteryError):
    """The schema registry does not answer, or answers that it cannot now. Waiting may help."""


class RegistryRefused(MasteryError):
    """The registry says no, and waiting will not help: login, permission, address, certificate."""


class IncompatibleSchema(MasteryError):
    """A schema that consumers of the versions before it could not live with. Nothing was written."""

    def __init__(
        self, message: str, problems: Sequence[Incompatibility] = (), *, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)


class SchemaModeConflict(MasteryError):
    """The topics hold records framed with the other kind of ids: a registry's, or local ones."""


class SchemaIdConflict(MasteryError):
    """Two different schemas with one local id."""


class SchemasTopicMissing(MasteryError):
    """The topic for schemas does not exist."""


class UnknownSchema(MasteryError, KeyError):
    """No schema with this id, or no such subject or version."""

    __str__ = Exception.__str__  # KeyError would put the message in quotes
