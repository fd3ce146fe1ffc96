"""The Apicurio schema registry, in memory, as a child process."""

import os
import shutil
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from app.embedded.child import ChildProcess
from tests.kafka.artifacts import REGISTRY_VERSION, install_registry
from tests.kafka.quick_java import C1_ALONE
from tests.support.ports import stable_port
from tests.support.waiting import wait_until

__all__ = ["SchemaRegistry"]

_READY_TIMEOUT = 60.0


class SchemaRegistry:
    """A registry on 127.0.0.1 that keeps its port; what it holds is gone when it stops."""

    def __init__(self) -> None:
        folder = install_registry()
        self._port = stable_port()
        self._work = Path(tempfile.mkdtemp(prefix="registry-test-"))
        self._child = ChildProcess(
            [
                "java",
                C1_ALONE,
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-Dquarkus.http.host=127.0.0.1",
                f"-Dquarkus.http.port={self._port}",
                "-jar",
                folder / f"apicurio-registry-app-{REGISTRY_VERSION}-runner.jar",
            ],
            output=self._work / "registry.log",
            env={name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ},
            cwd=self._work,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Base address of the Confluent API."""
        return f"http://127.0.0.1:{self._port}/apis/ccompat/v7"

    @property
    def running(self) -> bool:
        """True while the process lives."""
        return self._child.running

    def start(self) -> None:
        """Start it, empty, on the port of before, and wait until it answers."""
        self._child.start()
        try:
            wait_until(
                self._answers,
                timeout=_READY_TIMEOUT,
                what="the schema registry to answer",
                detail=lambda: self._child.tail(40),
            )
        except BaseException:
            self._child.kill()
            raise

    def stop(self) -> None:
        """End it; what it held is gone."""
        self._child.stop()

    def close(self) -> None:
        """End it and remove its files."""
        self._child.kill()
        shutil.rmtree(self._work, ignore_errors=True)

    def _answers(self) -> bool:
        if not self.running:
            status = self._child.returncode
            raise AssertionError(f"the registry ended, exit status {status}\n{self._child.tail(40)}")
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=5.0) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.HTTPError):
            return False
