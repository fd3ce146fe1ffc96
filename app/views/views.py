"""The read model as a whole: built in a thread of its own, asked from any other."""

import logging
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Final, Self

from app.settings import Settings
from app.views.answers import Change, Listener, PartitionView
from app.views.builder import Builder
from app.views.files import ViewFiles
from app.views.questions import Questions

__all__ = ["FOLDER", "Views"]

log = logging.getLogger(__name__)

#: Name of the folder of the views, below the state's.
FOLDER: Final = "views"


class Views(Questions):
    """Rows of the partitions that this worker owns, in SQLite files below `<state_dir>/views`.

    Questions are answered from the partitions that are ready: `states` says which those are.
    """

    def __init__(
        self, settings: Settings, *, share: Callable[[], float] = lambda: 1.0, time_limit: float = 2.0
    ) -> None:
        """`share` says which part of a core the builder may take at the moment: 1.0 for all it needs."""
        files = ViewFiles()
        super().__init__(files, time_limit)
        self._listeners: tuple[Listener, ...] = ()
        self._builder = Builder(settings, settings.state_dir / FOLDER, files, share=share, tell=self._tell)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin to build, in a thread."""
        self._builder.start()

    def close(self) -> None:
        """End the thread, and let the files go."""
        self._builder.close()

    def own(self, partitions: Collection[int]) -> None:
        """Hold these partitions and no others, from now on. Does not block."""
        self._builder.own(partitions)

    def states(self) -> dict[int, PartitionView]:
        """How far each owned partition is."""
        return self._builder.states()

    @property
    def error(self) -> str | None:
        """Why nothing is built at the moment, such as no broker; None when all is well."""
        return self._builder.error

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell of changes from now on, at most some hundred at a time; return what ends it."""
        self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            self._listeners = tuple(one for one in self._listeners if one is not listener)

        return unsubscribe

    def _tell(self, changes: tuple[Change, ...]) -> None:
        for listener in self._listeners:
            try:
                listener(changes)
            except Exception:
                log.exception("a listener to changes failed")
