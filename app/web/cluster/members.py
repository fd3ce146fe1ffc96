"""The workers of the group, as the group's own assignment tells them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app.partitioner import partition_of
from app.web.report import Group

__all__ = ["Member", "Membership", "membership_of"]


@dataclass(frozen=True, slots=True)
class Member:
    """A worker: the address of its web server, and the partitions of rows that it owns."""

    url: str
    partitions: tuple[int, ...]

    @property
    def name(self) -> str:
        """HOST:PORT."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True)
class Membership:
    """Who owns which partitions of rows. `own` is the worker that answers, also where it owns none.

    Calls go to these addresses and to no others.
    """

    own: str
    partitions: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @property
    def me(self) -> Member:
        """The worker that answers."""
        return Member(self.own, tuple(self.partitions.get(self.own, ())))

    @property
    def others(self) -> list[Member]:
        """The other workers, by address; those without partitions hold no rows but tell their status."""
        return [Member(url, tuple(held)) for url, held in sorted(self.partitions.items()) if url != self.own]

    @property
    def count(self) -> int:
        """How many partitions there are: an assignment gives each to somebody. 0 before the first."""
        return 1 + max((one for held in self.partitions.values() for one in held), default=-1)

    def owner_of_student(self, account: str, user_uuid: str) -> Member | None:
        """Return who has all rows of a student; None before the group is joined."""
        if not self.count:
            return None
        partition = partition_of(f"{account}:{user_uuid}".encode(), self.count)
        return next((one for one in [self.me, *self.others] if partition in one.partitions), None)


def membership_of(group: Group, topic: str) -> Membership:
    """Return who owns which partitions of `topic`, as the last assignment told the worker."""
    held = {url: topics.get(topic, ()) for url, topics in group.distribution.items()}
    return Membership(group.url, held)
