"""Options that have a JVM start in a third of the time: most tests need a server for seconds."""

import hashlib
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from tests.kafka.artifacts import installing

__all__ = ["C1_ALONE", "with_class_archive"]

#: The second compiler pays off after minutes only.
C1_ALONE = "-XX:TieredStopAtLevel=1"


def with_class_archive(name: str, run: Callable[[Sequence[str]], None]) -> list[str]:
    """Return the options for a program whose loaded classes lie in an archive (class data sharing).

    The first time on this machine and Java, `run` has to run it in order, from start to end, with the options
    that it gets.
    """
    with installing(f"{name}-classes-{_java()}") as (target, incoming):
        if incoming is not None:
            run([C1_ALONE, f"-XX:ArchiveClassesAtExit={_file(incoming)}", "-Xlog:cds=off"])
    # An archive that does not fit is left aside without a word.
    return [C1_ALONE, f"-XX:SharedArchiveFile={_file(target)}", "-Xlog:cds=off", "-Xlog:class+path=off"]


def _file(folder: Path) -> Path:
    return folder / "classes.jsa"


@cache
def _java() -> str:
    """An archive is good for the very Java that made it."""
    told = subprocess.run(["java", "-version"], capture_output=True, timeout=60, check=False)
    return hashlib.sha256(told.stdout + told.stderr).hexdigest()[:12]
