"""Is the working tree slower than a commit? `make bench-guard BASE=<commit>`, two minutes, no Kafka.

The pieces of the hot path (bench/guard_pieces.py: router, mastery agent, restore) run in child processes: one
has `app` of the commit (a git worktree in a temporary folder), one that of the working tree, and a second one
that of the commit again. All have this tree's bench and the same interpreter and packages. In each of several
sets, fresh processes each time, the three take turns at each piece, and of each the least CPU seconds of its
turns count.

**How noise is judged.** Commit against commit shows what two runs of the same code differ by: its spread over
the sets is the noise of that hour on that machine. A piece is slower when the median of tree over commit is

* over 1 by more than 2 %, and by more than three standard errors of that noise, and
* all sets but one at most agree that it is slower at all.

A piece that the commit cannot run (it lacks a part that this bench uses) is named and not judged. Gives 1
when a piece is slower, 2 when nothing could be judged.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO

__all__ = ["Verdict", "judge", "main"]

_ROOT = Path(__file__).resolve().parent.parent
_LEAST = 0.02
_ERRORS = 3.0
# The standard deviation of what is distributed normally is so many median absolute deviations, and the
# standard error of a median so many of that of a mean.
_MAD, _MEDIAN = 1.4826, 1.2533


@dataclass(frozen=True)
class Verdict:
    """Of one piece."""

    slower: bool
    ratio: float
    """Median of the working tree over the commit."""
    limit: float
    """A ratio above this one is beyond noise."""


def judge(base: Sequence[float], again: Sequence[float], tree: Sequence[float]) -> Verdict:
    """Judge CPU seconds of some sets: of the commit, of the commit again, of the working tree.

    `tree` is held against the geometric mean of the two of the commit in the same set.
    """
    ratios = [one / math.sqrt(a * b) for one, a, b in zip(tree, base, again, strict=True)]
    # Of two single runs: wider than a run against a mean, so on the safe side.
    noise = [math.log(b / a) for a, b in zip(base, again, strict=True)]
    deviation = _MAD * median(map(abs, noise))
    error = _MEDIAN * deviation / math.sqrt(len(ratios))
    limit = 1 + max(_LEAST, _ERRORS * error)
    ratio = median(ratios)
    agree = sum(one > 1 for one in ratios) >= len(ratios) - 1
    return Verdict(ratio > limit and agree, ratio, limit)


class _Runner:
    """A process that runs pieces on demand."""

    def __init__(self, folder: Path) -> None:
        # The same hashes in all: sets and dicts of the same order.
        env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONHASHSEED": "0"}
        command = [sys.executable, "-m", "bench.guard_pieces"]
        self._process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pieces: list[str] = json.loads(self._read())

    def _read(self) -> str:
        out: IO[str] | None = self._process.stdout
        line = out.readline() if out else ""
        if not line:
            raise RuntimeError("a process of pieces ended")
        return line

    def run(self, piece: str) -> float:
        """CPU seconds of one turn."""
        if self._process.stdin:
            self._process.stdin.write(f"{piece}\n")
            self._process.stdin.flush()
        seconds: float = json.loads(self._read())
        return seconds

    def close(self) -> None:
        """End it."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()


@contextmanager
def _runner(folder: Path) -> Iterator[_Runner]:
    runner = _Runner(folder)
    try:
        yield runner
    finally:
        runner.close()


@contextmanager
def _worktree(commit: str) -> Iterator[Path]:
    """The commit's files in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="mastery-guard-") as folder:
        path = Path(folder) / "tree"
        git = ["git", "-C", str(_ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(path), commit], check=True)
        try:
            yield path
        finally:
            subprocess.run([*git, "remove", "--force", str(path)], check=False)


def _combined(folder: Path, tree: Path) -> Path:
    """A folder with the app of `tree`, and the bench of this checkout."""
    folder.mkdir()
    (folder / "bench").symlink_to(_ROOT / "bench")
    for name in ("app", "avro", "topics"):
        (folder / name).symlink_to(tree / name)
    return folder


def _measured(base: Path, tree: Path, sets: int, turns: int) -> tuple[dict[str, list[list[float]]], set[str]]:
    """For each piece the seconds of base, base again and tree, set by set; and pieces that the base lacks."""
    found: dict[str, list[list[float]]] = {}
    lacking: set[str] = set()
    for number in range(1, sets + 1):
        with ExitStack() as stack:
            folders = (base, base, tree)
            # Who is started first has another place in memory: they take turns at that, too.
            order = [(number + offset) % 3 for offset in range(3)]
            started = {each: stack.enter_context(_runner(folders[each])) for each in order}
            runners = [started[each] for each in range(3)]
            lacking |= set(runners[2].pieces) - set(runners[0].pieces)
            for piece in runners[0].pieces:
                least = [math.inf] * 3
                for _ in range(turns):
                    for each in order:
                        least[each] = min(least[each], runners[each].run(piece))
                for values, one in zip(found.setdefault(piece, [[], [], []]), least, strict=True):
                    values.append(one)
        print(f"set {number} of {sets} done", file=sys.stderr, flush=True)
    return found, lacking


def _told(found: Mapping[str, list[list[float]]], lacking: set[str]) -> int:
    slower = 0
    print(f"{'piece':34} {'tree / commit':>13} {'beyond noise from':>18}")
    for piece, (base, again, tree) in found.items():
        verdict = judge(base, again, tree)
        slower += verdict.slower
        word = "SLOWER" if verdict.slower else ""
        print(f"{piece:34} {verdict.ratio:13.3f} {verdict.limit:18.3f} {word}")
    for piece in sorted(lacking):
        print(f"{piece:34} {'not judged: the commit cannot run it':>32}")
    if not found:
        return 2
    return 1 if slower else 0


def main(argv: list[str] | None = None) -> int:
    """Compare, print a line for each piece."""
    parser = argparse.ArgumentParser(prog="python -m bench.guard", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("base", metavar="COMMIT")
    parser.add_argument("--sets", type=int, default=7, help="of fresh processes (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=5, help="at each piece (default: %(default)s)")
    arguments = parser.parse_args(argv)
    with _worktree(arguments.base) as base, tempfile.TemporaryDirectory(prefix="mastery-guard-") as folder:
        both = _combined(Path(folder) / "base", base), _combined(Path(folder) / "tree", _ROOT)
        return _told(*_measured(*both, arguments.sets, arguments.turns))


if __name__ == "__main__":
    sys.exit(main())
