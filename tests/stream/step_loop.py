"""An event loop without surprises: time stands still and threads do nothing until the test says so."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["StepLoop"]

_T = TypeVar("_T")


class StepLoop(asyncio.SelectorEventLoop):
    """Virtual time in `now`; what was given to an executor waits in `jobs`: function, arguments, future."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.jobs: deque[tuple[Callable[..., Any], tuple[Any, ...], asyncio.Future[Any]]] = deque()
        super().__init__()

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        future = self.create_future()
        self.jobs.append((func, args, future))
        return future

    def do_job(self, error: Exception | None = None) -> None:
        """Do the oldest job; with `error` it fails before it does anything."""
        func, args, future = self.jobs.popleft()
        if error is not None:
            future.set_exception(error)
        else:
            try:
                future.set_result(func(*args))
            except Exception as raised:  # noqa: BLE001 - as an executor does
                future.set_exception(raised)
        self.settle()

    def settle(self, seconds: float = 0.0) -> None:
        """Let time pass, then let everything run that can."""
        self.now += seconds
        self.run_until_complete(_turns())

    def start(self, coroutine: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Start a task and let it come as far as it can."""
        task = self.create_task(coroutine)
        self.settle()
        return task


async def _turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
