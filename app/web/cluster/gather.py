"""Asks all workers at once, and keeps who did not answer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.web.cluster.members import Member, Membership
from app.web.cluster.peers import PeerRefused, PeerSilent
from app.web.models.base import Answer, Freshness, WorkerAnswer, WorkerState
from app.web.problems import NotFound, NotReady, TooSlow

__all__ = ["Gathered", "gather"]

A = TypeVar("A", bound=Answer)


@dataclass(frozen=True, slots=True)
class Gathered(Generic[A]):
    """The parts that there are, and the workers whose part is missing.

    `not_found` says that a worker answered that it knows nothing of it, and no part is left.
    """

    parts: Sequence[A]
    missing: Sequence[WorkerAnswer]
    not_found: NotFound | None = None

    @property
    def freshness(self) -> Freshness:
        """As fresh as the stalest part; all workers, those that did not answer too."""
        told = [part.freshness for part in self.parts]
        behind = [one.behind_records for one in told if one.behind_records is not None]
        # What one of them cannot tell, nobody can tell of all.
        known = len(behind) == len(told)
        workers = [worker for one in told for worker in one.workers]
        return Freshness(
            as_of=min(one.as_of for one in told),
            behind_seconds=max(one.behind_seconds for one in told),
            behind_records=sum(behind) if known else None,
            workers=tuple(sorted([*workers, *self.missing], key=lambda one: one.name)),
        )

    def require(self) -> "Gathered[A]":
        """Return itself if there is a part.

        Raises:
            NotFound: all answered, and none knows it.
            NotReady: a worker that may know it did not answer.
        """
        if self.parts:
            return self
        if self.not_found is not None and not self.missing:
            raise self.not_found
        progress = [one.progress for one in self.missing if one.progress is not None]
        raise NotReady(
            "the part of the state that may hold it is not there at the moment: "
            + "; ".join(f"{one.name}: {one.detail or one.state.value}" for one in self.missing),
            hint="ask again in a moment",
            headers={"Retry-After": "2"},
            **({"progress": min(progress)} if progress else {}),
        )


async def gather(
    membership: Membership, ask_self: Callable[[], Awaitable[A]], ask: Callable[[Member], Awaitable[A]]
) -> Gathered[A]:
    """Ask all workers. Raises the first Problem that is about the request itself, not about one worker."""
    members = [membership.me, *membership.others]
    answers = await asyncio.gather(
        ask_self(), *(ask(member) for member in membership.others), return_exceptions=True
    )
    parts: list[A] = []
    missing: list[WorkerAnswer] = []
    not_found: NotFound | None = None
    for member, answer in zip(members, answers, strict=True):
        match answer:
            case NotFound():
                not_found = answer
            case NotReady():
                missing.append(_absent(member, WorkerState.RESTORING, answer, answer.more.get("progress")))
            case TooSlow() | PeerSilent():
                missing.append(_absent(member, WorkerState.SILENT, answer))
            case PeerRefused():
                missing.append(_absent(member, WorkerState.REFUSED, answer))
            case BaseException():
                raise answer
            case _:
                parts.append(answer)
    return Gathered(parts, missing, None if parts else not_found)


def _absent(
    member: Member, state: WorkerState, error: Exception, progress: float | None = None
) -> WorkerAnswer:
    return WorkerAnswer(name=member.name, state=state, detail=str(error), progress=progress)
