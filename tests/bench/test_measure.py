import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.measure import ProcessTree, RunFailed, watch

_BUSY_CHILD = (
    "import subprocess, sys\n"
    "sum(i for i in range(3_000_000))\n"
    "child = 'sum(i for i in range(3_000_000)); print(1, flush=True); input()'\n"
    "subprocess.Popen([sys.executable, '-c', child], stdin=sys.stdin).wait()\n"
)


class Still:
    def cpu_seconds(self):
        return 0.0

    def peak_rss_mb(self):
        return 0.0


def follow(visible, events, *, committed=lambda: True, alive=lambda: True):
    seen = iter(visible)
    last = [0]

    def look():
        last[0] = next(seen, last[0])
        return last[0]

    return watch(Still(), None, events, visible=look, committed=committed, alive=alive)


def test_what_was_there_at_the_first_look_is_not_counted():
    figures = follow([0, 0, 40, 70, 70, 100], 100)
    assert figures.events_per_second * figures.seconds == pytest.approx(60)


def test_time_ends_with_the_last_output_not_with_the_commit():
    commits = iter([False] * 10)
    figures = follow([0, 40, 100], 100, committed=lambda: next(commits, True))
    assert figures.seconds < 0.2 < figures.committed_after


def test_warm_is_the_second_half():
    # Ten looks for the first half, two for the second.
    figures = follow([0, *range(5, 51, 5), 75, 100], 100)
    assert figures.warm_events_per_second > 2.5 * figures.events_per_second


def test_a_worker_that_ends_early_gives_no_figures():
    with pytest.raises(RunFailed, match="ended"):
        follow([0, 40], 100, alive=lambda: False)


def test_a_run_too_short_to_measure_gives_no_figures():
    with pytest.raises(RunFailed, match="more events"):
        follow([0, 100], 100)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc, which only Linux has")
def test_children_count():
    with subprocess.Popen(
        [sys.executable, "-c", _BUSY_CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        tree = ProcessTree(process.pid)
        stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
        alone = sum(map(int, stat[11:13]))
        assert tree.cpu_seconds() > 1.3 * alone / os.sysconf("SC_CLK_TCK")
        assert tree.peak_rss_mb() > 10
        process.stdin.write(b"\n")
