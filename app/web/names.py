"""The roster of the web process: read beside its start, and tried again while it cannot be read."""

import logging
import threading
from pathlib import Path
from typing import Final

from app.roster import Roster, RosterFile, RosterUnusable

__all__ = ["Names"]

#: Seconds until a roster that cannot be used is looked at again.
_AGAIN: Final = 10.0

log = logging.getLogger(__name__)


class Names:
    """Gives the roster, without names before it is read. A roster that is wrong keeps no worker from work."""

    def __init__(self, path: Path | None, *, again: float = _AGAIN) -> None:
        self._path = path
        self._again = again
        self._file: RosterFile | None = None

    def start(self) -> None:
        """Read it, in a thread: a million names take some seconds."""
        if self._path is not None:
            threading.Thread(target=self._read, args=(self._path,), name="roster", daemon=True).start()

    def __call__(self) -> Roster:
        """Return the names as the file has them now."""
        return Roster() if self._file is None else self._file()

    def _read(self, path: Path) -> None:
        pause, told = threading.Event(), ""
        while self._file is None:
            try:
                self._file = RosterFile(path)
            except RosterUnusable as error:
                if str(error) != told:
                    log.error("%s; no names are shown until it can", error)  # noqa: TRY400 - it says it all
                told = str(error)
                pause.wait(self._again)
