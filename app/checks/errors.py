"""Why a worker does not start."""

from app.errors import MasteryError

__all__ = [
    "NotInTime",
    "StartupError",
    "StateFolderInUse",
    "StateFolderUnusable",
    "TransactionsUnusable",
]


class StartupError(MasteryError):
    """Base of what keeps a worker from starting and is found here."""


class NotInTime(StartupError):
    """What a worker needs did not come up before the deadline. The message ends with how long it waited."""


class TransactionsUnusable(StartupError):
    """The broker has no transactions, or none of the kind that is needed."""


class StateFolderUnusable(StartupError):
    """The state folder cannot be written, locked, or used by SQLite in WAL mode."""


class StateFolderInUse(StartupError):
    """Another worker holds the state folder."""
