"""Code that consumes a topic, to copy."""

from app.settings import Settings

__all__ = ["consuming_sample"]

_HEAD = """\
# pip install "confluent-kafka[{extra}]"
{imports}
consumer = Consumer({{
    "bootstrap.servers": "{broker}",
{login}    "group.id": "my-{name}",
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
    # How soon a dead consumer is noticed. Joining a group of the embedded broker takes half of it.
    "session.timeout.ms": 6000,
}})
consumer.subscribe(["{topic}"])
"""

_AVRO = """\

# The schemas: of the registry, or of any worker. Each record is decoded with the one that it names.
decode = AvroDeserializer(SchemaRegistryClient({{{registry}}}))
where = SerializationContext("{topic}", MessageField.VALUE)

while True:
    message = consumer.poll(1.0)
    if message is None:
        continue
    if message.error():
        raise SystemExit(message.error().str())
    key = (message.key() or b"").decode()
    print(key, decode(message.value(), where))
"""

_PLAIN = """\
while True:
    message = consumer.poll(1.0)
    if message is None:
        continue
    if message.error():
        raise SystemExit(message.error().str())
    print(message.key(), {shown})
"""

_AVRO_IMPORTS = """\
from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
"""

_PLAIN_IMPORTS = "from confluent_kafka import Consumer\n"


def consuming_sample(
    settings: Settings, topic: str, *, avro: bool, headers: bool = False, worker_url: str | None = None
) -> str:
    """Return a program in Python that prints the topic's records.

    `avro`: its values are; `headers`: they are worth printing. `worker_url` serves schemas where no
    registry is set. Passwords are not written into it.
    """
    head = _HEAD.format(
        extra="avro,schemaregistry" if avro else "",
        imports=_AVRO_IMPORTS if avro else _PLAIN_IMPORTS,
        broker=settings.broker,
        login=_login(settings),
        name=topic.removeprefix(settings.topic_prefix).replace("_", "-").replace(".", "-"),
        topic=topic,
    ).replace("confluent-kafka[]", "confluent-kafka")
    if not avro:
        shown = "message.headers(), message.value()" if headers else "message.value()"
        return head + "\n" + _PLAIN.format(shown=shown)
    return head + _AVRO.format(registry=_registry(settings, worker_url), topic=topic)


def _registry(settings: Settings, worker_url: str | None) -> str:
    """What the registry's client is told."""
    if settings.schema_registry_url:
        login = ', "basic.auth.user.info": "YOUR NAME:YOUR PASSWORD"' if settings.schema_registry_auth else ""
        return f'"url": "{settings.schema_registry_url}"{login}'
    url = f"{worker_url or _own(settings)}/registry"
    if any((settings.web_token, settings.web_token_file, settings.web_users_file)):
        url = url.replace("://", "://any:YOUR_TOKEN@", 1)
    return f'"url": "{url}"'


def _own(settings: Settings) -> str:
    return str(settings.web_advertised_url or f"http://{settings.web_host}:{settings.web_port}").rstrip("/")


def _login(settings: Settings) -> str:
    lines = []
    if settings.security_protocol.tls or settings.security_protocol.sasl:
        lines.append(f'"security.protocol": "{settings.security_protocol.value}",')
    if settings.security_protocol.sasl:
        lines += [
            f'"sasl.mechanism": "{settings.sasl_mechanism.value}",',
            '"sasl.username": "YOUR NAME",',
            '"sasl.password": "YOUR PASSWORD",',
        ]
    return "".join(f"    {line}\n" for line in lines)
