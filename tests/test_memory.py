import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from app.memory import give_back

# What stays keeps the pages between from being returned by themselves.
_FILL_AND_FREE = """
from pathlib import Path
from app.memory import give_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

held = [bytes(2000) for _ in range(50_000)]
kept = [held[number] for number in range(0, len(held), 50)]
kept.append(bytes(2000))
del held
before = resident()
give_back()
print(before - resident())
"""


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists() or not hasattr(ctypes.CDLL(None), "malloc_trim"),
    reason="glibc on Linux only",
)
def test_freed_memory_is_given_back():
    done = subprocess.run([sys.executable, "-c", _FILL_AND_FREE], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 50e6


def test_it_may_be_called_anywhere():
    give_back()
