"""Installations at the Kafka that wants TLS and a login."""

import uuid

import pytest

from app.settings import Settings
from app.topics import TopicAdmin, apply, load_catalogue
from tests.kafka.secured import Authority, SecuredKafka
from tests.kafka.site import Site


@pytest.fixture(scope="module")
def site(secured: SecuredKafka, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """An installation whose topics are there, for all tests of a module."""
    found = Site.at(secured, authority, f"t{uuid.uuid4().hex[:12]}.", tmp_path_factory.mktemp("site"))
    apply(load_catalogue(found.administrator), TopicAdmin(found.administrator))
    return found


@pytest.fixture
def administrator(site: Site) -> Settings:
    """Settings of who may do everything."""
    return site.administrator


@pytest.fixture
def user(site: Site) -> Settings:
    """Settings of a user with TLS and a login. What it may do is for the test to say."""
    return site.user
