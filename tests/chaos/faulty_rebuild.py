"""`mastery state rebuild --yes` that kills itself at one step of its transactions: FAULT=kill:STEP:N.

The steps: init, begin, flush, send_offsets, end; the fault comes *before* each. `done` comes right after
`end`. N counts how often the step was reached. A transaction takes few rows, so that there are some. Run as
`python -m tests.chaos.faulty_rebuild [ARGUMENT...]`; without FAULT it does what the command does.
"""

import os
import sys

from app.cli import main
from app.rebuild import changelog, results
from tests.chaos.faulty_worker import SIGNALS, inject

STEPS = ("init", "begin", "flush", "send_offsets", "end")
ROWS = 20


if __name__ == "__main__":
    changelog.CHUNK = results.CHUNK = ROWS
    if fault := os.environ.pop("FAULT", None):
        kind, wanted, number = fault.split(":")
        inject(SIGNALS[kind], wanted, int(number), steps=STEPS)
    main(["state", "rebuild", "--yes", *sys.argv[1:]])
