"""Changes of this worker's rows, handed on to whoever follows them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from app.views.answers import Change as ViewChange
from app.views.views import Views
from app.web.models.stream import Change
from app.web.security.viewer import Viewer
from app.web.security.visible import visible_changes

__all__ = ["LocalChanges", "shown_change"]

#: Changes that a follower may have before it: more are lost to one that is so slow, which is let go.
_IN_HAND: Final = 1_000


class LocalChanges:
    """The changes of this worker's own partitions, as `Views` tells them."""

    def __init__(self, views: Views, *, in_hand: int = _IN_HAND) -> None:
        self._views = views
        self._in_hand = in_hand

    async def changes(self, viewer: Viewer) -> AsyncIterator[Change]:
        """Yield what changes from now on and `viewer` may see; it ends for who lags too far behind."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[ViewChange | None] = asyncio.Queue()
        dropped = False

        def take(told: tuple[ViewChange, ...]) -> None:
            nonlocal dropped
            if dropped:
                return
            if waiting.qsize() + len(told) > self._in_hand:
                dropped = True
                waiting.put_nowait(None)
                return
            for one in told:
                waiting.put_nowait(one)

        def heard(told: tuple[ViewChange, ...]) -> None:
            # In the builder's thread. A loop that has ended has no followers either.
            if not loop.is_closed():
                loop.call_soon_threadsafe(take, told)

        end = self._views.subscribe(heard)
        try:
            while (found := await waiting.get()) is not None:
                for change in visible_changes(viewer, [shown_change(found)]):
                    yield change
        finally:
            end()


def shown_change(change: ViewChange) -> Change:
    """A change as the web shows it."""
    return Change(**change._asdict())
