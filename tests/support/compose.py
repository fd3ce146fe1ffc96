"""A compose file brought up with processes in place of containers.

Each process gets the command, the variables and the health check that the compose file and the images give
its container; what a container has to itself (host names, ports, folders) is mapped to this machine.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from app.embedded.child import ChildProcess
from tests.kafka.artifacts import REGISTRY_VERSION, install_kafka, install_registry
from tests.support.dockerfile import Dockerfile
from tests.support.ports import stable_port
from tests.support.waiting import wait_until
from tests.support.worker import CHECKOUT

__all__ = ["ComposeStack", "read_compose"]

_STARTING = 90.0
# These servers live for seconds: they shall start soon, not run fast.
_QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def read_compose(parser: Path, folder: Path = CHECKOUT, **variables: str) -> dict[str, Any]:
    """Return the compose file of a folder as Docker Compose sees it; ValueError when it breaks the rules."""
    done = subprocess.run(
        [parser],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode != 0:
        raise ValueError(done.stdout + done.stderr)
    model: dict[str, Any] = json.loads(done.stdout)
    return model


class ComposeStack:
    """The services of a compose file as processes below `folder`; ended when the context is left.

    Known are the images of Kafka and Apicurio Registry, and the one that `dockerfile` builds.
    """

    def __init__(self, model: Mapping[str, Any], dockerfile: Dockerfile, folder: Path) -> None:
        self.services: dict[str, dict[str, Any]] = dict(model["services"])
        self._dockerfile = dockerfile
        self._folder = folder
        self._ports = {place: stable_port() for place in sorted(self._places())}
        self._running: dict[str, ChildProcess] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(self._running.values()):
            child.kill()

    def address(self, service: str, port: int) -> str:
        """HOST:PORT where a port of a container is now."""
        return f"127.0.0.1:{self._ports[service, port]}"

    def volume(self, name: str) -> Path:
        """Folder of a named volume."""
        return self._folder / "volumes" / name

    def log(self, service: str) -> str:
        """All that a service has printed."""
        return (self._folder / f"{service}.log").read_text(errors="replace")

    def up(self) -> None:
        """Start everything, each when what it depends on is as it wants it."""
        started: set[str] = set()
        while waiting := [name for name in self.services if name not in started]:
            for name in waiting:
                wanted: dict[str, dict[str, Any]] = self.services[name].get("depends_on", {})
                if not wanted.keys() <= started:
                    continue
                for other, how in wanted.items():
                    if how["condition"] == "service_healthy":
                        self.wait_healthy(other)
                if self._ends_by_itself(name):
                    done = self.run(name)
                    assert done.returncode == 0, done.stdout + done.stderr
                else:
                    self.start(name)
                started.add(name)

    def start(self, name: str) -> None:
        """Start a service that stays."""
        output = self._folder / f"{name}.log"
        if name not in self._running:
            self._running[name] = ChildProcess(
                self._command(name), output=output, env=self._environment(name), cwd=self._folder
            )
        if self._image(name) == "apache/kafka":
            prepared = self._prepare_kafka(name)
            assert prepared.returncode == 0 or "already formatted" in prepared.stdout, prepared.stdout
        self._running[name].start()

    def stop(self, name: str) -> int | None:
        """End a service as `docker compose stop` does: SIGTERM, and SIGKILL after its grace period."""
        return self._running[name].stop(_seconds(self.services[name].get("stop_grace_period", "10s")))

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run a service that ends by itself to its end."""
        return self._finish(name, self._command(name))

    def execute(self, name: str, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run another command beside a service, as `docker compose exec` does."""
        return self._finish(name, self._mapped_command(name, command), stdin)

    def healthy(self, name: str) -> bool:
        """Run the health check of a service once."""
        check = self.services[name]["healthcheck"]
        assert check["test"][0] == "CMD"
        with contextlib.suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                self._mapped_command(name, check["test"][1:]),
                env=self._environment(name),
                capture_output=True,
                timeout=_seconds(check["timeout"]),
                check=False,
            )
            return done.returncode == 0
        return False

    def wait_healthy(self, name: str) -> None:
        """Wait until the health check of a service passes; fails as soon as it ends instead."""

        def healthy_or_ended() -> bool:
            child = self._running[name]
            if not child.running:
                raise AssertionError(f"{name} ended with {child.returncode}\n{child.tail(40)}")
            return self.healthy(name)

        wait_until(
            healthy_or_ended,
            timeout=_STARTING,
            what=f"{name} to be healthy",
            detail=lambda: self._running[name].tail(40),
            interval=0.2,
        )

    def _finish(self, name: str, command: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            input=stdin,
            env=self._environment(name),
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def _places(self) -> set[tuple[str, int]]:
        """Each port that a service publishes, or that anything of the file names."""
        text = json.dumps(self.services)
        named = {(name, int(port)) for name in self.services for port in re.findall(rf"\b{name}:(\d+)", text)}
        published = {
            (name, int(entry["target"]))
            for name, of in self.services.items()
            for entry in of.get("ports", ())
        }
        return named | published

    def _ends_by_itself(self, name: str) -> bool:
        conditions = [of.get("depends_on", {}).get(name, {}) for of in self.services.values()]
        return {"condition": "service_completed_successfully", "required": True} in conditions

    def _image(self, name: str) -> str:
        return str(self.services[name]["image"]).rpartition(":")[0]

    def _command(self, name: str) -> list[str]:
        service, image = self.services[name], self._image(name)
        if image == "apache/kafka":
            heap = service["environment"]["KAFKA_HEAP_OPTS"].split()
            return [*_java(*heap), "kafka.Kafka", str(self._kafka_config(name))]
        if image == "apicurio/apicurio-registry":
            port = self._ports[name, 8080]
            jar = install_registry() / f"apicurio-registry-app-{REGISTRY_VERSION}-runner.jar"
            # As in its image, but for the address; the memory is this machine's business.
            where = ["-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={port}"]
            return ["java", "-Xmx256m", *_QUICK, *where, "-jar", str(jar)]
        entrypoint = service.get("entrypoint")
        # An entry point of its own takes the image's CMD away as well.
        own = [*(entrypoint or self._dockerfile.entrypoint), *(service.get("command") or ())]
        return self._mapped_command(
            name, own if entrypoint or service.get("command") else self._dockerfile.command
        )

    def _environment(self, name: str) -> dict[str, str]:
        service = self.services[name]
        own = {key: self._mapped(name, str(value)) for key, value in service["environment"].items()}
        ours = self._dockerfile.environment if "mastery" in self._image(name) else {}
        given = {key: self._mapped(name, value) for key, value in ours.items() if key != "PATH"}
        java = {key: os.environ[key] for key in ("JAVA_HOME",) if key in os.environ}
        # In the image's path stands its virtual environment, here this one.
        path = f"{CHECKOUT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
        return java | given | own | {"PATH": path, "HOME": str(self._folder)}

    def _mapped_command(self, name: str, command: Sequence[str]) -> list[str]:
        argv = [self._mapped(name, part) for part in command]
        return [shutil.which(argv[0], path=self._environment(name)["PATH"]) or argv[0], *argv[1:]]

    def _mapped(self, name: str, text: str) -> str:
        for (service, port), real in self._ports.items():
            text = re.sub(rf"\b{service}:{port}\b", f"127.0.0.1:{real}", text)
        for (service, port), real in self._ports.items():
            if service == name:
                text = re.sub(rf"(?<!\d){port}(?!\d)", str(real), text)
        text = text.replace("://:", "://127.0.0.1:").replace("0.0.0.0", "127.0.0.1")
        folders = {"/var/lib/mastery": str(self.not_mounted(name))}
        for mount in self.services[name].get("volumes", ()):
            self.volume(mount["source"]).mkdir(parents=True, exist_ok=True)
            folders[mount["target"]] = str(self.volume(mount["source"]))
        for inside, outside in folders.items():
            text = text.replace(inside, outside)
        return text

    def not_mounted(self, name: str) -> Path:
        """Where the state folder of a service without a volume would be: it must not be written to."""
        return self._folder / f"{name}-read-only"

    def _kafka_config(self, name: str) -> Path:
        return self._folder / f"{name}-final" / "server.properties"

    def _prepare_kafka(self, name: str) -> subprocess.CompletedProcess[str]:
        """What the image runs before the broker: variables to properties, and the storage formatted."""
        folders = [self._folder / f"{name}-{part}" for part in ("default", "mounted", "final")]
        for folder in folders:
            folder.mkdir(exist_ok=True)
        options = ("--default-configs-dir", "--mounted-configs-dir", "--final-configs-dir")
        arguments = [part for pair in zip(options, map(str, folders), strict=True) for part in pair]
        return subprocess.run(
            [*_java(), "kafka.docker.KafkaDockerWrapper", "setup", *arguments],
            env=self._environment(name),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )


def _java(*options: str) -> list[str]:
    return ["java", *options, *_QUICK, "-cp", f"{install_kafka()}/*"]


def _seconds(duration: str) -> float:
    """Seconds of a duration as the parser writes it: `1m0s`."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([hms])", duration))
