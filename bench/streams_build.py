"""The Kafka Streams peer, built into `.cache/`: jars from Maven Central, classes from bench/peers/streams."""

import hashlib
import subprocess
from pathlib import Path

from bench.measure import RunFailed

__all__ = ["STREAMS_VERSIONS", "build_streams"]

_SOURCES = Path(__file__).resolve().parent / "peers" / "streams"
STREAMS_VERSIONS = {"kafka-streams": "4.1.1", "avro": "1.12.1", "jackson": "2.19.2"}
"""As in its pom.xml."""


def build_streams() -> str:
    """The class path of the peer; what has not changed since it was built is not built again.

    Raises RunFailed when Maven or javac cannot do it.
    """
    from tests.kafka.artifacts import installing  # noqa: PLC0415 - only needed, and only there, in a checkout

    sources = sorted(_SOURCES.glob("src/**/*.java"))
    digest = hashlib.sha256()
    for path in [_SOURCES / "pom.xml", *sources]:
        digest.update(path.read_bytes())
    with installing(f"streams-peer-{digest.hexdigest()[:16]}") as (target, incoming):
        if incoming is not None:
            print("building the Kafka Streams peer", flush=True)
            pom, libs = str(_SOURCES / "pom.xml"), incoming / "libs"
            copy = ["dependency:copy-dependencies", f"-DoutputDirectory={libs}"]
            _run(["mvn", "--batch-mode", "--quiet", "-f", pom, *copy])
            _run(["javac", "-cp", f"{libs}/*", "-d", str(incoming / "classes"), *map(str, sources)])
    return f"{target}/classes:{target}/libs/*"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunFailed(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
