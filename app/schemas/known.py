"""The schemas that are known, by id and by subject and version."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from app.errors import MasteryError
from app.schemas.registry_errors import UnknownSchema

__all__ = ["KnownSchema", "SchemaCatalogue"]


@dataclass(frozen=True, slots=True)
class KnownSchema:
    """One version of a subject: `schema_id` frames its records, `text` is the schema as JSON."""

    subject: str
    version: int
    schema_id: int
    text: str


_Found = TypeVar("_Found")


class _Index:
    """The look-ups over a set of schemas. Of two with one id, or one version, the first counts."""

    def __init__(self, schemas: Iterable[KnownSchema]) -> None:
        by_id: dict[int, KnownSchema] = {}
        subjects: dict[str, dict[int, KnownSchema]] = {}
        for schema in schemas:
            by_id.setdefault(schema.schema_id, schema)
            subjects.setdefault(schema.subject, {}).setdefault(schema.version, schema)
        self.by_id: Mapping[int, KnownSchema] = MappingProxyType(by_id)
        self.subjects: Mapping[str, Mapping[int, KnownSchema]] = MappingProxyType(subjects)


class SchemaCatalogue:
    """All known schemas, for several threads. A look-up of what does not exist raises UnknownSchema.

    What is unknown is looked for again where the schemas are kept, by `reload`, at most every
    `reload_interval` seconds: another worker may have written a newer schema meanwhile. What is known needs
    nobody else, so it stays readable when registry or broker are down; only a look-up that would need them
    then raises their error.
    """

    def __init__(
        self,
        schemas: Iterable[KnownSchema],
        reload: Callable[[], Iterable[KnownSchema]] | None = None,
        *,
        reload_interval: float = 5.0,
    ) -> None:
        self._index = _Index(schemas)
        self._reload = reload
        self._reload_interval = reload_interval
        self._lock = threading.Lock()
        self._reloaded_at = float("-inf")
        self._failure: MasteryError | None = None

    def by_id(self, schema_id: int) -> str:
        """Return the text of the schema with this id."""
        found = self._find(lambda index: index.by_id.get(schema_id))
        if found is None:
            raise UnknownSchema(f"no schema with id {schema_id} is known")
        return found.text

    def subjects(self) -> Sequence[str]:
        """Return the names of all subjects, sorted."""
        return sorted(self._index.subjects)

    def versions(self, subject: str) -> Sequence[int]:
        """Return the subject's versions, ascending."""
        found = self._find(lambda index: index.subjects.get(subject))
        if found is None:
            raise UnknownSchema(f"no subject {subject} is known")
        return sorted(found)

    def version(self, subject: str, number: int) -> KnownSchema:
        """Return one version of the subject."""
        found = self._find(lambda index: index.subjects.get(subject, {}).get(number))
        if found is None:
            raise UnknownSchema(f"no version {number} of {subject} is known")
        return found

    def schemas(self) -> Sequence[KnownSchema]:
        """Return everything known, by subject and version."""
        return [
            versions[number]
            for _, versions in sorted(self._index.subjects.items())
            for number in sorted(versions)
        ]

    def _find(self, look_up: Callable[[_Index], _Found | None]) -> _Found | None:
        found = look_up(self._index)
        if found is None and self._reload is not None:
            self._renew(self._reload)
            found = look_up(self._index)
            if found is None and self._failure is not None:
                raise self._failure
        return found

    def _renew(self, reload: Callable[[], Iterable[KnownSchema]]) -> None:
        with self._lock:
            if time.monotonic() - self._reloaded_at < self._reload_interval:
                return
            try:
                self._index = _Index(reload())
                self._failure = None
            except MasteryError as error:
                self._failure = error
            finally:
                self._reloaded_at = time.monotonic()
