"""`mastery worker` whose disk or broker is slow: SLOW=STEP:SECONDS, how much longer each such step takes.

STEP is `disk`, the write of a checkpoint into the state files, or `broker`, the flush of a transaction.
Run as `python -m tests.chaos.slow_worker`.
"""

import os
import time
from typing import Any

from app.cli import main
from app.state.table import StateTable
from app.stream.producer import TransactionalProducer

STEPS: dict[str, tuple[type, str]] = {
    "disk": (StateTable, "write"),
    "broker": (TransactionalProducer, "flush"),
}


def slow_down(step: str, seconds: float) -> None:
    """Have a step take so many seconds longer."""
    owner, method = STEPS[step]
    original = getattr(owner, method)

    def slowly(self: Any, *arguments: Any, **options: Any) -> Any:
        time.sleep(seconds)
        return original(self, *arguments, **options)

    setattr(owner, method, slowly)


if __name__ == "__main__":
    wanted, pause = os.environ.pop("SLOW").split(":")
    slow_down(wanted, float(pause))
    main(["worker"])
