"""The pieces that bench/guard.py compares, in a process that runs one for each line on its input.

First it writes the names of its pieces, as JSON; then for each name that it reads the CPU seconds of a turn.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["main"]

Turn = Callable[[], float]


def _timed(work: Callable[[], object]) -> Turn:
    def turn() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return turn


def _router() -> dict[str, Turn]:
    from bench.pieces import router_pieces  # noqa: PLC0415 - a commit may lack what one of them needs

    names = (
        "decode, strictly, with event_id",
        "encode, ASCII",
        "the whole router",
        "the router, unknown field",
    )
    pieces = dict(router_pieces())
    return {name: _timed(pieces[name]) for name in names}


def _agent() -> dict[str, Turn]:
    from bench.mastery_pieces import agent_pieces  # noqa: PLC0415 - as above

    # Those below half a microsecond a result are more noise than piece.
    small = ("an empty loop", "key as bytes", "row and snapshot of it")
    return {name: _timed(work) for name, work in agent_pieces() if name not in small}


def _restore() -> dict[str, Turn]:
    from app.mastery import blob  # noqa: PLC0415 - as above
    from app.state.store import PartitionStore, StoreIdentity  # noqa: PLC0415
    from bench.mastery_restore import made_rows  # noqa: PLC0415

    rows = [(key, state) for _, key, state in made_rows(20_000, 1)]
    identity = StoreIdentity("changelog", "", 0, 1, blob.FORMAT)

    def turn() -> float:
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            with PartitionStore(Path(folder) / "0.db", identity) as store:
                for start in range(0, len(rows), 5_000):
                    store.append(rows[start : start + 5_000], start)
                store.finish_restore()
            return time.process_time() - began

    return {"restore: rows into a file": turn}


def main() -> None:
    """Prepare all that can be, then run what is asked for."""
    pieces: dict[str, Turn] = {}
    for group in (_router, _agent, _restore):
        try:
            pieces |= group()
        except (ImportError, AttributeError, TypeError, KeyError) as error:
            print(f"{group.__name__}: {type(error).__name__}: {error}", file=sys.stderr)
    for turn in pieces.values():
        turn()
    print(json.dumps(list(pieces)), flush=True)
    for line in sys.stdin:
        print(json.dumps(pieces[line.rstrip("\n")]()), flush=True)


if __name__ == "__main__":
    main()
