"""Changes of rows in all workers, as they happen."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

from app.web.cluster.members import Member, Membership
from app.web.cluster.peers import PeerRefused, Peers, PeerSilent
from app.web.models.stream import Change
from app.web.problems import Problem
from app.web.security.viewer import Viewer

__all__ = ["ClusterChanges"]

#: Seconds between two looks at who is in the group, and before a worker that gave no stream is asked again.
_LOOK_EVERY: Final = 2.0

#: Changes in hand. A reader that lags further behind keeps the workers waiting, which then let go of it.
_IN_HAND: Final = 256


class ClusterChanges:
    """The changes of one worker, and those of the others by their own streams.

    Nothing is promised about what happened before or between: who misses nothing reads the topic.
    """

    def __init__(
        self,
        own: Callable[[Viewer], AsyncIterator[Change]],
        membership: Callable[[], Membership],
        peers: Peers,
        path: str = "/api/events",
    ) -> None:
        self._own = own
        self._membership = membership
        self._peers = peers
        self._path = path

    async def changes(self, viewer: Viewer) -> AsyncIterator[Change]:
        """Yield changes from now on, until the caller ends."""
        queue: asyncio.Queue[Change | Exception] = asyncio.Queue(_IN_HAND)
        tasks: dict[str, asyncio.Task[None]] = {}
        watcher = asyncio.create_task(self._watch(viewer, queue, tasks))
        own = asyncio.create_task(_pass_on(self._own(viewer), queue))
        try:
            while True:
                found = await queue.get()
                if isinstance(found, Exception):
                    raise found
                yield found
        finally:
            await _end([watcher, own, *tasks.values()])

    async def _watch(
        self,
        viewer: Viewer,
        queue: asyncio.Queue[Change | Exception],
        tasks: dict[str, asyncio.Task[None]],
    ) -> None:
        """Follow each worker that is in the group, and no other."""
        while True:
            others = {member.url: member for member in self._membership().others}
            for url in [url for url, task in tasks.items() if task.done() or url not in others]:
                tasks.pop(url).cancel()
            for url, member in others.items():
                if url not in tasks:
                    tasks[url] = asyncio.create_task(self._follow(member, viewer, queue))
            await asyncio.sleep(_LOOK_EVERY)

    async def _follow(self, member: Member, viewer: Viewer, queue: asyncio.Queue[Change | Exception]) -> None:
        with contextlib.suppress(PeerSilent, PeerRefused, Problem):
            async for change in self._peers.follow(member, self._path, viewer, Change):
                await queue.put(change)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel each once, and wait for their end beside whoever cancels this.

    A client that goes has its request cancelled again and again until it ends. Passed on to a task that is
    closing its connection, that would leave the connection open for good.
    """
    for task in tasks:
        task.cancel()
    await asyncio.shield(asyncio.gather(*tasks, return_exceptions=True))


async def _pass_on(changes: AsyncIterator[Change], queue: asyncio.Queue[Change | Exception]) -> None:
    """Put changes into the queue, and the error that ends them."""
    try:
        async for change in changes:
            await queue.put(change)
    except Exception as error:  # noqa: BLE001 - raised where the changes are asked for
        await queue.put(error)
