"""What happens between an assignment and the first record: take over the partitions, resume the flow.

In the place of faust.tables.recovery, which gives up silently when a step takes too long (mode reports a
time-out as 'stopped'), applies changelog records one by one, and calls a failed table hook ready.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast

from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from mode import Service
from typing_extensions import override

from app.errors import MasteryError

if TYPE_CHECKING:
    from app.stream.application import StreamApp

__all__ = ["StreamRecovery", "StreamTableManager"]

#: mode logs each service's start and stop under the logger of its class.
_faust_log = logging.getLogger("faust.stream")


class StreamRecovery(Recovery):
    """Runs after each rebalance. A failure here ends the worker: it never runs on half restored."""

    logger = _faust_log
    app: "StreamApp"

    @Service.task
    async def _restart_recovery(self) -> None:
        while not self.should_stop:
            if await self.wait_for_stopped(cast(Any, self.signal_recovery_start)):
                return
            self.signal_recovery_start.clear()
            try:
                taken_over = await self.app.consumer.take_over()
            except MasteryError as error:
                self.app.fail(error)
                return
            if taken_over:
                await self._resume()

    @Service.task
    async def _slurp_changelogs(self) -> None:
        """Changelogs are never read through Faust."""

    @Service.task
    async def _publish_stats(self) -> None:
        """Progress is in app.stream.progress."""

    async def _resume(self) -> None:
        app = self.app
        await app.on_rebalance_complete.send()
        self.completed.set()
        app.flow_control.resume()
        app.consumer.resume_flow()
        await app._fetcher.maybe_start()
        self.tables.on_actives_ready()
        self.tables.on_standbys_ready()
        app.on_rebalance_end()


class StreamTableManager(TableManager):
    """Faust's table manager with the recovery above, and without its one-second pause at the start."""

    logger = _faust_log
    app: "StreamApp"

    @property
    def recovery(self) -> StreamRecovery:
        """The recovery service."""
        if self._recovery is None:
            self._recovery = StreamRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return cast(StreamRecovery, self._recovery)

    @override
    async def on_start(self) -> None:
        """Register the tables with the conductor and start the recovery service."""
        await asyncio.sleep(0)
        await self._update_channels()
        await self.recovery.start()
