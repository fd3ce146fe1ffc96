import httpx
import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from app.schemas.contract import load_contract
from app.schemas.known import KnownSchema, SchemaCatalogue
from app.settings import Settings
from app.stream.progress import Progress, ProgressSnapshot
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


class Current:
    """The progress of the test that runs: an application is made once for a module."""

    progress = Progress()

    def snapshot(self) -> ProgressSnapshot:
        return self.progress.snapshot()


@pytest.fixture(scope="module")
def expected() -> dict[str, tuple[str, ...]]:
    """Label values that counters start with."""
    return {}


@pytest.fixture(scope="module")
def site_of_module(expected) -> Site:
    return Site(Settings(), Current(), expected=expected)


@pytest.fixture(scope="module")
def application(site_of_module) -> ASGIApp:
    return build_application(site_of_module)


@pytest.fixture
def progress(site_of_module) -> Progress:
    site_of_module.progress.progress = Progress()
    return site_of_module.progress.progress


@pytest.fixture
def site(site_of_module, progress, catalogue) -> Site:
    """The site that `client` asks, for tests to change."""
    site_of_module.schemas = catalogue
    site_of_module.answers = None
    return site_of_module


@pytest.fixture
def client(application, site) -> httpx.Client:
    return TestClient(application, base_url="http://127.0.0.1:6066")
