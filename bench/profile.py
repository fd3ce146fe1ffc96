"""Where the worker's time goes: py-spy on a whole worker (router and mastery) at full speed.

Samples are taken from the first committed rows on, idle threads left out. Told are the shares of parts, a
sample counted for the innermost function that belongs to one, and a flame graph. Void when rows are wrong.
"""

import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contenders import MASTERY_CONTENDERS, OURS
from bench.environments import TOOLS
from bench.harness import STOP_SECONDS, Harness
from bench.mastery_check import check_state
from bench.mastery_workload import placed
from bench.measure import RunFailed
from bench.ours import caught_up, prepared
from bench.rounds import FAILURES, reason
from bench.stage import Stage, open_stage
from bench.workload import deliver

__all__ = ["FULL", "Sizes", "measure", "part_of"]

_TIMEOUT = 120.0
#: Part of a sample: that of the innermost function whose file, or name, has one of these in it.
_PARTS = (
    ("roll-up", ("app/mastery/rollup", "app/mastery/results", "app/mastery/method", "app/mastery/score")),
    ("row from and to bytes", ("app/mastery/blob",)),
    ("publishing rows", ("app/agents/publication", "<row encoder")),
    ("rows read and written (SQLite)", ("app/state/",)),
    ("router", ("app/agents/router", "app/events/")),
    ("definitions", ("app/definitions/", "app/mastery/resolve")),
    ("mastery agent, its own", ("app/agents/mastery", "app/agents/rows", "app/mastery/")),
    ("Avro, read and written", ("app/schemas/",)),
    ("checkpoint and producer", ("app/stream/checkpoint", "app/stream/producer", "app/stream/handover")),
    ("fetch and parsing of records", ("aiokafka/", "app/stream/")),
    ("event loop and Faust", ("asyncio/", "faust/", "mode/", "app/commands/", "app/main")),
)


@dataclass(frozen=True)
class Sizes:
    """Of a short run."""

    events: int = 100_000
    users: int = 1_200
    partitions: int = 4
    samples_per_second: int = 200
    seconds: int = 4


FULL = Sizes(events=200_000, users=2_400, seconds=8)


def part_of(stack: list[str]) -> str:
    """The part that a sample belongs to; `stack` from the outermost function to the innermost."""
    for function in reversed(stack):
        for part, marks in _PARTS:
            if any(mark in function for mark in marks):
                return part
    return "other"


def measure(harness: Harness, sizes: Sizes) -> dict[str, Any]:
    """One run under the profiler."""
    TOOLS.install()
    try:
        with open_stage(harness.cluster, sizes.partitions) as stage:
            stacks = _profiled(stage, sizes)
    except FAILURES as failure:
        return {"runs": [{"void": reason("profile", failure)}]}
    total = sum(stacks.values())
    parts: Counter[str] = Counter()
    for stack, count in stacks.items():
        parts[part_of(stack.split(";"))] += count
    return {
        "runs": [{"samples": total, "void": None}],
        "parts": {part: round(count / total, 4) for part, count in parts.most_common()},
        # What is hardly seen makes no difference in a picture.
        "stacks": {stack: count for stack, count in sorted(stacks.items()) if count >= total / 2_000},
    }


def _profiled(stage: Stage, sizes: Sizes) -> Counter[str]:
    prepared(stage)
    cluster, partitions = stage.cluster, stage.partitions
    deliver(cluster.bootstrap, stage.raw_topic, placed(sizes.events, sizes.users, partitions))
    crew = MASTERY_CONTENDERS[OURS].start(stage)
    try:
        deadline = time.monotonic() + _TIMEOUT

        def wait(what: str, until: Any) -> None:
            while not until():
                if not crew.running or time.monotonic() > deadline:
                    raise RunFailed(f"{what}: not seen\n{crew.tail()}")
                time.sleep(0.1)

        wait("first rows", lambda: any(cluster.committed(stage.group, stage.typed_topic, partitions)))
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "stacks.txt"
            command = [str(TOOLS.python.with_name("py-spy")), "record", "--format", "raw", "--nonblocking"]
            command += ["--pid", str(crew.tree.first), "--output", str(out)]
            command += ["--rate", str(sizes.samples_per_second), "--duration", str(sizes.seconds)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode or not out.exists():
                raise RunFailed(f"py-spy: {done.stderr[-500:]}")
            lines = out.read_text().splitlines()
        wait("the end", lambda: caught_up(stage))
    finally:
        crew.stop(STOP_SECONDS)
    check_state(stage, sizes.events, sizes.users)
    stacks: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        stacks[";".join(map(_short, stack.split(";")))] += int(count)
    if not stacks:
        raise RunFailed("no samples: the run was over before")
    return stacks


def _short(frame: str) -> str:
    """`name (file)`, without the line, and without where this machine has its packages."""
    name, _, place = frame.rpartition(" (")
    path = place.rstrip(")").rpartition(":")[0] or place.rstrip(")")
    path = path.rpartition("site-packages/")[2]
    return f"{name or frame} ({path})"
