from collections.abc import Iterator

import httpx
import pytest
from starlette.testclient import TestClient

from app.schemas.contract import load_contract
from app.schemas.known import KnownSchema, SchemaCatalogue
from app.settings import Settings
from app.stream.progress import Progress
from app.web.application import build_application
from app.web.site import Site


@pytest.fixture(scope="session")
def catalogue() -> SchemaCatalogue:
    """The contract's schemas, each the second version of its subject."""
    schemas = []
    for name, event in load_contract().events.items():
        subject = f"canvas.{name}-value"
        schemas.append(KnownSchema(subject, 1, 1, '"string"'))
        schemas.append(KnownSchema(subject, 2, event.local_id, event.text))
    return SchemaCatalogue(schemas)


@pytest.fixture
def progress() -> Progress:
    return Progress()


@pytest.fixture
def site(progress, catalogue) -> Site:
    """A site whose worker is `progress`; tests may change it before they ask for `client`."""
    return Site(Settings(), progress, schemas=catalogue)


@pytest.fixture
def client(site) -> Iterator[httpx.Client]:
    with TestClient(build_application(site), base_url="http://127.0.0.1:6066") as client:
        yield client
