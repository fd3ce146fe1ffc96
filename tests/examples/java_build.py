"""The Java example, built as its reader builds it: from exported schemas, with Maven."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.worker import CHECKOUT

__all__ = ["java_example"]

_SOURCE = CHECKOUT / "examples" / "java"
_CACHE = CHECKOUT / ".cache"


def java_example() -> Path:
    """Return the program's jar. It is built anew only when its source or a schema has changed."""
    with tempfile.TemporaryDirectory() as folder:
        schemas = Path(folder)
        _run(sys.executable, "-m", "app.cli", "schemas", "export", folder, cwd=CHECKOUT)
        jar = _CACHE / f"java-example-{_digest(schemas, _SOURCE)}" / "target" / "mastery-consumer.jar"
        if not jar.exists():
            for old in _CACHE.glob("java-example-*"):
                shutil.rmtree(old, ignore_errors=True)
            _build(schemas, jar.parents[1])
    return jar


def _build(schemas: Path, target: Path) -> None:
    _CACHE.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="java-example.", dir=_CACHE))
    try:
        project = shutil.copytree(
            _SOURCE, work / "project", ignore=shutil.ignore_patterns("target", "schemas")
        )
        shutil.copytree(schemas, project / "schemas")
        _run("mvn", "--batch-mode", "--quiet", "package", cwd=project)
        project.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _digest(*folders: Path) -> str:
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and not {"target", "schemas"} & set(file.relative_to(folder).parts[:1]):
                digest.update(
                    file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0"
                )
    return digest.hexdigest()[:16]


def _run(*command: str, cwd: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MASTERY_")}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-4000:]}"
