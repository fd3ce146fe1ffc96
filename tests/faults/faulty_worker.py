"""`mastery worker` that kills or stops itself at one step of its checkpoints: FAULT=kill|stop:STEP:N.

The steps in order: begin, produce, flush, send_offsets, end; the fault comes *before* each. `done` comes
right after `end`. N counts how often the step was reached. Run as `python -m tests.faults.faulty_worker`.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

from app.cli import main
from app.stream.producer import TransactionalProducer

STEPS = ("begin", "produce", "flush", "send_offsets", "end")
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def inject(fault: signal.Signals, step: str, count: int, *, steps: tuple[str, ...] = STEPS) -> None:
    """Wrap the producer's steps so that the fault hits this process at the count-th time of `step`."""
    seen: Counter[str] = Counter()

    def reached(name: str) -> None:
        seen[name] += 1
        if name == step and seen[name] == count:
            os.kill(os.getpid(), fault)

    def wrap(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(self: TransactionalProducer, *args: Any) -> Any:
            reached(name)
            result = original(self, *args)
            if name == "end":
                reached("done")
            return result

        return stepped

    for name in steps:
        setattr(TransactionalProducer, name, wrap(name, getattr(TransactionalProducer, name)))


if __name__ == "__main__":
    kind, wanted, number = os.environ.pop("FAULT").split(":")
    inject(SIGNALS[kind], wanted, int(number))
    main(["worker"])
