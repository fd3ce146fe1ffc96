import pytest
from starlette.testclient import TestClient

from app.web.api.application import api_app
from tests.web.api.support import LoggedIn
from tests.web.fakes import FakeAnswers


class Held:
    """What the app answers from, changed by tests."""

    answers = None
    changes = None


@pytest.fixture(scope="module")
def held():
    return Held()


@pytest.fixture(scope="module")
def app(held):
    return api_app(lambda: held.answers, lambda: held.changes)


@pytest.fixture
def answers(held):
    held.answers, held.changes = FakeAnswers(), None
    return held.answers


@pytest.fixture
def client(app, answers):
    return TestClient(LoggedIn(app))
