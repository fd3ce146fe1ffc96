"""Fixtures of all tests: brokers, a schema registry, settings that point at them."""

import os
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests.kafka.artifacts import install_registry, why_not
from tests.kafka.registry import SchemaRegistry
from tests.kafka.server import KafkaServer, quick_options
from tests.support.brokers import (
    CANNOT_RUN,
    Broker,
    cannot_run,
    container_broker,
    embedded_broker,
    given_broker,
)
from tests.support.browsers import why_no_browser

if TYPE_CHECKING:
    from app.settings import Settings
    from tests.kafka.secured import Authority, SecuredKafka

# Tests share a machine with brokers and each other: an example that takes long says nothing.
hypothesis.settings.register_profile(
    "shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shared")

LEFT_OUT = pytest.StashKey[Counter[str]]()
BROKERS = ("auto", "embedded", "kafka", "docker")


def _broker_option(value: str) -> str:
    if value not in BROKERS and not re.fullmatch(r"\S+:\d+(,\S+:\d+)*", value):
        raise pytest.UsageError(f"--broker must be one of {', '.join(BROKERS)}, or HOST:PORT, not {value!r}")
    return value


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--broker",
        default="auto",
        type=_broker_option,
        metavar="|".join((*BROKERS, "HOST:PORT")),
        help="broker for tests that take any: embedded (also auto), a real Apache Kafka started from Maven "
        "Central's jars, one in a container, or one that runs already",
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fetch the servers' programs before the first test, whose time-out is not meant for downloads."""
    if why_not() is not None or session.config.option.collectonly:
        return
    wanted: set[str] = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    if wanted & {"kafka", "secured"} or session.config.getoption("--broker") == "kafka":
        quick_options()
    if "registry" in wanted:
        install_registry()


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    """A real Apache Kafka, whatever `--broker` says. A test may stop, kill or freeze it."""
    if (reason := why_not()) is not None:
        cannot_run(f"no real Kafka: {reason}")
    with KafkaServer() as server:
        yield server


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> "Authority":
    """The authority that signs the certificates of the test servers."""
    from tests.kafka.secured import Authority

    return Authority(tmp_path_factory.mktemp("authority"), "test-authority")


@pytest.fixture(scope="session")
def secured(authority: "Authority", tmp_path_factory: pytest.TempPathFactory) -> Iterator["SecuredKafka"]:
    """A real Kafka that wants TLS and a login; all share what it grants, nothing at first."""
    from tests.kafka.secured import SecuredKafka

    if (reason := why_not()) is not None:
        cannot_run(f"no real Kafka: {reason}")
    with SecuredKafka(authority, tmp_path_factory.mktemp("keystores")) as server:
        yield server


@pytest.fixture(scope="session")
def registry() -> Iterator[SchemaRegistry]:
    """A real schema registry, shared: use subjects of your own. Stopped by a test, it forgets everything."""
    if (reason := why_not()) is not None:
        cannot_run(f"no schema registry: {reason}")
    with SchemaRegistry() as running:
        yield running


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """The broker of this run, by `--broker`."""
    choice: str = request.config.getoption("--broker")
    if choice == "kafka":
        yield _real(request.getfixturevalue("kafka"))
        return
    other = {"auto": embedded_broker, "embedded": embedded_broker, "docker": container_broker}.get(choice)
    with other() if other is not None else given_broker(choice) as running:
        yield running


def _real(server: KafkaServer) -> Broker:
    return Broker(server.bootstrap, "kafka", real=True)


@pytest.fixture(autouse=True)
def _servers_run_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test that stopped or froze a shared server, the next one finds it running."""
    yield
    for name in {"kafka", "registry"} & set(request.fixturenames):
        server: KafkaServer | SchemaRegistry = request.getfixturevalue(name)
        if isinstance(server, KafkaServer):
            server.thaw()
        if not server.running:
            server.start()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own MASTERY_* variables change no test."""
    for name in [name for name in os.environ if name.upper().startswith("MASTERY_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}."


@pytest.fixture
def settings(request: pytest.FixtureRequest, topic_prefix: str, tmp_path: Path) -> "Settings":
    """Settings for the broker of this run (for a real Kafka in tests marked `kafka`), all names its own."""
    from app.settings import load_settings

    real_needed = request.node.get_closest_marker("kafka") is not None
    running: Broker = request.getfixturevalue("broker") if not real_needed else _real_broker(request)
    return load_settings(
        broker=running.bootstrap,
        topic_prefix=topic_prefix,
        state_dir=tmp_path / "state",
        web_port=0,
        partitions=4,
        session_timeout=6.0,
        startup_timeout=20.0,
    )


def _real_broker(request: pytest.FixtureRequest) -> Broker:
    if request.config.getoption("--broker") in {"auto", "embedded"}:
        return _real(request.getfixturevalue("kafka"))
    running: Broker = request.getfixturevalue("broker")
    return running


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count the tests that this run leaves out for want of a real server or a browser."""
    for item in items:
        if item.get_closest_marker("kafka") or item.get_closest_marker("registry"):
            _left_out(item.config)["kafka"] += 1
        elif item.get_closest_marker("browser"):
            _left_out(item.config)["browser"] += 1


def _left_out(config: pytest.Config) -> Counter[str]:
    return config.stash.setdefault(LEFT_OUT, Counter())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """As one of several processes (pytest-xdist), hand the counts to the one that prints."""
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = dict(_left_out(session.config))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the counts: each process has collected the same tests."""
    node.config.stash[LEFT_OUT] = Counter(getattr(node, "workeroutput", {}).get("left_out", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests this run left out, and why."""
    unable: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if CANNOT_RUN in reason:
            unable[reason.partition(CANNOT_RUN)[2]] += 1
    left_out = _left_out(terminalreporter.config)
    if not unable and not left_out:
        return
    terminalreporter.section("not run")
    for reason, count in unable.items():
        terminalreporter.line(f"{count} could not run on this machine: {reason}")
    for marker, wanted, reason in (
        ("kafka", "a real Kafka or registry", why_not()),
        ("browser", "a browser", why_no_browser()),
    ):
        if left_out[marker]:
            advice = f"run `make test-{marker}`" if reason is None else f"this machine cannot: {reason}"
            terminalreporter.line(f"{left_out[marker]} left out, as they need {wanted}: {advice}")
