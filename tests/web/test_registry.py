import io
import json
import struct

import fastavro
import fastavro.utils
import pytest

from app.schemas.contract import load_contract
from app.schemas.known import KnownSchema, SchemaCatalogue
from app.schemas.registry import prepare_schemas
from app.schemas.registry_errors import RegistryUnavailable
from app.topics import TopicAdmin, apply, load_catalogue
from app.web.registry import CONTENT_TYPE
from app.web.site import Site
from tests.support.web import served

EVENT = load_contract().events["learning_outcome_created"]
SUBJECT = "canvas.learning_outcome_created-value"


def get(client, path):
    answer = client.get(f"/registry{path}")
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    return answer.status_code, answer.json()


def test_reads_as_the_api_reference_has_them(client):
    assert get(client, f"/schemas/ids/{EVENT.local_id}") == (200, {"schema": EVENT.text})
    assert get(client, f"/schemas/ids/{EVENT.local_id}/schema") == (200, EVENT.schema)
    assert get(client, "/subjects") == (
        200,
        sorted(f"canvas.{name}-value" for name in load_contract().events),
    )
    assert get(client, f"/subjects/{SUBJECT}/versions") == (200, [1, 2])
    latest = {"subject": SUBJECT, "version": 2, "id": EVENT.local_id, "schema": EVENT.text}
    for version in ("2", "latest", "-1"):
        assert get(client, f"/subjects/{SUBJECT}/versions/{version}") == (200, latest)
    assert get(client, f"/subjects/{SUBJECT}/versions/1")[1]["schema"] == '"string"'
    assert get(client, f"/subjects/{SUBJECT}/versions/latest/schema") == (200, EVENT.schema)
    assert get(client, "/schemas/types") == (200, ["AVRO"])
    assert get(client, "/config") == (200, {"compatibilityLevel": "FULL_TRANSITIVE"})
    assert get(client, "/mode") == (200, {"mode": "READONLY"})
    assert get(client, "/") == (200, {})


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/schemas/ids/0", 404, 40403),
        ("/schemas/ids/2", 404, 40403),
        ("/schemas/ids/x", 404, 40403),
        ("/schemas/ids/-7", 404, 40403),
        (f"/schemas/ids/{'9' * 5000}", 404, 40403),
        ("/subjects/other/versions", 404, 40401),
        ("/subjects/other/versions/1", 404, 40401),
        (f"/subjects/{SUBJECT}/versions/3", 404, 40402),
        (f"/subjects/{SUBJECT}/versions/0", 422, 42202),
        (f"/subjects/{SUBJECT}/versions/newest", 422, 42202),
        (f"/subjects/{SUBJECT}/versions/{2**31}", 422, 42202),
        ("/subjects/other/nothing", 404, 404),
    ],
)
def test_errors_as_the_api_reference_has_them(client, path, status, code):
    found, body = get(client, path)
    assert (found, body["error_code"]) == (status, code)
    assert set(body) == {"error_code", "message"}
    assert body["message"]


def look_up(client, subject, content):
    answer = client.post(f"/registry/subjects/{subject}", content=content)
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    return answer.status_code, answer.json()


def test_a_schema_is_looked_up_however_it_is_written(client):
    """Kafka Connect's Avro converter asks so for the version of each schema it meets."""
    found = {"subject": SUBJECT, "version": 2, "id": EVENT.local_id, "schema": EVENT.text}
    other_order = dict(reversed(EVENT.schema.items()))
    # As Java's Avro does: no namespace where it is that of the record around.
    java = EVENT.text.replace(
        '"name":"EventMetadata","namespace":"mastery_stream.canvas"', '"name":"EventMetadata"'
    )
    assert java != EVENT.text
    for schema in (EVENT.text, json.dumps(EVENT.schema, indent=2), json.dumps(other_order), java):
        assert look_up(client, SUBJECT, json.dumps({"schema": schema})) == (200, found)
    assert look_up(client, SUBJECT, json.dumps({"schema": '"string"'}))[1]["version"] == 1


@pytest.mark.parametrize(
    ("subject", "content", "status", "code"),
    [
        (SUBJECT, json.dumps({"schema": '"long"'}), 404, 40403),
        ("other", json.dumps({"schema": '"string"'}), 404, 40401),
        (SUBJECT, json.dumps({"schema": "{"}), 422, 42201),
        (SUBJECT, json.dumps({"schema": 1}), 422, 42201),
        (SUBJECT, json.dumps({}), 422, 42201),
        (SUBJECT, "[]", 422, 42201),
        (SUBJECT, "", 422, 42201),
        (SUBJECT, b"\xff", 422, 42201),
        (SUBJECT, "[" * 100_000, 422, 42201),
        (SUBJECT, b" " * 2**21, 422, 42201),
    ],
)
def test_what_cannot_be_looked_up(client, subject, content, status, code):
    found, body = look_up(client, subject, content)
    assert (found, body["error_code"]) == (status, code)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/subjects/{SUBJECT}/versions"),
        ("DELETE", f"/subjects/{SUBJECT}"),
        ("PUT", "/config"),
        ("PUT", f"/config/{SUBJECT}"),
        ("POST", f"/compatibility/subjects/{SUBJECT}/versions/latest"),
    ],
)
def test_writes_are_refused(client, method, path):
    answer = client.request(method, f"/registry{path}", json={"schema": '"string"'})
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    assert answer.json()["error_code"] == 405


def test_before_the_schemas_are_known_clients_are_told_to_come_back(client, site, catalogue):
    site.schemas = None
    answer = client.get("/registry/subjects")
    assert (answer.status_code, answer.json()["error_code"]) == (503, 50003)
    site.schemas = catalogue
    assert client.get("/registry/subjects").status_code == 200


def test_a_registry_behind_this_one_that_is_down_is_no_wrong_answer(client, site):
    def reload() -> list[KnownSchema]:
        raise RegistryUnavailable("the schema registry does not answer")

    site.schemas = SchemaCatalogue([], reload)
    answer = client.get("/registry/schemas/ids/7")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json() == {"error_code": 50003, "message": "the schema registry does not answer"}


def test_a_stock_confluent_consumer_decodes_every_event(settings, progress):
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.avro import AvroDeserializer
    from confluent_kafka.serialization import MessageField, SerializationContext

    contract = load_contract()
    apply(load_catalogue(settings), TopicAdmin(settings))
    ids = prepare_schemas(settings, contract)
    site = Site(settings, progress, schemas=ids.catalogue)
    with served(site) as url, SchemaRegistryClient({"url": f"{url}/registry"}) as registry:
        decode = AvroDeserializer(registry)
        for name, event in contract.topics.items():
            schema = fastavro.parse_schema(json.loads(event.text))
            body = io.BytesIO()
            fastavro.schemaless_writer(body, schema, fastavro.utils.generate_one(schema))
            framed = struct.pack(">bI", 0, ids.by_name[name]) + body.getvalue()
            body.seek(0)
            topic = settings.typed_topic(name)
            expected = fastavro.schemaless_reader(body, schema)
            assert decode(framed, SerializationContext(topic, MessageField.VALUE)) == expected
            latest = registry.get_latest_version(settings.subject(topic))
            assert latest.schema_id == ids.by_name[name]
        subjects = sorted(settings.subject(settings.typed_topic(name)) for name in contract.topics)
        assert registry.get_subjects() == subjects
