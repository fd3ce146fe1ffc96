"""`mastery worker` that breaks a promise on purpose, for judges to find: WRONG=commits-first|commits-late.

`commits-first` commits the offsets of the input in a transaction of their own, and what it wrote 0.3 s later.
`commits-late` does it the other way round: a kill in between makes the next one write it again. Run as
`python -m tests.chaos.wrong_worker`.
"""

import os
import time
from collections.abc import Mapping
from typing import Any

from app.cli import main
from app.stream.producer import TransactionalProducer

_PAUSE = 0.3
_produce = TransactionalProducer.produce
_held: list[Any] = []


def _hold(self: TransactionalProducer, output: Any) -> None:
    _held.append(output)


def _commit_first(
    self: TransactionalProducer, positions: Mapping[tuple[str, int], int], metadata: bytes
) -> None:
    self.send_offsets(positions, metadata)
    self.end()
    time.sleep(_PAUSE)
    self.begin()
    for output in _held:
        _produce(self, output)
    _held.clear()
    self.flush()
    self.end()


def _commit_late(
    self: TransactionalProducer, positions: Mapping[tuple[str, int], int], metadata: bytes
) -> None:
    self.flush()
    self.end()
    time.sleep(_PAUSE)
    self.begin()
    self.send_offsets(positions, metadata)
    self.end()


if __name__ == "__main__":
    if os.environ.pop("WRONG") == "commits-first":
        TransactionalProducer.produce = _hold  # type: ignore[method-assign]
        TransactionalProducer.commit = _commit_first  # type: ignore[method-assign]
    else:
        TransactionalProducer.commit = _commit_late  # type: ignore[method-assign]
    main(["worker"])
