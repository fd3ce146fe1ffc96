"""`mastery dead-letters replay` that kills or stops itself at one step: FAULT=kill|stop:STEP:N.

The steps: init, begin, produce_one, flush, end; the fault comes *before* each. `done` comes right after
`end`. N counts how often the step was reached. A transaction takes few letters, so that there are some.
Run as `python -m tests.replay.faulty_replay [ARGUMENT...]`; without FAULT it does what the command does.
"""

import os
import sys

from app.cli import main
from app.replay import replayer
from tests.chaos.faulty_worker import SIGNALS, inject

LETTERS = 5
STEPS = ("init", "begin", "produce_one", "flush", "end")


if __name__ == "__main__":
    replayer._MOST_LETTERS = LETTERS
    if fault := os.environ.pop("FAULT", None):
        kind, wanted, number = fault.split(":")
        inject(SIGNALS[kind], wanted, int(number), steps=STEPS)
    main(["dead-letters", "replay", *sys.argv[1:]])
