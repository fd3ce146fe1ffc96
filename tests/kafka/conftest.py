"""Who uses the Kafka that wants TLS and a login."""

from pathlib import Path

import pytest

from app.settings import Settings, load_settings
from app.topics import TopicAdmin, apply, load_catalogue
from tests.kafka.secured import Authority, SecuredKafka


@pytest.fixture
def administrator(secured: SecuredKafka, topic_prefix: str, tmp_path: Path) -> Settings:
    """Settings of who may do everything. The topics are there."""
    settings = load_settings(
        broker=secured.bootstrap, topic_prefix=topic_prefix, partitions=2, state_dir=tmp_path, web_port=0
    )
    apply(load_catalogue(settings), TopicAdmin(settings))
    return settings


@pytest.fixture
def user(secured: SecuredKafka, authority: Authority, administrator: Settings) -> Settings:
    """Settings of a user with TLS and a login, for the same topics. What it may do is for the test to say."""
    given = {name: getattr(administrator, name) for name in administrator.model_fields_set}
    return load_settings(
        **given
        | {
            "broker": secured.tls,
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": secured.user,
            "sasl_password": secured.password,
            "tls_ca_file": authority.certificate,
            "session_timeout": 6.0,
        }
    )
