"""`/registry`: the schemas of the typed topics in the REST form of Confluent's Schema Registry, read-only.

A stock Confluent Avro consumer needs nothing but this address to decode every topic. Paths, bodies, content
type and error codes are those of the API reference (docs.confluent.io, "Schema Registry API"),
as far as they only read. `POST /subjects/<subject>` is among them: it asks which version a schema is, which
the Avro converter of Kafka Connect does for every schema it meets.
"""

import json
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastavro import parse_schema
from fastavro.schema import SchemaParseException
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.errors import MasteryError
from app.schemas.contract import canonical_text
from app.schemas.known import KnownSchema, SchemaCatalogue
from app.schemas.registry_errors import UnknownSchema
from app.web.health import RETRY_AFTER_SECONDS

__all__ = ["CONTENT_TYPE", "registry_app"]

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"

SUBJECT_NOT_FOUND = 40401
VERSION_NOT_FOUND = 40402
SCHEMA_NOT_FOUND = 40403
INVALID_SCHEMA = 42201
INVALID_VERSION = 42202
NOT_AVAILABLE = 50003  # "error while forwarding the request to the primary"

_MAX_INT = 2**31 - 1
_READ_METHODS = {"GET", "HEAD"}
_LARGEST_SCHEMA = 1024 * 1024


def registry_app(source: Callable[[], SchemaCatalogue | None]) -> Starlette:
    """Return the application to mount. `source` gives the schemas; while it gives None, the answer is 503."""
    registry = _Registry(source)
    return Starlette(
        routes=[
            Route("/", registry.root, methods=["GET"]),
            Route("/schemas/types", registry.types, methods=["GET"]),
            Route("/schemas/ids/{schema_id}", registry.schema, methods=["GET"]),
            Route("/schemas/ids/{schema_id}/schema", registry.schema_text, methods=["GET"]),
            Route("/subjects", registry.subjects, methods=["GET"]),
            Route("/subjects/{subject}", registry.look_up, methods=["POST"]),
            Route("/subjects/{subject}/versions", registry.versions, methods=["GET"]),
            Route("/subjects/{subject}/versions/{version}", registry.version, methods=["GET"]),
            Route("/subjects/{subject}/versions/{version}/schema", registry.version_text, methods=["GET"]),
            Route("/config", registry.config, methods=["GET"]),
            Route("/mode", registry.mode, methods=["GET"]),
        ],
        exception_handlers={
            HTTPException: _http_error,
            _RegistryError: _registry_error,
            MasteryError: _unavailable,
        },
    )


class _RegistryError(Exception):
    """An answer that is an error. The first three digits of its code are the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = code // 100


class _Registry:
    """The endpoints: plain functions, run in threads, as a source may ask a registry over the network."""

    def __init__(self, source: Callable[[], SchemaCatalogue | None]) -> None:
        self._source = source

    def root(self, _: Request) -> Response:
        return _json({})

    def types(self, _: Request) -> Response:
        return _json(["AVRO"])

    def config(self, _: Request) -> Response:
        return _json({"compatibilityLevel": "FULL_TRANSITIVE"})

    def mode(self, _: Request) -> Response:
        return _json({"mode": "READONLY"})

    def schema(self, request: Request) -> Response:
        return _json({"schema": self._by_id(request)})

    def schema_text(self, request: Request) -> Response:
        return _text(self._by_id(request))

    def subjects(self, _: Request) -> Response:
        return _json(sorted(self._schemas().subjects()))

    def versions(self, request: Request) -> Response:
        return _json(self._versions(request.path_params["subject"]))

    def version(self, request: Request) -> Response:
        return _known(self._version(request))

    async def look_up(self, request: Request) -> Response:
        given = b""
        async for chunk in request.stream():
            given += chunk
            if len(given) > _LARGEST_SCHEMA:
                raise _RegistryError(INVALID_SCHEMA, "Invalid schema: larger than any here")
        return await run_in_threadpool(self._looked_up, request.path_params["subject"], given)

    def _looked_up(self, subject: str, given: bytes) -> Response:
        try:
            wanted = _comparable(json.loads(given)["schema"])
        except (ValueError, LookupError, TypeError, RecursionError, SchemaParseException):
            raise _RegistryError(INVALID_SCHEMA, "Invalid schema") from None
        # The newest first: it is the one that is asked for.
        for number in reversed(self._versions(subject)):
            known = self._schemas().version(subject, number)
            if _comparable(known.text) == wanted:
                return _known(known)
        raise _RegistryError(SCHEMA_NOT_FOUND, "Schema not found")

    def version_text(self, request: Request) -> Response:
        return _text(self._version(request).text)

    def _schemas(self) -> SchemaCatalogue:
        source = self._source()
        if source is None:
            raise MasteryError("the worker is starting and has not read the schemas yet")
        return source

    def _by_id(self, request: Request) -> str:
        given = request.path_params["schema_id"]
        schemas = self._schemas()
        try:
            return schemas.by_id(_number(given))
        except (UnknownSchema, ValueError):
            raise _RegistryError(SCHEMA_NOT_FOUND, f"Schema {given} not found") from None

    def _versions(self, subject: str) -> list[int]:
        try:
            return list(self._schemas().versions(subject))
        except UnknownSchema:
            raise _RegistryError(SUBJECT_NOT_FOUND, f"Subject '{subject}' not found.") from None

    def _version(self, request: Request) -> KnownSchema:
        subject, given = request.path_params["subject"], request.path_params["version"]
        known = self._versions(subject)
        number = known[-1] if given in {"latest", "-1"} else _version_number(given)
        if number not in known:
            raise _RegistryError(VERSION_NOT_FOUND, f"Version {number} not found.")
        return self._schemas().version(subject, number)


def _comparable(text: str) -> str:
    """Names in full, keys in order: Java's Avro writes a schema that it has read in another form."""
    parsed = parse_schema(json.loads(text))
    if isinstance(parsed, dict):
        parsed = {name: value for name, value in parsed.items() if not name.startswith("__")}
    return canonical_text(parsed)


def _number(given: str) -> int:
    """Return the positive 32-bit integer that `given` spells; else raise ValueError."""
    if not re.fullmatch(r"[0-9]{1,10}", given) or not 1 <= int(given) <= _MAX_INT:
        raise ValueError(given)
    return int(given)


def _version_number(given: str) -> int:
    try:
        return _number(given)
    except ValueError:
        raise _RegistryError(
            INVALID_VERSION,
            f"The specified version '{given}' is not a valid version id. "
            'Allowed values are between [1, 2^31-1] and the string "latest"',
        ) from None


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(body, status_code=status, headers=headers, media_type=CONTENT_TYPE)


def _known(schema: KnownSchema) -> Response:
    return _json(
        {
            "subject": schema.subject,
            "version": schema.version,
            "id": schema.schema_id,
            "schema": schema.text,
        }
    )


def _text(schema: str) -> Response:
    """A schema alone: it is JSON already."""
    return Response(schema, media_type=CONTENT_TYPE)


def _registry_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, _RegistryError)  # noqa: S101 - what this handler is registered for
    return _json({"error_code": error.code, "message": str(error)}, status=error.status)


def _unavailable(_: Request, error: Exception) -> Response:
    """The schemas cannot be had now: clients try again."""
    body = {"error_code": NOT_AVAILABLE, "message": str(error)}
    return _json(body, status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def _http_error(request: Request, error: Exception) -> Response:
    """Unknown paths and methods. A write is refused as one wherever it goes: nothing here can be changed."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if request.method not in _READ_METHODS:
        message = "HTTP 405 Method Not Allowed: this registry is read-only"
        return _json({"error_code": 405, "message": message}, status=405, headers={"Allow": "GET, HEAD"})
    return _json(
        {"error_code": status, "message": f"HTTP {status} {HTTPStatus(status).phrase}"}, status=status
    )
