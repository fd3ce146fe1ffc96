"""All workers at once, and who is missing."""

import asyncio
from collections.abc import Sequence

import pytest

from app.web.cluster.gather import Gathered, gather
from app.web.cluster.members import Member, Membership
from app.web.cluster.peers import PeerRefused, PeerSilent
from app.web.models.base import Freshness, PartitionState, WorkerAnswer, WorkerState
from app.web.models.mastery import MasteryPage
from app.web.problems import BadParameter, NotFound, NotReady

GROUP = Membership("http://a:1", {"http://a:1": (0,), "http://b:1": (1,), "http://c:1": (2,)})


def page(
    name: str, as_of: float, behind: int | None = None, held: Sequence[int] | None = None
) -> MasteryPage:
    """What a worker answers; `held`: its partitions, where they are not those that the group gives it."""
    partitions = GROUP.partitions[f"http://{name}"] if held is None else held
    states = tuple(PartitionState(partition=one, applied=1, end=1) for one in partitions)
    worker = WorkerAnswer(name=name, state=WorkerState.ANSWERED, partitions=states)
    fresh = Freshness(as_of=as_of, behind_seconds=as_of / 10, behind_records=behind, workers=(worker,))
    return MasteryPage(freshness=fresh, rows=())


def run(answers: dict[str, MasteryPage | Exception]) -> Gathered[MasteryPage]:
    async def ask(member: Member) -> MasteryPage:
        answer = answers[member.name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return asyncio.run(gather(GROUP, lambda: ask(GROUP.me), ask))


def test_as_fresh_as_the_stalest() -> None:
    found = run({"a:1": page("a:1", 7.0, 3), "b:1": page("b:1", 5.0, 0), "c:1": page("c:1", 9.0, 4)})
    fresh = found.require().freshness
    assert (fresh.as_of, fresh.behind_seconds, fresh.behind_records) == (5.0, 0.9, 7)
    assert fresh.complete
    assert [one.name for one in fresh.workers] == ["a:1", "b:1", "c:1"]


def test_what_one_cannot_tell_is_unknown_of_all() -> None:
    found = run({"a:1": page("a:1", 7.0, 0), "b:1": page("b:1", 5.0), "c:1": page("c:1", 9.0, 0)})
    assert found.require().freshness.behind_records is None


def test_who_does_not_answer_is_named() -> None:
    found = run(
        {
            "a:1": page("a:1", 7.0),
            "b:1": PeerSilent("it cannot be reached"),
            "c:1": NotReady("restoring", progress=0.25),
        }
    )
    fresh = found.require().freshness
    assert not fresh.complete
    told = {one.name: (one.state, one.detail, one.progress) for one in fresh.workers}
    assert told["b:1"] == (WorkerState.SILENT, "it cannot be reached", None)
    assert told["c:1"] == (WorkerState.RESTORING, "restoring", 0.25)


def test_a_part_makes_up_for_those_that_know_nothing() -> None:
    found = run({"a:1": NotFound("no"), "b:1": page("b:1", 1.0), "c:1": NotFound("no")})
    assert found.require().freshness.complete


def test_not_found_only_when_all_have_said_so() -> None:
    with pytest.raises(NotFound):
        run({"a:1": NotFound("no"), "b:1": NotFound("no"), "c:1": NotFound("no")}).require()
    with pytest.raises(NotReady, match="c:1: it does not accept"):
        run(
            {"a:1": NotFound("no"), "b:1": NotFound("no"), "c:1": PeerRefused("it does not accept")}
        ).require()


def test_a_problem_of_the_request_is_one_of_the_whole() -> None:
    with pytest.raises(BadParameter):
        run({"a:1": page("a:1", 1.0), "b:1": BadParameter("no"), "c:1": page("c:1", 1.0)})


def test_a_partition_between_two_owners_is_told() -> None:
    """The former owner has let it go, the next one has it not yet: both answered, and rows are missing."""
    fresh = run({"a:1": page("a:1", 1.0), "b:1": page("b:1", 1.0, held=()), "c:1": page("c:1", 1.0)})
    assert not fresh.require().freshness.complete
    told = {one.name: (one.state, one.detail) for one in fresh.freshness.workers}
    assert told["b:1"][0] is WorkerState.RESTORING
    assert "partitions 1 are moving" in str(told["b:1"][1])
    assert told["a:1"] == told["c:1"] == (WorkerState.ANSWERED, None)


def test_a_partition_that_another_worker_still_has_is_no_gap() -> None:
    held = {"a:1": page("a:1", 1.0, held=(0, 1)), "b:1": page("b:1", 1.0, held=()), "c:1": page("c:1", 1.0)}
    assert run(held).require().freshness.complete


def test_nothing_is_found_only_where_all_partitions_were_looked_through() -> None:
    answers = {
        "a:1": NotFound("no", partitions=[0]),
        "b:1": NotFound("no", partitions=[]),
        "c:1": NotFound("no", partitions=[2]),
    }
    with pytest.raises(NotReady, match="b:1: partitions 1 are moving"):
        run(answers).require()
    with pytest.raises(NotFound) as caught:
        run(answers | {"c:1": NotFound("no", partitions=[1, 2])}).require()
    assert not caught.value.more
