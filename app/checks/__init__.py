"""What a worker makes sure of before it takes work: each failure is one line that says what to do."""

from app.checks.errors import (
    NotInTime,
    StartupError,
    StateFolderInUse,
    StateFolderUnusable,
    TransactionsUnusable,
)
from app.checks.run import CheckReport, CheckResult, run_checks
from app.checks.state_folder import StateLock, lock_state_dir
from app.checks.waiting import retry_until

__all__ = [
    "CheckReport",
    "CheckResult",
    "NotInTime",
    "StartupError",
    "StateFolderInUse",
    "StateFolderUnusable",
    "StateLock",
    "TransactionsUnusable",
    "lock_state_dir",
    "retry_until",
    "run_checks",
]
