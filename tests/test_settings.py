"""Settings: what is read, what is refused and how that is said."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings, SettingsError, describe, load_settings, unknown_variables, variable
from app.topics import load_catalogue


def test_defaults_name_topics_groups_and_subjects():
    settings = load_settings()
    assert settings.raw_topic_name == "canvas.live-events"
    assert settings.typed_topic("rubric_assessed") == "canvas.rubric_assessed"
    assert settings.dead_letter_topic == "canvas.dead-letter"
    assert settings.schemas_topic == "canvas.schemas"
    assert settings.group_id == "canvas.mastery-stream"
    assert settings.subject("canvas.rubric_assessed") == "canvas.rubric_assessed-value"


def test_a_dead_letter_may_be_as_large_as_its_topic_takes():
    settings = load_settings(max_message_bytes=100_000)
    config = load_catalogue(settings).topics[settings.dead_letter_topic].config
    assert config["max.message.bytes"] == str(settings.max_dead_letter_bytes)


def test_prefix_goes_before_everything_but_a_raw_topic_of_its_own(monkeypatch):
    monkeypatch.setenv("MASTERY_TOPIC_PREFIX", "school.")
    monkeypatch.setenv("MASTERY_RAW_TOPIC", "their-events")
    settings = load_settings()
    assert settings.raw_topic_name == "their-events"
    assert settings.typed_topic("rubric_assessed") == "school.rubric_assessed"
    assert settings.group_id == "school.mastery-stream"


def test_an_empty_variable_is_unset(monkeypatch):
    monkeypatch.setenv("MASTERY_SCHEMA_REGISTRY_URL", "")
    monkeypatch.setenv("MASTERY_BROKER", "")
    settings = load_settings()
    assert settings.schema_registry_url is None
    assert settings.broker == "127.0.0.1:9092"


def test_arguments_win_over_the_environment(monkeypatch):
    monkeypatch.setenv("MASTERY_BROKER", "one:1")
    assert load_settings(broker="two:2").broker == "two:2"


def test_words_may_be_in_any_case(monkeypatch):
    monkeypatch.setenv("MASTERY_PII", "Drop")
    monkeypatch.setenv("MASTERY_LOG_LEVEL", "debug")
    monkeypatch.setenv("MASTERY_OTHER_EVENTS", "DEAD-LETTER")
    settings = load_settings()
    assert (settings.pii, settings.log_level, settings.other_events) == ("drop", "DEBUG", "dead-letter")


def test_state_folder_does_not_move_with_the_process(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    settings = load_settings(state_dir=Path("state"))
    assert settings.state_dir == tmp_path / "state"
    assert load_settings().state_dir == tmp_path / ".mastery"


@pytest.mark.parametrize("brokers", ["k1:9092,k2:9092", " k1:9092 , k2:9092, ", "[::1]:9092,10.0.0.1:1"])
def test_brokers(brokers):
    assert " " not in load_settings(broker=brokers).broker


@pytest.mark.parametrize(
    "url", ["https://canvas.school.example", "http://localhost:3000", "http://[::1]:3000"]
)
def test_address_of_canvas_has_no_slash_at_its_end(url):
    assert load_settings(canvas_url=f"{url}/").canvas_url == url


WRONG = {
    "MASTERY_BROKER": ["kafka", "kafka:", "kafka:99999", "kafka://kafka:9092", ","],
    "MASTERY_WEB_PORT": ["x", "-1", "70000"],
    "MASTERY_TOPIC_PREFIX": ["a b", "ä", "x" * 200],
    "MASTERY_RAW_TOPIC": ["a/b"],
    "MASTERY_SCHEMA_REGISTRY_URL": ["registry:8081", "http://user:secret@registry", "ftp://registry"],
    "MASTERY_SCHEMA_REGISTRY_AUTH": ["secret"],
    "MASTERY_CANVAS_URL": [
        "canvas.school.example",
        "http://canvas.school.example",
        "http://localhost.school.example",
        "https://me:secret@canvas.school.example",
        "https://canvas.school.example/?a=1",
        "javascript:alert(1)",
    ],
    "MASTERY_SECURITY_PROTOCOL": ["TLS"],
    "MASTERY_SASL_MECHANISM": ["secret"],
    "MASTERY_TLS_CA_FILE": ["/nowhere/ca.pem", "/"],
    "MASTERY_SESSION_TIMEOUT": ["0", "soon"],
    "MASTERY_PARTITIONS": ["0", "1.5"],
    "MASTERY_PII": ["yes"],
    "MASTERY_CHECKPOINT_INTERVAL": ["0"],
    "MASTERY_MAX_MESSAGE_BYTES": ["10"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_what_is_wrong_is_said_in_one_line_with_the_variable_and_without_the_value(name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    text = str(caught.value)
    assert text.startswith(f"{name}: ")
    assert "\n" not in text
    assert "secret" not in text
    assert caught.value.hint


def test_everything_that_is_wrong_is_said_at_once(monkeypatch):
    monkeypatch.setenv("MASTERY_BROKER", "x")
    monkeypatch.setenv("MASTERY_PII", "x")
    with pytest.raises(SettingsError, match=r"MASTERY_BROKER: .*; MASTERY_PII: "):
        load_settings()


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"security_protocol": "SASL_SSL"}, "MASTERY_SASL_USERNAME"),
        ({"security_protocol": "SASL_PLAINTEXT", "sasl_username": "u"}, "MASTERY_SASL_PASSWORD"),
        ({"sasl_username": "u", "sasl_password": "p"}, "MASTERY_SECURITY_PROTOCOL"),
        ({"security_protocol": "SSL", "tls_key_file": __file__}, "MASTERY_TLS_CERTIFICATE_FILE"),
        ({"tls_ca_file": __file__}, "MASTERY_SECURITY_PROTOCOL"),
    ],
)
def test_halves_are_refused(given, missing):
    with pytest.raises(SettingsError, match=missing):
        load_settings(**given)


def test_settings_are_frozen_and_secrets_do_not_show():
    settings = load_settings(
        security_protocol="sasl_plaintext",
        sasl_username="u",
        sasl_password="hunter2",
        schema_registry_auth="u:hunter2",
    )
    with pytest.raises(ValidationError):
        settings.broker = "other:1"
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in settings.model_dump_json()


def test_describe_tells_values_and_sources_and_hides_secrets(monkeypatch):
    monkeypatch.setenv("MASTERY_BROKER", "one:1")
    monkeypatch.setenv("MASTERY_SCHEMA_REGISTRY_AUTH", "u:hunter2")
    infos = {info.name: info for info in describe(load_settings(app_id="x"))}
    assert set(infos) == set(Settings.model_fields)
    assert (infos["broker"].value_shown, infos["broker"].source) == ("one:1", "environment")
    assert (infos["app_id"].value_shown, infos["app_id"].source) == ("x", "argument")
    assert (infos["pii"].value_shown, infos["pii"].source) == ("keep", "default")
    assert infos["schema_registry_auth"].value_shown == "******"
    assert infos["security_protocol"].value_shown == "PLAINTEXT"
    assert "hunter2" not in json.dumps([info.value_shown for info in infos.values()])


def test_every_setting_is_described():
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.rstrip().endswith("."), name


def test_a_misspelt_variable_is_found():
    found = unknown_variables(
        {"MASTERY_BROKERS": "x", "MASTERY_BROKER": "x", "PATH": "x", "MASTERY_QQQQ": ""}
    )
    assert found == {"MASTERY_BROKERS": "MASTERY_BROKER", "MASTERY_QQQQ": None}


def test_variable():
    assert variable("web_port") == "MASTERY_WEB_PORT"
