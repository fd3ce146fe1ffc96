"""The one place that turns settings into clients' configurations, and clients' errors into plain words."""

import logging
import ssl
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from app.errors import MasteryError
from app.settings import SecurityProtocol, Settings

__all__ = [
    "AccessDenied",
    "BrokerErrors",
    "BrokerFailure",
    "BrokerUnreachable",
    "CertificateRefused",
    "LoginRefused",
    "admin_client",
    "broker_failure",
    "client_config",
    "consumer_config",
    "faust_broker_options",
    "producer_config",
]

log = logging.getLogger(__name__)

# librdkafka waits at most this long before it connects again (default 10 s): a broker that is back is used
# soon.
RECONNECT_BACKOFF_MAX_MS = 2_000


class BrokerFailure(MasteryError):
    """A call to the broker that failed. `permanent` failures do not go away by waiting."""

    permanent = False


class BrokerUnreachable(BrokerFailure):
    """No broker answered in time."""


class LoginRefused(BrokerFailure):
    """The broker does not know the user, the password or the mechanism."""

    permanent = True


class CertificateRefused(BrokerFailure):
    """The TLS connection failed: one side does not trust the other's certificate."""

    permanent = True


class AccessDenied(BrokerFailure):
    """The user is known, but lacks a permission."""

    permanent = True


class BrokerErrors:
    """Remembers what a client reports in the background: an `error_cb`.

    A refused login or certificate never reaches the call that waits for it: that call only times out. The
    cause comes through this callback alone.
    """

    def __init__(self) -> None:
        self.last: KafkaError | None = None

    def __call__(self, error: KafkaError) -> None:
        """Take an error from librdkafka. One that explains is not pushed out by the silence that follows."""
        log.debug("kafka client: %s", error)
        if self.last is None or _explains(error) or not _explains(self.last):
            self.last = error

    def forget(self) -> None:
        """Start anew, for example before another try."""
        self.last = None


_LOGIN = {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}  # noqa: SLF001 - librdkafka's names
_UNREACHABLE = {
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._TRANSPORT,  # noqa: SLF001
    KafkaError._RESOLVE,  # noqa: SLF001
    KafkaError._TIMED_OUT,  # noqa: SLF001
    KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
    KafkaError._MSG_TIMED_OUT,  # noqa: SLF001
}
_DENIED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}


#: Of a topic that was just made, or whose broker has just gone: another leader is chosen, and known later.
_LEADER_MOVES: Final = frozenset({KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_LEADER_FOR_PARTITION})


def broker_failure(
    settings: Settings,
    error: KafkaError | KafkaException,
    errors: BrokerErrors | None = None,
    *,
    what: str = "",
) -> BrokerFailure:
    """Put a failed call into words: `error` is what the call said, `errors` what its client said meanwhile.

    `what` names what was tried, for example "list topics". Poll the client once before, so that its last
    callbacks ran.
    """
    raised = error.args[0] if isinstance(error, KafkaException) else error
    cause = raised
    if raised.code() in _UNREACHABLE and errors is not None and errors.last is not None:
        cause = errors.last
    where, tried = settings.broker, f" ({what})" if what else ""
    if cause.code() in _LOGIN:
        return LoginRefused(
            f"the broker at {where} refused the login of user {settings.sasl_username!r}{tried}",
            hint="check MASTERY_SASL_USERNAME, MASTERY_SASL_PASSWORD and MASTERY_SASL_MECHANISM",
        )
    if cause.code() == KafkaError._SSL or _certificate_alert(cause):  # noqa: SLF001
        return CertificateRefused(
            f"no TLS connection to the broker at {where}: {_tls_reason(cause)}{tried}",
            hint="check MASTERY_TLS_CA_FILE (who signed the broker's) and MASTERY_TLS_CERTIFICATE_FILE",
        )
    if cause.code() in _DENIED:
        return AccessDenied(
            f"the broker at {where} denies it: {cause.str()}{tried}", hint="ask for that permission (ACL)"
        )
    if cause.code() in _UNREACHABLE:
        return BrokerUnreachable(
            f"no Kafka broker answers at {where}{tried}",
            hint="start it, or set MASTERY_BROKER (and MASTERY_SECURITY_PROTOCOL for TLS or a login)",
        )
    if cause.code() in _LEADER_MOVES:
        return BrokerUnreachable(
            f"a partition at {where} has no leader at the moment{tried}", hint="try again in a moment"
        )
    return BrokerFailure(f"the broker at {where} failed: {cause.str()}{tried}")


def _explains(error: KafkaError) -> bool:
    return error.code() not in _UNREACHABLE or _certificate_alert(error)


def _certificate_alert(error: KafkaError) -> bool:
    """Whether the broker hung up over our certificate: with TLS 1.3, once the connection was already made."""
    text = str(error.str())
    return " alert " in text and ("certificate" in text or "unknown ca" in text)


def _tls_reason(error: KafkaError) -> str:
    """Take the reason out of librdkafka's text: the broker's address stands before it, its state behind."""
    text = str(error.str())
    if _certificate_alert(error):
        return "it asks for a client certificate, or does not trust the one it gets"
    if "certificate verify failed" in text:
        # librdkafka does not tell which.
        return (
            "its certificate is not signed by an authority trusted here, is for another name, or has expired"
        )
    return text.split(": ", 2)[-1].partition(" (after ")[0]


def client_config(settings: Settings, *, errors: BrokerErrors | None = None, **extra: Any) -> dict[str, Any]:
    """Return the part every confluent-kafka client shares; `extra` in librdkafka's names, `_` for `.`.

    librdkafka's own log is off: what matters comes through `error_cb`, into `errors`.
    """
    config: dict[str, Any] = {
        "bootstrap.servers": settings.broker,
        "client.id": settings.app_id,
        "security.protocol": settings.security_protocol.value,
        "reconnect.backoff.max.ms": RECONNECT_BACKOFF_MAX_MS,
        "error_cb": errors if errors is not None else BrokerErrors(),
        "log_level": 0,
    }
    if settings.security_protocol.sasl:
        config["sasl.mechanism"] = settings.sasl_mechanism.value
        config["sasl.username"] = settings.sasl_username
        config["sasl.password"] = settings.sasl_password.get_secret_value() if settings.sasl_password else ""
    if settings.security_protocol.tls:
        files = {
            "ssl.ca.location": settings.tls_ca_file,
            "ssl.certificate.location": settings.tls_certificate_file,
            "ssl.key.location": settings.tls_key_file,
        }
        config |= {name: str(path) for name, path in files.items() if path is not None}
        if settings.tls_key_password is not None:
            config["ssl.key.password"] = settings.tls_key_password.get_secret_value()
    return config | _librdkafka_names(extra)


def _librdkafka_names(extra: dict[str, Any]) -> dict[str, Any]:
    """Turn `transaction_timeout_ms` into `transaction.timeout.ms`; callbacks keep their `_`."""
    kept = ("_cb", "log_level", "logger", "on_commit")
    return {name if name.endswith(kept) else name.replace("_", "."): value for name, value in extra.items()}


def producer_config(
    settings: Settings, *, errors: BrokerErrors | None = None, **extra: Any
) -> dict[str, Any]:
    """Return a producer's configuration: Java's partitioner, so that a key goes where others put it."""
    config = client_config(settings, errors=errors)
    config |= {
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 5,
        "enable.idempotence": True,
        "acks": "all",
        "message.max.bytes": settings.max_dead_letter_bytes,
        # A broker holds a topic's limit against whole batches; librdkafka's own default is 1 MB.
        "batch.size": min(settings.max_message_bytes, 1_000_000),
    }
    return config | _librdkafka_names(extra)


def consumer_config(
    settings: Settings, *, group_id: str, errors: BrokerErrors | None = None, **extra: Any
) -> dict[str, Any]:
    """Return a consumer's configuration: committed records only, from the beginning, no automatic commits."""
    config = client_config(settings, errors=errors)
    config |= {
        "group.id": group_id,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
    }
    return config | _librdkafka_names(extra)


def admin_client(settings: Settings, *, errors: BrokerErrors | None = None) -> AdminClient:
    """Return an AdminClient. Nothing is connected before the first call."""
    return AdminClient(client_config(settings, errors=errors))


def faust_broker_options(settings: Settings) -> dict[str, Any]:
    """Return the keyword arguments of `faust.App` that say where the broker is and how to log in there."""
    import faust  # noqa: PLC0415 - takes half a second, and only the worker needs it

    options: dict[str, Any] = {"broker": [f"kafka://{address}" for address in settings.broker.split(",")]}
    context = _tls_context(settings) if settings.security_protocol.tls else None
    if settings.security_protocol.sasl:
        options["broker_credentials"] = faust.SASLCredentials(
            username=settings.sasl_username,
            password=settings.sasl_password.get_secret_value() if settings.sasl_password else None,
            mechanism=settings.sasl_mechanism.value,
            ssl_context=context,
        )
    elif settings.security_protocol is SecurityProtocol.SSL:
        options["broker_credentials"] = faust.SSLCredentials(context)
    return options


def _tls_context(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(settings.tls_ca_file) if settings.tls_ca_file else None)
    if settings.tls_certificate_file is not None:
        password = settings.tls_key_password.get_secret_value() if settings.tls_key_password else None
        context.load_cert_chain(settings.tls_certificate_file, settings.tls_key_file, password)
    return context
