"""The pages over made-up answers."""

import pytest
from starlette.testclient import TestClient

from tests.web.fakes import FakeAnswers
from tests.web.serve_fake import fake_site


@pytest.fixture
def answers():
    return FakeAnswers(count=12)


@pytest.fixture
def client(answers):
    with TestClient(fake_site(answers), base_url="http://127.0.0.1") as client:
        yield client
