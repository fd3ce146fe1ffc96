from collections.abc import Iterator

import httpx
import pytest

from app.schemas.contract import load_contract
from app.schemas.known import KnownSchema, SchemaCatalogue
from app.settings import Settings
from app.stream.progress import Progress
from app.web.server import WebServer


@pytest.fixture(scope="session")
def catalogue() -> SchemaCatalogue:
    """The contract's schemas, each the second version of its subject."""
    schemas = []
    for name, event in load_contract().events.items():
        subject = f"canvas.{name}-value"
        schemas.append(KnownSchema(subject, 1, 1, '"string"'))
        schemas.append(KnownSchema(subject, 2, event.local_id, event.text))
    return SchemaCatalogue(schemas)


# One server for a module: ending one takes a moment.
@pytest.fixture(scope="module")
def progress() -> Progress:
    return Progress()


@pytest.fixture(scope="module")
def server(progress, catalogue) -> Iterator[WebServer]:
    server = WebServer(Settings(web_port=0), progress, catalogue)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url) as client:
        yield client
