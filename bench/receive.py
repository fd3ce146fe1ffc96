"""`mastery receive https` beside a bare Starlette handler: events a second, processor time, p99.

python -m bench.receive [--rounds 5] [--events 5000] [--json FILE]

One process each, one real Kafka of one broker (or --broker), the three taken in turn so that whatever else
the machine does falls on all of them. Events of 1.3 kB come over 32 connections that send the next one when
the last is answered; then over one, for the time that a single event takes.
"""

import argparse
import asyncio
import http.server
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from app.embedded.samples import sample_events
from bench.measure import ProcessTree
from tests.support.ports import stable_port
from tests.support.posting import Poster
from tests.support.records import create_topic

__all__ = ["main"]

_SECRET = "a-secret-of-the-benchmark"  # noqa: S105 - of nothing else
_ISSUER = "https://live-events.canvas.instructure.com"
_TOKENS = 200
_CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Run:
    """One round of one server: times in milliseconds, processor time in microseconds an event."""

    events_per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    alone_p50_ms: float
    alone_p99_ms: float


@dataclass(frozen=True, slots=True)
class _Served:
    port: int
    process: ProcessTree
    event: Callable[[int], bytes]


def _result_event() -> bytes:
    return next(sample.raw for sample in sample_events() if "result_updated" in sample.event_name)


@contextmanager
def _running(module: list[str], port: int, **variables: str) -> Iterator[ProcessTree]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MASTERY_")}
    process = subprocess.Popen(
        [sys.executable, "-m", *module], env=environment | variables, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        yield ProcessTree(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int) -> None:
    poster = Poster(port, f"/events/{_SECRET}", lambda _: b"{}", 1, connections=1)
    giving_up = threading.Timer(30, lambda: setattr(poster, "stop", True))
    giving_up.start()
    asyncio.run(poster.run())
    giving_up.cancel()
    # A receiver of signed events answers this one with 401, which is an answer.
    if poster.statuses.keys() <= {0, 503}:
        raise SystemExit("a server did not start")


class _Keys(http.server.BaseHTTPRequestHandler):
    content = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _key_server(private: rsa.RSAPrivateKey) -> Iterator[str]:
    key = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True) | {"kid": "one", "alg": "RS256"}
    _Keys.content = json.dumps({"keys": [key]}).encode()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Keys) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/jwks"
        server.shutdown()


def _measure(served: _Served, events: int) -> Run:
    crowd = Poster(served.port, f"/events/{_SECRET}", served.event, events, connections=_CONNECTIONS)
    cpu, began = served.process.cpu_seconds(), time.perf_counter()
    asyncio.run(crowd.run())
    took, cpu = time.perf_counter() - began, served.process.cpu_seconds() - cpu
    alone = Poster(served.port, f"/events/{_SECRET}", served.event, max(100, events // 20), connections=1)
    asyncio.run(alone.run())
    if crowd.statuses.keys() != {200} or alone.statuses.keys() != {200}:
        raise SystemExit(f"not all were taken: {crowd.statuses} {alone.statuses}")
    return Run(
        events / took,
        cpu / events * 1e6,
        *(1000 * _quantile(crowd.seconds, share) for share in (0.5, 0.99)),
        *(1000 * _quantile(alone.seconds, share) for share in (0.5, 0.99)),
    )


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


@contextmanager
def _servers(broker: str) -> Iterator[dict[str, _Served]]:
    create_topic(broker, "canvas.live-events", partitions=12)
    event = _result_event()
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = int(time.time())
    claims = json.loads(event) | {"iss": _ISSUER, "iat": now, "exp": now + 86_400}
    tokens = [
        jwt.encode(claims | {"jti": str(number)}, private, "RS256", headers={"kid": "one"}).encode()
        for number in range(_TOKENS)
    ]
    ours = {"MASTERY_BROKER": broker, "MASTERY_RECEIVE_PATH_SECRET": _SECRET}
    with ExitStack() as stack:
        ports = [stable_port() for _ in range(3)]
        bare = stack.enter_context(_running(["bench.receive_bare", str(ports[0])], ports[0]))
        command = ["app.cli", "receive", "https"]
        plain = stack.enter_context(_running(command, ports[1], MASTERY_RECEIVE_PORT=str(ports[1]), **ours))
        keys = stack.enter_context(_key_server(private))
        signed = stack.enter_context(
            _running(
                command,
                ports[2],
                MASTERY_RECEIVE_PORT=str(ports[2]),
                MASTERY_RECEIVE_SIGNED="true",
                MASTERY_RECEIVE_JWKS_URL=keys,
                **ours,
            )
        )
        yield {
            "bare": _Served(ports[0], bare, lambda _: event),
            "plain": _Served(ports[1], plain, lambda _: event),
            "signed": _Served(ports[2], signed, lambda number: tokens[number % _TOKENS]),
        }


@contextmanager
def _broker(given: str | None) -> Iterator[str]:
    if given:
        yield given
        return
    from tests.kafka.server import KafkaServer  # noqa: PLC0415 - only needed, and only there, in a checkout

    with KafkaServer() as server:
        yield server.bootstrap


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=5_000)
    parser.add_argument("--broker", help="HOST:PORT of a Kafka without the topic canvas.live-events")
    parser.add_argument("--json", type=Path, help="write all rounds there")
    arguments = parser.parse_args()
    runs: dict[str, list[Run]] = {"bare": [], "plain": [], "signed": []}
    with _broker(arguments.broker) as broker, _servers(broker) as servers:
        for served in servers.values():
            _measure(served, 500)
        for number in range(arguments.rounds):
            # The order turns round, so that none is always first.
            for name in [*servers] if number % 2 else [*servers][::-1]:
                runs[name].append(_measure(servers[name], arguments.events))
    if arguments.json:
        found = {name: [asdict(run) for run in of] for name, of in runs.items()}
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    _print(runs)


def _print(runs: dict[str, list[Run]]) -> None:
    say = sys.stdout.write
    say(f"{'medians':8} {'events/s':>9} {'CPU us':>8} {'p50 ms':>8} {'p99 ms':>8}   alone: p50 ms   p99 ms\n")
    for name, of in runs.items():
        middle = [statistics.median(getattr(run, field) for run in of) for field in asdict(of[0])]
        say("{:8} {:9.0f} {:8.0f} {:8.1f} {:8.1f} {:16.2f} {:8.2f}\n".format(name, *middle))
    for name in ("plain", "signed"):
        pairs = zip(runs[name], runs["bare"], strict=True)
        more = statistics.median(one.cpu_us - bare.cpu_us for one, bare in pairs)
        say(f"{name}: {more:.0f} us of processor time an event beyond the bare handler, median of pairs\n")


if __name__ == "__main__":
    main()
