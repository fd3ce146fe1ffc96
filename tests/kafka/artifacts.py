"""The server programs that the tests run, from Maven Central into `.cache/` of the checkout."""

import contextlib
import fcntl
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["KAFKA_VERSION", "REGISTRY_VERSION", "install_kafka", "install_registry", "installing", "why_not"]

KAFKA_VERSION = "4.1.1"  # as in pom.xml
REGISTRY_VERSION = "3.0.9"  # 2.6 answers 409 to concurrent first registrations
_HERE = Path(__file__).parent
_CACHE = _HERE.parents[1] / ".cache"
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin"
# Newer ones insist on the parent of the artifact's POM, which Maven Central does not have.
_PLUGIN_FOR_ONE_FILE = f"{_PLUGIN}:2.8"


def why_not() -> str | None:
    """Return why real servers cannot run on this machine, None when they can."""
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    return f"{' and '.join(missing)} not found on the PATH" if missing else None


def install_kafka() -> Path:
    """Return the folder of Apache Kafka's jars, fetched on first use (54 MB)."""
    with installing(f"kafka-{KAFKA_VERSION}") as (target, incoming):
        if incoming is not None:
            pom = _HERE / "pom.xml"
            _maven("-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={incoming}")
    return target


def install_registry() -> Path:
    """Return the folder of the Apicurio registry's program, fetched on first use (109 MB)."""
    with installing(f"apicurio-{REGISTRY_VERSION}") as (target, incoming):
        if incoming is not None:
            artifact = f"io.apicurio:apicurio-registry-app:{REGISTRY_VERSION}:tar.gz:all"
            get = f"{_PLUGIN_FOR_ONE_FILE}:get"
            _maven(get, "-Dtransitive=false", f"-Dartifact={artifact}", f"-Ddest={incoming}")
            (archive,) = incoming.glob("*.tar.gz")
            with tarfile.open(archive) as tar:
                tar.extractall(incoming, filter="data")
            archive.unlink()
    return target


@contextlib.contextmanager
def installing(name: str) -> Iterator[tuple[Path, Path | None]]:
    """Give the folder to use and, if it must be filled first, the folder to fill.

    One process at a time; what was fetched in part is never taken for the whole.
    """
    target = _CACHE / name
    _CACHE.mkdir(exist_ok=True)
    with (_CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            yield target, None
            return
        incoming = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=_CACHE))
        try:
            yield target, incoming
            incoming.chmod(0o755)
            incoming.rename(target)
        except BaseException:
            shutil.rmtree(incoming, ignore_errors=True)
            raise


def _maven(*arguments: str) -> None:
    done = subprocess.run(
        ["mvn", "--batch-mode", "--quiet", *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"mvn {' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
