"""Who owns which rows."""

from app.partitioner import partition_of
from app.web.cluster.members import Membership

GROUP = Membership(
    "http://10.0.0.1:6066", {"http://10.0.0.2:6066": (2, 3), "http://10.0.0.1:6066": (0, 1), "http://c:1": ()}
)


def test_a_student_is_with_the_owner_of_the_partition() -> None:
    seen = set()
    for number in range(50):
        owner = GROUP.owner_of_student("account", f"user-{number}")
        assert owner is not None
        assert partition_of(f"account:user-{number}".encode(), 4) in owner.partitions
        seen.add(owner.name)
    assert seen == {"10.0.0.1:6066", "10.0.0.2:6066"}


def test_nobody_owns_it_during_a_rebalance() -> None:
    assert Membership("http://a:1").owner_of_student("account", "user") is None


def test_others_are_all_but_the_one_that_answers() -> None:
    assert [one.url for one in GROUP.others] == ["http://10.0.0.2:6066", "http://c:1"]
    assert GROUP.me.partitions == (0, 1)
    assert Membership("http://new:1", {"http://a:1": (0,)}).me.partitions == ()
