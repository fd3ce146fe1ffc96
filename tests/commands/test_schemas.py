import json

import fastavro
import pytest

from app.schemas import released
from app.schemas.registry import prepare_schemas
from tests.support.contracts import CONTRACT, EVENT, body_fields, changed, with_new_field

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def nowhere(monkeypatch, mastery):
    """Nothing that a command could ask."""
    monkeypatch.setenv("MASTERY_BROKER", "127.0.0.1:1")


@pytest.mark.usefixtures("topics")
def test_list_before_and_after_register(mastery):
    assert mastery("schemas", "list").out.count("not kept yet") == 14
    done = mastery("schemas", "register")
    assert (done.status, done.err) == (0, "")
    ids = {name: int(number) for name, number in (line.split() for line in done.out.splitlines()[1:])}
    assert ids == {name: event.local_id for name, event in CONTRACT.topics.items()}
    assert json.loads(mastery("schemas", "register", "--json").out) == ids
    shown = mastery("schemas", "list")
    assert shown.status == 0
    assert shown.out.count("current") == 14
    for number in ids.values():
        assert str(number) in shown.out


def test_list_shows_other_versions_and_what_does_not_fit(mastery, topics):
    prepare_schemas(topics, with_new_field())
    (state,) = [s for s in json.loads(mastery("schemas", "list", "--json").out) if s["event"] == EVENT]
    assert state["current"] is None
    assert [version["version"] for version in state["versions"]] == [1]
    assert state["mode"] == "local"
    assert mastery("schemas", "register").status == 0
    lines = [line.split()[1:] for line in mastery("schemas", "list").out.splitlines() if f"{EVENT}-" in line]
    assert [(line[0], line[2]) for line in lines] == [("1", "other"), ("2", "current")]


def test_check_passes_where_all_fits(mastery, topics):
    done = mastery("schemas", "check")
    assert (done.status, done.out, done.err) == (0, "14 schemas fit\n", "")
    prepare_schemas(topics, with_new_field())
    assert mastery("schemas", "check", "--json").out == "[]\n"


def test_check_fails_where_kept_schemas_do_not_fit(mastery, topics):
    prepare_schemas(topics, changed(lambda schema: body_fields(schema)[0].update(type="long")))
    done = mastery("schemas", "check")
    assert done.status == 1
    assert f"{topics.topic_prefix}{EVENT}-value" in done.out
    assert "body.id" in done.out
    assert done.err.startswith("error: ")
    done = mastery("schemas", "check", "--json")
    assert done.status == 1
    assert {problem["path"] for problem in json.loads(done.out)} == {"body.id"}
    done = mastery("schemas", "register")
    assert done.status == 1
    assert "body.id" in done.err
    assert len(done.err.splitlines()) == 2


@pytest.mark.usefixtures("nowhere")
def test_check_offline_compares_with_the_released_versions(mastery, monkeypatch):
    assert mastery("schemas", "check", "--offline").status == 0
    wrong = changed(lambda schema: body_fields(schema)[0].update(type="long"))
    real = released.check_released
    monkeypatch.setattr("app.commands.schemas.check_released", lambda _: real(wrong))
    done = mastery("schemas", "check", "--offline")
    assert done.status == 1
    assert "body.id" in done.out


@pytest.mark.usefixtures("nowhere")
def test_export_writes_schemas_that_stand_alone(mastery, tmp_path):
    folder = tmp_path / "deep" / "avro"
    assert mastery("schemas", "export", folder).status == 0
    files = {path.name.removesuffix(".avsc"): path for path in folder.iterdir()}
    assert set(files) == set(CONTRACT.topics)
    for name, path in files.items():
        schema = json.loads(path.read_text())
        assert schema == CONTRACT.topics[name].schema
        fastavro.parse_schema(schema)


@pytest.mark.usefixtures("nowhere")
def test_export_to_where_nothing_can_be_written_is_one_clear_error(mastery, tmp_path):
    (tmp_path / "file").write_text("")
    done = mastery("schemas", "export", tmp_path / "file" / "avro")
    assert (done.status, done.out) == (1, "")
    assert len(done.err.splitlines()) == 2


@pytest.mark.usefixtures("nowhere")
def test_no_broker_is_one_clear_error(mastery):
    done = mastery("schemas", "list")
    assert (done.status, done.out) == (1, "")
    assert "no Kafka broker answers at 127.0.0.1:1" in done.err
    assert len(done.err.splitlines()) == 2


def test_without_topics_the_way_out_is_told(mastery):
    done = mastery("schemas", "register")
    assert done.status == 1
    assert "`mastery topics apply`" in done.err


@pytest.mark.usefixtures("topics")
def test_no_registry_is_one_clear_error(mastery, monkeypatch):
    monkeypatch.setenv("MASTERY_SCHEMA_REGISTRY_URL", "http://127.0.0.1:1")
    done = mastery("schemas", "register")
    assert (done.status, done.out) == (1, "")
    assert "the schema registry at http://127.0.0.1:1 does not answer" in done.err
    assert len(done.err.splitlines()) == 2


@pytest.mark.registry
@pytest.mark.usefixtures("topics")
def test_with_a_registry(mastery, monkeypatch, registry):
    monkeypatch.setenv("MASTERY_SCHEMA_REGISTRY_URL", registry.url)
    assert mastery("schemas", "check").status == 0
    ids = json.loads(mastery("schemas", "register", "--json").out)
    shown = json.loads(mastery("schemas", "list", "--json").out)
    assert {state["event"]: state["versions"][0]["id"] for state in shown} == ids
    assert {state["mode"] for state in shown} == {"registry"}
    monkeypatch.delenv("MASTERY_SCHEMA_REGISTRY_URL")
    done = mastery("schemas", "list")
    assert done.status == 1
    assert "MASTERY_SCHEMA_REGISTRY_URL" in done.err
