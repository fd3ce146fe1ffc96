"""Who asks, and what of the state they may see."""

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["FEWEST", "LOCAL", "Role", "Viewer"]

#: Groups of fewer students are not shown to whoever may see no individual.
FEWEST = 10


class Role(StrEnum):
    """What a login is for, each with all that the one before it may see."""

    AGGREGATE = "aggregate"
    """Counts and distributions; no individual, no group under 10."""
    VIEWER = "viewer"
    """Students, in the root accounts and courses listed."""
    ADMIN = "admin"
    """Raw bytes, samples and settings too."""

    def includes(self, other: "Role") -> bool:
        """Whether this role may see all that `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever asks. `accounts` and `courses`: those that may be seen, None for all.

    `client` and `path`, the address asked from and the path asked for, are for the audit line alone.
    """

    name: str
    role: Role
    accounts: frozenset[str] | None = None
    courses: frozenset[str] | None = None
    client: str | None = field(default=None, compare=False)
    path: str | None = field(default=None, compare=False)

    @property
    def sees_students(self) -> bool:
        """Whether individuals may be shown."""
        return self.role is not Role.AGGREGATE

    @property
    def sees_everything(self) -> bool:
        """Whether raw bytes and samples may be shown: nothing can be left out of them."""
        return self.role is Role.ADMIN and self.accounts is None and self.courses is None

    def sees_account(self, root_account_uuid: str) -> bool:
        """Whether anything of a root account may be shown."""
        return self.accounts is None or root_account_uuid in self.accounts

    def sees_course(self, course_id: str | None) -> bool:
        """Whether a course's scores may be shown; a result of no course only to who sees all courses."""
        return self.courses is None or course_id in self.courses


#: Where no login is asked for: the server can be reached from this machine alone.
LOCAL = Viewer("local", Role.ADMIN)
