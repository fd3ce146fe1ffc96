"""Whether a broker is there and lets us in."""

import time
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from app.errors import MasteryError
from app.kafka import BrokerErrors, BrokerUnreachable, admin_client, broker_failure
from app.settings import Settings

__all__ = ["ClientRefused", "Connection", "connect"]

# A broker that takes the connection and says nothing (frozen, or no Kafka at all) is given this long.
_PATIENCE = 5.0
# The first wait for an answer, doubled each time: what the client reports in between is seen after each.
_FIRST_WAIT = 0.25
_LEAST_WAIT = 0.02
# A name with two addresses (localhost: ::1 and 127.0.0.1) reports "all brokers down" after the first, and
# librdkafka connects again after 0.1 s.
_OTHER_ADDRESSES = 0.5


class ClientRefused(MasteryError):
    """The Kafka client does not take its settings, an unreadable key file for example."""


@dataclass(frozen=True, slots=True)
class _Failed:
    """A connection that failed, and why. `advertised` is its address unless the settings name it."""

    advertised: str
    why: str
    tls: bool


class _Watch(BrokerErrors):
    """Also remembers since when no broker can be reached, and the last connection that failed."""

    def __init__(self) -> None:
        super().__init__()
        self.down_since: float | None = None
        self.failed: _Failed | None = None

    def __call__(self, error: KafkaError) -> None:
        super().__call__(error)
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - librdkafka's names
            self.down_since = self.down_since or time.monotonic()
        elif error.code() in {KafkaError._TRANSPORT, KafkaError._RESOLVE}:  # noqa: SLF001
            self.failed = _failed(str(error.str()))


@dataclass(frozen=True, slots=True)
class Connection:
    """An admin client that a broker has answered, and what it reports in the background."""

    admin: AdminClient
    errors: BrokerErrors


def connect(settings: Settings) -> Connection:
    """Try once to get an answer from the broker.

    Raises BrokerUnreachable when there is none (try again), and at once what waiting does not change:
    LoginRefused, CertificateRefused, ClientRefused. Each try takes a new client: one that failed waits longer
    before it connects again.
    """
    watch = _Watch()
    try:
        admin = admin_client(settings, errors=watch)
    except KafkaException as error:
        raise ClientRefused(
            f"the Kafka client refuses its settings: {error.args[0].str()}",
            hint="check the MASTERY_TLS_* files and their password",
        ) from None
    deadline = time.monotonic() + _PATIENCE
    wait = _FIRST_WAIT
    while (problem := _asked(admin, min(wait, deadline - time.monotonic()))) is not None:
        failure = broker_failure(settings, problem, watch)
        if failure.permanent:
            raise failure
        now = time.monotonic()
        if now >= deadline or (watch.down_since is not None and now > watch.down_since + _OTHER_ADDRESSES):
            raise _unreachable(settings, watch) if isinstance(failure, BrokerUnreachable) else failure
        wait *= 2
    return Connection(admin, watch)


def _asked(admin: AdminClient, wait: float) -> KafkaException | None:
    """Return why no broker answered within `wait` seconds, or None if one did.

    By a metadata request: an admin request (describe_cluster) whose broker stops and goes on can abort the
    process, as in librdkafka's issue 4605.
    """
    try:
        admin.list_topics(timeout=max(wait, _LEAST_WAIT))
    except KafkaException as error:
        # The cause of a refused login or certificate comes through the callback alone, and only when polled.
        admin.poll(_LEAST_WAIT)
        return error.with_traceback(None)  # which would keep the client from closing
    return None


def _failed(text: str) -> _Failed:
    """Take apart what librdkafka says: `[<protocol>://]<address>/<node>: <what>: <why> (after <n>ms ...)`."""
    where, _, what = text.partition(": ")
    address, _, node = where.rpartition("://")[2].rpartition("/")
    why = what.partition(" (after ")[0].rpartition(": ")[2]
    return _Failed("" if node == "bootstrap" else address, why[:1].lower() + why[1:], tls="SSL" in what)


def _unreachable(settings: Settings, watch: _Watch) -> BrokerUnreachable:
    failed = watch.failed
    if failed is not None and failed.advertised:
        reason = f"it sends its clients on to {failed.advertised}: {failed.why}"
        hint = "correct advertised.listeners on the broker, or make that address reachable from here"
    elif failed is not None and failed.tls:
        reason, hint = failed.why, "check MASTERY_SECURITY_PROTOCOL and the port in MASTERY_BROKER"
    elif failed is not None:
        reason, hint = failed.why, "start it, or set MASTERY_BROKER"
    elif watch.down_since is not None:
        reason = "it closes the connection at once"
        hint = "it may want TLS or a login: set MASTERY_SECURITY_PROTOCOL"
    else:
        reason, hint = (
            "it takes the connection and says nothing",
            "check that MASTERY_BROKER names a Kafka broker",
        )
    return BrokerUnreachable(f"no Kafka broker answers at {settings.broker}: {reason}", hint=hint)
