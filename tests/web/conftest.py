from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from app.schemas.contract import load_contract
from app.settings import Settings
from app.stream.progress import Progress
from app.web.server import WebServer


@dataclass(frozen=True)
class Version:
    schema_id: int
    text: str


class ContractSource:
    """The contract's schemas as a source, each the second version of its subject."""

    def __init__(self) -> None:
        self._ids = {schema.local_id: schema.text for schema in load_contract().events.values()}
        self._subjects = {
            f"canvas.{name}-value": {1: Version(1, '"string"'), 2: Version(schema.local_id, schema.text)}
            for name, schema in load_contract().events.items()
        }

    def by_id(self, schema_id: int) -> str:
        return self._ids[schema_id]

    def subjects(self) -> list[str]:
        return list(self._subjects)

    def versions(self, subject: str) -> list[int]:
        return list(self._subjects[subject])

    def version(self, subject: str, number: int) -> Version:
        return self._subjects[subject][number]


# One server for a module: ending one takes a moment.
@pytest.fixture(scope="module")
def progress() -> Progress:
    return Progress()


@pytest.fixture(scope="module")
def source() -> ContractSource:
    return ContractSource()


@pytest.fixture(scope="module")
def server(progress, source) -> Iterator[WebServer]:
    settings = Settings(web_port=0)
    server = WebServer(settings, progress, source)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url) as client:
        yield client
