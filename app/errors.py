"""The base of every failure that the project expects and explains."""

from typing import ClassVar

__all__ = ["MasteryError"]


class MasteryError(Exception):
    """An expected failure: one clear line, and what to do about it.

    `str(error)` says what is wrong, without any value taken from an event or a secret. `hint` says what to
    do, if there is something to do. The command line prints both and exits with `exit_code`; it shows no
    traceback.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def report(self) -> str:
        """What the command line prints: one line for the message, and one for the hint if there is one."""
        return f"error: {self}" + (f"\n  -> {self.hint}" if self.hint else "")
