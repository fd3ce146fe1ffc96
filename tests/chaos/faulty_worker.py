"""`mastery worker` that kills or stops itself at one step of its checkpoints: FAULT=kill|stop:STEP:N.

The steps in order: begin, produce, flush, send_offsets, end; the fault comes *before* each. `done` comes
right after `end`. N counts how often the step was reached; STEP+rows alone those times when the transaction
holds rows of mastery. Those of the state of mastery are in STATE_STEPS.
Run as `python -m tests.chaos.faulty_worker`.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from app.agents.mastery import MasteryProcessor
from app.cli import main
from app.definitions.definitions import Definitions
from app.state.store import PartitionStore
from app.state.table import StateTable
from app.stream.checkpoint import Checkpointer
from app.stream.producer import TransactionalProducer

STEPS = ("begin", "produce", "flush", "send_offsets", "end")
STATE_STEPS: Mapping[str, tuple[type, str]] = MappingProxyType(
    {
        # At a take-over, in this order: the second and third in files that are restored from the beginning.
        "take_over": (StateTable, "take_over"),
        "append": (PartitionStore, "append"),
        "finish_restore": (PartitionStore, "finish_restore"),
        "catch_up": (Definitions, "catch_up"),
        "open": (Checkpointer, "open"),
        # Of a checkpoint: committed, not in the file; amid the file's own transaction; in the file.
        "write": (StateTable, "write"),
        "note_in_file": (PartitionStore, "_note"),
        "release": (StateTable, "release"),
        # While rows are computed again: before a piece, and when all are, but the file does not say so yet.
        "recompute": (MasteryProcessor, "recompute"),
        "note": (StateTable, "note"),
    }
)
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def inject(
    fault: signal.Signals,
    step: str,
    count: int,
    *,
    steps: tuple[str, ...] = STEPS,
    more: Mapping[str, tuple[type, str]] = MappingProxyType({}),
) -> None:
    """Wrap steps so that the fault hits this process at the count-th time of `step`.

    `steps` are methods of the producer, `more` are steps by name, each a method of a class.
    """
    seen: Counter[str] = Counter()
    holds_rows = False

    def reached(name: str) -> None:
        for full_name in (name, f"{name}+rows") if holds_rows else (name,):
            seen[full_name] += 1
            if full_name == step and seen[full_name] == count:
                os.kill(os.getpid(), fault)

    def wrap(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(self: Any, *args: Any, **options: Any) -> Any:
            nonlocal holds_rows
            reached(name)
            result = original(self, *args, **options)
            if name == "produce":
                holds_rows = holds_rows or bool(args[0].changes)
            if name == "end":
                reached("done")
                holds_rows = False
            return result

        return stepped

    for name in steps:
        setattr(TransactionalProducer, name, wrap(name, getattr(TransactionalProducer, name)))
    for name, (owner, method) in more.items():
        setattr(owner, method, wrap(name, getattr(owner, method)))


if __name__ == "__main__":
    kind, wanted, number = os.environ.pop("FAULT").split(":")
    inject(SIGNALS[kind], wanted, int(number), more=STATE_STEPS)
    main(["worker"])
