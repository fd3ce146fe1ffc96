"""Asks all workers at once, and keeps who did not answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
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

    `not_found` says that a worker answered that it knows nothing of it, and no part is left. `moving` names
    the workers that answered and have not, or no longer, partitions which the group gives them.
    """

    parts: Sequence[A]
    missing: Sequence[WorkerAnswer]
    not_found: NotFound | None = None
    moving: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @property
    def freshness(self) -> Freshness:
        """As fresh as the stalest part; all workers, those that did not answer too."""
        told = [part.freshness for part in self.parts]
        behind = [one.behind_records for one in told if one.behind_records is not None]
        # What one of them cannot tell, nobody can tell of all.
        known = len(behind) == len(told)
        workers = [self._as_it_stands(worker) for one in told for worker in one.workers]
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
        if self.not_found is not None and not self.missing and not self.moving:
            raise NotFound(str(self.not_found), hint=self.not_found.hint)
        progress = [one.progress for one in self.missing if one.progress is not None]
        reasons = [f"{one.name}: {one.detail or one.state.value}" for one in self.missing]
        reasons += [f"{name}: {_moving(partitions)}" for name, partitions in self.moving.items()]
        raise NotReady(
            f"the part of the state that may hold it is not there at the moment: {'; '.join(reasons)}",
            hint="ask again in a moment",
            headers={"Retry-After": "2"},
            **({"progress": min(progress)} if progress else {}),
        )

    def _as_it_stands(self, worker: WorkerAnswer) -> WorkerAnswer:
        partitions = self.moving.get(worker.name)
        if partitions is None or worker.state is not WorkerState.ANSWERED:
            return worker
        return worker.model_copy(update={"state": WorkerState.RESTORING, "detail": _moving(partitions)})


async def gather(
    membership: Membership, ask_self: Callable[[], Awaitable[A]], ask: Callable[[Member], Awaitable[A]]
) -> Gathered[A]:
    """Ask all workers. Raises the first Problem that is about the request itself, not about one worker.

    Workers hear of an assignment one after the other. While a partition is on its way, its former owner has
    let it go and the next one may not know of it yet: nobody is missing then, but rows are.
    """
    members = [membership.me, *membership.others]
    answers = await asyncio.gather(
        ask_self(), *(ask(member) for member in membership.others), return_exceptions=True
    )
    parts: list[A] = []
    missing: list[WorkerAnswer] = []
    not_found: NotFound | None = None
    held: set[int] = set()
    for member, answer in zip(members, answers, strict=True):
        match answer:
            case NotFound():
                not_found = answer
                held.update(answer.more.get("partitions", member.partitions))
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
                held.update(_held(answer))
    absent = {one.name for one in missing}
    moving = {
        member.name: lacking
        for member in members
        if member.name not in absent and (lacking := [one for one in member.partitions if one not in held])
    }
    return Gathered(parts, missing, None if parts else not_found, moving)


def _held(answer: Answer) -> set[int]:
    """The partitions whose rows are in a part."""
    workers = answer.freshness.workers
    return {one.partition for worker in workers for one in worker.partitions if not one.restoring}


def _moving(partitions: Sequence[int]) -> str:
    return f"partitions {', '.join(map(str, partitions))} are moving between workers, or being read"


def _absent(
    member: Member, state: WorkerState, error: Exception, progress: float | None = None
) -> WorkerAnswer:
    return WorkerAnswer(name=member.name, state=state, detail=str(error), progress=progress)
