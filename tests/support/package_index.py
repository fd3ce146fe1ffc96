"""What the package index that pip is set up for lists: `python -m tests.support.package_index NAME==VERSION`.

pip alone knows where its index is and how to get there (configuration files, environment, proxy,
certificates), and has no public face for asking. A process of its own, as what pip imports warns and patches.
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["IndexUnreachable", "Wheel", "wheels"]

UNREACHABLE = 3
MEDIA_TYPE = "application/vnd.pypi.simple.v1+json"
CHECKOUT = Path(__file__).parents[2]


class IndexUnreachable(Exception):
    """The index does not answer, or not in its JSON form."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel's file name, and the Python versions it wants ("" for any)."""

    filename: str
    requires_python: str


def wheels(pins: dict[str, str], *, timeout: float = 60.0) -> dict[str, list[Wheel]]:
    """Return the wheels of each pinned version that are not withdrawn. Raises IndexUnreachable."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", __name__, *(f"{name}=={pins[name]}" for name in pins)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode == UNREACHABLE:
        raise IndexUnreachable(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return {name: [Wheel(*wheel) for wheel in found] for name, found in json.loads(done.stdout).items()}


def _ask(pins: list[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    # pip's own, under these names since 19.3.
    from pip._internal.commands import create_command

    command: Any = create_command("download")
    options, _ = command.parse_args(["any-name"])
    session = command._build_session(options, retries=2, timeout=10)

    def wheel_version(filename: str) -> Version | None:
        try:
            return parse_wheel_filename(filename)[1]
        except (InvalidWheelFilename, InvalidVersion):  # a source, or from before there were rules
            return None

    def ask(pin: tuple[str, str]) -> tuple[str, list[tuple[str, str]]]:
        name, version = pin
        page = f"{options.index_url.rstrip('/')}/{canonicalize_name(name)}/"
        answer = session.get(page, headers={"Accept": MEDIA_TYPE})
        answer.raise_for_status()
        return name, [
            (file["filename"], file.get("requires-python") or "")
            for file in answer.json()["files"]
            if wheel_version(file["filename"]) == Version(version) and not file.get("yanked")
        ]

    with session, ThreadPoolExecutor(8) as pool:
        return dict(pool.map(ask, pins))


if __name__ == "__main__":
    try:
        found = _ask([tuple(pin.split("==")) for pin in sys.argv[1:]])
    except OSError as error:  # what pip's session raises derives from it
        sys.stderr.write(type(error).__name__)  # no more: the address may hold a password
        sys.exit(UNREACHABLE)
    sys.stdout.write(json.dumps(found))
