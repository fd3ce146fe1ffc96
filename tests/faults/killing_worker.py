"""`mastery worker` that kills itself with SIGKILL at one step of its checkpoints: STEP:N in KILL_AT.

The steps, in order: begin, produce, flush, send_offsets, end; each is killed *before*; `done` is right after `end`.
N counts how often the step was reached. Run as `python -m tests.faults.killing_worker`.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

from app.cli import main
from app.stream.producer import TransactionalProducer

STEPS = ("begin", "produce", "flush", "send_offsets", "end")


def kill_at(step: str, count: int) -> None:
    """Wrap the producer's steps so that this process dies at the count-th time of `step`."""
    seen: Counter[str] = Counter()

    def reached(name: str) -> None:
        seen[name] += 1
        if name == step and seen[name] == count:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(self: TransactionalProducer, *args: Any) -> Any:
            reached(name)
            result = original(self, *args)
            if name == "end":
                reached("done")
            return result

        return stepped

    for name in STEPS:
        setattr(TransactionalProducer, name, wrap(name, getattr(TransactionalProducer, name)))


if __name__ == "__main__":
    wanted, _, number = os.environ.pop("KILL_AT").partition(":")
    kill_at(wanted, int(number))
    main(["worker"])
