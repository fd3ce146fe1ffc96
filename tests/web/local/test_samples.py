import pytest

from app.settings import load_settings
from app.web.local.samples import consuming_sample


@pytest.fixture
def settings(tmp_path):
    return load_settings(
        broker="kafka-1:9093",
        state_dir=tmp_path,
        security_protocol="SASL_SSL",
        sasl_username="worker",
        sasl_password="very secret",
    )


def test_no_login_is_given_away(settings):
    sample = consuming_sample(settings, "canvas.rubric_assessed", avro=True)
    compile(sample, "sample", "exec")
    assert '"security.protocol": "SASL_SSL"' in sample
    assert "very secret" not in sample
    assert '"worker"' not in sample


def test_schemas_come_from_the_registry_or_from_a_worker(tmp_path):
    settings = load_settings(state_dir=tmp_path)
    sample = consuming_sample(settings, "canvas.x", avro=True, worker_url="http://w:6066")
    assert '"http://w:6066/registry"' in sample
    with_registry = load_settings(state_dir=tmp_path, schema_registry_url="http://registry:8081")
    assert '"http://registry:8081' in consuming_sample(with_registry, "canvas.x", avro=True)


def test_logins_of_the_registry_are_left_to_be_filled_in(tmp_path):
    guarded = load_settings(state_dir=tmp_path, web_token="a-token-of-thirty-two-characters")
    sample = consuming_sample(guarded, "canvas.x", avro=True, worker_url="http://w:6066")
    assert "http://any:YOUR_TOKEN@w:6066/registry" in sample
    assert "thirty" not in sample
    registry = load_settings(
        state_dir=tmp_path, schema_registry_url="https://registry", schema_registry_auth="me:my secret"
    )
    sample = consuming_sample(registry, "canvas.x", avro=True)
    compile(sample, "sample", "exec")
    assert "basic.auth.user.info" in sample
    assert "my secret" not in sample


def test_what_is_no_avro_is_printed_as_it_is(tmp_path):
    sample = consuming_sample(
        load_settings(state_dir=tmp_path), "canvas.dead-letter", avro=False, headers=True
    )
    compile(sample, "sample", "exec")
    assert "message.headers()" in sample
    assert "schema" not in sample
