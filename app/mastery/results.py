"""The results of one student on one outcome: the latest snapshot of each."""

from collections.abc import Iterable, Sequence

from app.mastery.ids import id_order
from app.mastery.snapshot import Identity, ResultSnapshot, Work

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

    __slots__ = ("_former_works", "_latest")

    def __init__(self, snapshots: Iterable[ResultSnapshot] = (), former_works: Iterable[Work] = ()) -> None:
        """Take up what `snapshots` and `former_works` of another Results hold."""
        self._latest: dict[Identity, ResultSnapshot] = {
            (snapshot.work if snapshot.id is None else snapshot.id): snapshot for snapshot in snapshots
        }
        self._former_works = set(former_works)

    @property
    def snapshots(self) -> Sequence[ResultSnapshot]:
        """Those without an id first, since they are older, in the order of their works; then by id."""
        return list(self._latest.values())

    @property
    def former_works(self) -> Sequence[Work]:
        """Works that results named once, and name no longer; sorted."""
        return sorted(self._former_works)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Results)
            and list(self._latest.items()) == list(other._latest.items())
            and self._former_works == other._former_works
        )

    __hash__ = None  # type: ignore[assignment] # it changes

    def apply(self, snapshot: ResultSnapshot) -> bool:
        """Take a snapshot in; False when that changed nothing, because it is known or out of date."""
        if snapshot.id is None:
            return self._apply_without_id(snapshot)
        held = self._latest.get(snapshot.id)
        if held is None:
            self._insert(snapshot)
        elif snapshot.version <= held.version:
            return self._names_work(snapshot, held)
        else:
            self._latest[snapshot.id] = snapshot
            # As a rule a result's work stays the same. The look at all the others is for when it does not.
            if held.work != snapshot.work or snapshot.stillborn:
                self._remember_work(held)
        if not snapshot.stillborn:
            self._former_works.discard(snapshot.work)
            self._drop_those_without_id(snapshot.work)
        return True

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
        held = self._latest.get(snapshot.work)
        if held is not None:
            if snapshot.version <= held.version:
                return False
            self._latest[snapshot.work] = snapshot
            return True
        if any(snapshot.work.may_be(work) for work in (*self._named_works(), *self._former_works)):
            return False
        self._insert(snapshot)
        return True

    def _named_works(self) -> list[Work]:
        return [
            snapshot.work
            for snapshot in self._latest.values()
            if snapshot.id is not None and not snapshot.stillborn
        ]

    def _drop_those_without_id(self, work: Work) -> None:
        # They stand first, so that a look at one key tells that there are none.
        if isinstance(next(iter(self._latest)), Work):
            for held in [held for held in self._latest if isinstance(held, Work) and held.may_be(work)]:
                del self._latest[held]

    def _insert(self, snapshot: ResultSnapshot) -> None:
        """Add a result at its place. New results have the greatest ids, as a rule."""
        last = next(reversed(self._latest.values()), None)
        self._latest[snapshot.identity] = snapshot
        if last is not None and _order(snapshot) < _order(last):
            self._latest = {held.identity: held for held in sorted(self._latest.values(), key=_order)}


def _order(snapshot: ResultSnapshot) -> tuple[int, str | Work]:
    return (0, snapshot.work) if snapshot.id is None else id_order(snapshot.id)
