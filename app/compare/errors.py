"""What keeps a comparison from being made."""

from typing import ClassVar

from app.errors import MasteryError

__all__ = ["CompareTrouble"]


class CompareTrouble(MasteryError):
    """A file cannot be used, or what is missing to compare it. Nothing of a file's content is told.

    The exit status is that of `diff`: 1 says that something differs.
    """

    exit_code: ClassVar[int] = 2
