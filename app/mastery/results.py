"""The results of one student on one outcome: the latest snapshot of each."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from app.mastery.ids import id_order
from app.mastery.snapshot import ResultSnapshot, Work

__all__ = ["Results"]


class Results:
    """The latest snapshot of each result, a function of the *set* of snapshots applied.

    Any order and any repetition of the same snapshots ends in the same map. Nothing is ever taken away: a
    deleted result stays, as deleted, and so can come back.

    A snapshot without an id (middle generation) stands for its work until any snapshot with an id names that
    work; then it is dropped, and later ones like it are not taken. So works that an id once named and names
    no longer are remembered (`former_works`). A result that was created as deleted names its work without
    effect: it is not the one that the snapshot without an id told of.
    """

    __slots__ = ("_former_works", "_snapshots")

    def __init__(self, snapshots: Iterable[ResultSnapshot] = (), former_works: Iterable[Work] = ()) -> None:
        """Take up what `snapshots` (in their order) and `former_works` of another Results hold."""
        self._snapshots = list(snapshots)
        self._former_works = set(former_works)

    @property
    def snapshots(self) -> Sequence[ResultSnapshot]:
        """Those without an id first, since they are older, in the order of their works; then by id.

        Not a copy: `apply` changes it.
        """
        return self._snapshots

    @property
    def former_works(self) -> Sequence[Work]:
        """Works that results named once, and name no longer; sorted."""
        return sorted(self._former_works)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Results)
            and self._snapshots == other._snapshots
            and self._former_works == other._former_works
        )

    __hash__ = None  # type: ignore[assignment] # it changes

    def apply(self, snapshot: ResultSnapshot) -> bool:
        """Take a snapshot in; False when that changed nothing, because it is known or out of date."""
        if snapshot.id is None:
            return self._apply_without_id(snapshot)
        place, held = self._find(snapshot)
        if held is None:
            self._snapshots.insert(place, snapshot)
        elif snapshot.version <= held.version:
            return self._names_work(snapshot, held)
        else:
            self._snapshots[place] = snapshot
            # As a rule a result's work stays the same. The look at all the others is for when it does not.
            if held.work != snapshot.work or snapshot.stillborn:
                self._remember_work(held)
        if not snapshot.stillborn:
            self._former_works.discard(snapshot.work)
            self._drop_those_without_id(snapshot.work)
        return True

    def _find(self, snapshot: ResultSnapshot) -> tuple[int, ResultSnapshot | None]:
        """The place of a result in the order, and what is held of it; None for a new one."""
        snapshots, order = self._snapshots, _order(snapshot)
        # New results have the greatest ids, as a rule.
        if not snapshots or _order(snapshots[-1]) < order:
            return len(snapshots), None
        place = bisect_left(snapshots, order, key=_order)
        held = snapshots[place]
        return place, held if held.identity == snapshot.identity else None

    def _names_work(self, late: ResultSnapshot, held: ResultSnapshot) -> bool:
        """Take from an older version of a result what it still tells: a work that it named at that time."""
        if late.work == held.work and not held.stillborn:
            return False
        if not self._remember_work(late):
            return False
        self._drop_those_without_id(late.work)
        return True

    def _remember_work(self, former: ResultSnapshot) -> bool:
        """Add the work of a snapshot that is out of date to the former ones; False if it is known."""
        if former.stillborn or former.work in self._former_works or former.work in self._named_works():
            return False
        self._former_works.add(former.work)
        return True

    def _apply_without_id(self, snapshot: ResultSnapshot) -> bool:
        place, held = self._find(snapshot)
        if held is not None:
            if snapshot.version <= held.version:
                return False
            self._snapshots[place] = snapshot
            return True
        if any(snapshot.work.may_be(work) for work in (*self._named_works(), *self._former_works)):
            return False
        self._snapshots.insert(place, snapshot)
        return True

    def _named_works(self) -> list[Work]:
        return [
            snapshot.work
            for snapshot in self._snapshots
            if snapshot.id is not None and not snapshot.stillborn
        ]

    def _drop_those_without_id(self, work: Work) -> None:
        # They stand first, so that a look at one tells that there are none.
        if self._snapshots[0].id is None:
            self._snapshots = [
                held for held in self._snapshots if held.id is not None or not held.work.may_be(work)
            ]


def _order(snapshot: ResultSnapshot) -> tuple[int, str | Work]:
    return (0, snapshot.work) if snapshot.id is None else id_order(snapshot.id)
