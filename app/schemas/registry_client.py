"""A schema registry with Confluent's REST API, by confluent-kafka's client, with errors in plain words."""

import json
import ssl
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, TypeVar

from app.errors import MasteryError
from app.schemas.known import KnownSchema
from app.schemas.registry_errors import (
    IncompatibleSchema,
    RegistryRefused,
    RegistryUnavailable,
    UnknownSchema,
)
from app.settings import Settings

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
    from confluent_kafka.schema_registry.error import SchemaRegistryError

__all__ = ["COMPATIBILITY", "RegistryClient"]

COMPATIBILITY = "FULL_TRANSITIVE"
"""Every version of a subject reads every other: old consumers new records, new consumers old ones."""

_NOT_FOUND = 404
_CONFLICT = 409
_BUSY = {408, 425, 429}
_LOGIN = {401, 403}

_Answer = TypeVar("_Answer")


class RegistryClient:
    """The calls the project makes. Failures: RegistryUnavailable (try later), RegistryRefused (never will).

    A context manager: its connections are closed at the end.

    One call takes a few seconds at most, retries of its own included: who can wait longer calls again.
    """

    def __init__(self, settings: Settings, *, timeout: float = 5.0) -> None:
        if settings.schema_registry_url is None:
            raise RegistryRefused("no schema registry is set", hint="set MASTERY_SCHEMA_REGISTRY_URL")
        self.url = settings.schema_registry_url
        self._settings = settings
        self._client = _connect(settings, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def versions(self, subject: str) -> list[KnownSchema]:
        """Return all versions of a subject, oldest first; none of an unknown one."""
        numbers = self._unless_missing(lambda: self._client.get_versions(subject), subject)
        return [self._version(subject, number) for number in sorted(numbers or ())]

    def find(self, subject: str, text: str) -> KnownSchema | None:
        """Return the version of the subject that is this schema."""
        found = self._unless_missing(lambda: self._client.lookup_schema(subject, _avro(text)), subject)
        if found is None or not found.schema_id or not found.version:
            return None
        return KnownSchema(subject, found.version, found.schema_id, text)

    def compatibility(self, subject: str) -> str | None:
        """Return the level set for this subject alone."""
        return self._unless_missing(lambda: self._client.get_compatibility(subject), subject)

    def set_compatibility(self, subject: str) -> None:
        """Let the registry refuse versions that are not FULL_TRANSITIVE, whoever registers them."""
        self._call(
            lambda: self._client.set_compatibility(subject, COMPATIBILITY), f"set the rule of {subject}"
        )

    def accepts(self, subject: str, text: str) -> bool:
        """Ask the registry whether it would take this schema as a new version, by all versions it has."""
        answer = self._unless_missing(
            lambda: self._client.test_compatibility_all_versions(subject, _avro(text)), subject
        )
        return True if answer is None else bool(answer)

    def register(self, subject: str, text: str) -> KnownSchema:
        """Register a schema, or find it registered. Raises IncompatibleSchema in the registry's words."""
        try:
            schema_id = self._call(
                lambda: self._client.register_schema(subject, _avro(text)), f"register {subject}"
            )
        except _Refusal as refusal:
            found = self.find(subject, text)  # registered by another worker at the same moment
            if found is not None:
                return found
            raise IncompatibleSchema(
                f"the schema registry refuses the schema of {subject}: {refusal}",
                hint="a new version may only add or drop nullable fields with default null",
            ) from None
        found = self.find(subject, text)
        return found or KnownSchema(subject, len(self.versions(subject)), schema_id, text)

    def by_id(self, schema_id: int) -> str:
        """Return the text of a schema. Raises UnknownSchema."""
        what = f"read the schema {schema_id}"
        found = self._unless_missing(lambda: self._client.get_schema(schema_id), what)
        if found is None or not found.schema_str:
            raise UnknownSchema(f"the schema registry at {self.url} has no schema with id {schema_id}")
        return found.schema_str

    def _version(self, subject: str, number: int) -> KnownSchema:
        found = self._call(
            lambda: self._client.get_version(subject, number), f"read version {number} of {subject}"
        )
        if not found.schema_id or not found.schema.schema_str:
            raise RegistryRefused(f"the schema registry gives no schema for version {number} of {subject}")
        return KnownSchema(subject, number, found.schema_id, found.schema.schema_str)

    def _unless_missing(self, call: Callable[[], _Answer], what: str) -> _Answer | None:
        """None where the registry knows no such thing."""
        try:
            return self._call(call, what)
        except _Missing:
            return None

    def _call(self, call: Callable[[], _Answer], what: str) -> _Answer:
        from confluent_kafka.schema_registry.error import SchemaRegistryError  # noqa: PLC0415 - see _connect

        try:
            return call()
        except SchemaRegistryError as error:
            raise self._failure(error, what) from None
        except json.JSONDecodeError:
            raise self._not_a_registry() from None
        except Exception as error:
            # By name, as the client takes httpx or its successor httpx2, whichever is installed.
            if any(kind.__name__ == "TransportError" for kind in type(error).__mro__):
                raise self._no_connection(error) from None
            raise

    def _failure(self, error: "SchemaRegistryError", what: str) -> Exception:
        status, code = error.http_status_code, error.error_code
        message = " ".join(str(error.error_message).split())[:500]
        if status in _LOGIN:
            return RegistryRefused(
                f"the schema registry at {self.url} denies it: HTTP {status} ({what})",
                hint="check MASTERY_SCHEMA_REGISTRY_AUTH and what that user may do",
            )
        if status in _BUSY or status >= 500:
            return RegistryUnavailable(
                f"the schema registry at {self.url} cannot now: HTTP {status} ({what})"
            )
        if status == _NOT_FOUND:
            # Only a registry numbers its errors; anything else has no such path.
            return self._not_a_registry() if code in (None, -1) else _Missing(message)
        if status == _CONFLICT:
            return _Refusal(message)
        return RegistryRefused(
            f"the schema registry at {self.url} refuses: HTTP {status}, {message} ({what})"
        )

    def _no_connection(self, error: Exception) -> MasteryError:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLError):
                return RegistryRefused(
                    f"no TLS connection to the schema registry at {self.url}: {cause.reason or 'failed'}",
                    hint="check MASTERY_TLS_CA_FILE (who signed its certificate), and https:// against http://",
                )
            cause = cause.__cause__ or cause.__context__
        kind, hint = type(error).__name__, "start it, or check MASTERY_SCHEMA_REGISTRY_URL"
        # What wants TLS hangs up on who speaks in the clear.
        if kind in {"RemoteProtocolError", "ReadError"} and self.url.startswith("http://"):
            hint = "check MASTERY_SCHEMA_REGISTRY_URL: does it want https://?"
        return RegistryUnavailable(f"the schema registry at {self.url} does not answer ({kind})", hint=hint)

    def _not_a_registry(self) -> MasteryError:
        return RegistryRefused(
            f"{self.url} is not the address of a schema registry's Confluent API",
            hint="check MASTERY_SCHEMA_REGISTRY_URL; Apicurio's ends with /apis/ccompat/v7",
        )


class _Missing(Exception):
    """The registry knows no such subject, version, schema or setting."""


class _Refusal(Exception):
    """The registry does not take a schema."""


def _connect(settings: Settings, timeout: float) -> "SchemaRegistryClient":
    # Imported late: slow, and most commands need no registry. Its import of authlib warns of deprecations
    # that are not ours to cure, past any filter.
    with warnings.catch_warnings(record=True):
        from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: PLC0415 - see above

    config: dict[str, object] = {
        "url": settings.schema_registry_url,
        "timeout": timeout,
        "max.retries": 2,
        "retries.wait.ms": 100,
        "retries.max.wait.ms": 500,
    }
    if settings.schema_registry_auth is not None:
        config["basic.auth.user.info"] = settings.schema_registry_auth.get_secret_value()
    system = ssl.get_default_verify_paths()
    # Without a file of its own, the client would trust certifi's list and not the system's.
    authorities = settings.tls_ca_file or system.cafile or system.capath
    if authorities is not None:
        config["ssl.ca.location"] = str(authorities)
    if settings.tls_certificate_file is not None and settings.tls_key_file is not None:
        config["ssl.certificate.location"] = str(settings.tls_certificate_file)
        config["ssl.key.location"] = str(settings.tls_key_file)
        if settings.tls_key_password is not None:
            config["ssl.key.password"] = settings.tls_key_password.get_secret_value()
    return SchemaRegistryClient(config)


def _avro(text: str) -> "Schema":
    from confluent_kafka.schema_registry import Schema  # noqa: PLC0415 - see _connect

    return Schema(text, "AVRO")
