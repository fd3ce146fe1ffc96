import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.definitions.changes import ChangedOutcome
from app.definitions.copy import DefinitionRecord
from app.definitions.errors import DefinitionUnreadable
from app.mastery.definition import read_outcome, read_proficiency, scales_in_force
from app.mastery.resolve import resolve
from app.mastery.rules import AccountRules, MasteryRules
from tests.definitions.support import (
    ACCOUNT,
    GLOBAL,
    LEVELS,
    OTHER,
    OTHER_ROOT_ID,
    ROOT_ID,
    WITH_SCALES,
    LocalCopy,
    framed,
    of,
    topic_of,
)
from tests.mastery.events import newest, outcome, proficiency, random_outcome, random_proficiency

OWN = ChangedOutcome(ACCOUNT, "7")


@pytest.fixture
def copy(tmp_path):
    with LocalCopy(tmp_path) as made:
        made.copy.tell_changes()
        yield made


def method(copy, account=ACCOUNT, outcome_id="7"):
    basis = copy.lookup.resolve(account, outcome_id).basis
    return None if basis is None else basis.method.value


# --- what is looked up ---


def test_the_latest_version_counts_in_any_order(copy):
    copy.add(outcome("average", updated=5))
    copy.add(outcome("latest", updated=3), outcome("highest", sent=9))
    assert method(copy) == "average"
    copy.add(outcome("n_mastery", 3, updated=6))
    assert method(copy) == "n_mastery"


def test_of_several_versions_in_one_batch_the_latest_counts(copy):
    copy.add(outcome("average", updated=5), outcome("latest", updated=3))
    assert method(copy) == "average"
    copy.add(proficiency(*LEVELS, updated=5), proficiency((2.0, "Yes", True), updated=3))
    assert copy.lookup.resolve(ACCOUNT, "7").basis.scale.points_possible == 4.0


def test_an_outcome_that_was_never_seen_is_unknown_until_it_is(copy):
    assert method(copy) is None
    assert copy.lookup.counts().unknown_outcomes == 1
    copy.add(outcome("latest"))
    assert (method(copy), method(copy, OTHER)) == ("latest", None)


def test_a_deleted_outcome_counts_on(copy):
    copy.add(outcome("latest"), outcome("latest", updated=5, workflow_state="deleted"))
    assert method(copy) == "latest"


def test_a_global_outcome_holds_for_accounts_without_one_of_their_own(copy):
    copy.add(outcome("latest", **GLOBAL))
    assert [method(copy, account) for account in (ACCOUNT, OTHER)] == ["latest", "latest"]
    copy.add(of(OTHER, OTHER_ROOT_ID, outcome("average")))
    assert [method(copy, account) for account in (ACCOUNT, OTHER)] == ["latest", "average"]
    assert method(copy, "third") == "latest"


def test_an_outcome_that_is_global_no_longer(copy):
    copy.add(outcome("latest", **GLOBAL))
    assert method(copy, OTHER) == "latest"
    copy.copy.take_changes()
    copy.add(outcome("average", updated=1))
    assert (method(copy), method(copy, OTHER)) == ("average", None)
    assert ChangedOutcome(None, "7") in copy.copy.take_changes().outcomes
    assert copy.lookup.counts().global_outcomes == 0


def test_other_shards_know_a_global_outcome_by_its_global_id(copy):
    copy.add(outcome("latest", **GLOBAL))
    assert method(copy, OTHER, "21070000000000007") == "latest"
    assert method(copy, OTHER, "7" * 19) is None
    # The same outcome, told by an account of another shard, later.
    later = outcome("average", updated=9, learning_outcome_id="21070000000000007", **GLOBAL)
    copy.copy.take_changes()
    copy.add(of(OTHER, OTHER_ROOT_ID, later))
    assert method(copy, OTHER, "21070000000000007") == "average"
    assert method(copy) == "average", "its own account wrote the older version"
    told = copy.copy.take_changes().outcomes
    assert {ChangedOutcome(None, "7"), ChangedOutcome(None, "21070000000000007")} <= told


def test_a_local_id_means_nothing_to_another_shard(copy):
    copy.add(outcome("latest"))
    assert method(copy, OTHER, "21070000000000007") is None
    copy.add(outcome("average", updated=1, learning_outcome_id="21070000000000007"))
    assert method(copy) == "average", "one outcome, however its own shard writes its id"


def test_scales_of_account_and_course(copy):
    copy.add(outcome())
    assert method(copy) == "highest"
    copy.add(proficiency(*LEVELS))
    own = proficiency((2.0, "Yes", True), outcome_proficiency_id="2", context_type="Course", context_id="565")
    copy.add(own)
    found = copy.lookup.resolve(ACCOUNT, "7")
    assert (found.basis.scale.points_possible, found.of_course("565").scale.points_possible) == (4.0, 2.0)
    copy.add(proficiency(*LEVELS, updated=4, workflow_state="deleted"))
    found = copy.lookup.resolve(ACCOUNT, "7")
    assert (found.basis.source, found.of_course("565").source) == ("outcome", "proficiency")


def test_look_ups_are_kept_until_something_changes(copy):
    copy.add(outcome(), outcome(learning_outcome_id="8"))
    found, other = copy.lookup.resolve(ACCOUNT, "7"), copy.lookup.resolve(ACCOUNT, "8")
    copy.add(outcome("latest", updated=1, learning_outcome_id="8"))
    assert copy.lookup.resolve(ACCOUNT, "7") is found
    assert copy.lookup.resolve(ACCOUNT, "8") is not other


def test_counts(tmp_path):
    rules = MasteryRules(accounts={OTHER: AccountRules(account_level_scales=True)})
    with LocalCopy(tmp_path, rules) as copy:
        copy.add(outcome(), outcome(updated=1), outcome(learning_outcome_id="8", **GLOBAL))
        copy.add(of(OTHER, OTHER_ROOT_ID, proficiency(*LEVELS)))
        assert copy.lookup.counts().accounts_with_unused_scales == ()
        copy.add(proficiency(*LEVELS))
        counts = copy.lookup.counts()
        assert (counts.outcomes, counts.global_outcomes, counts.proficiencies) == (2, 1, 2)
        assert counts.accounts_with_unused_scales == (ACCOUNT,)
        copy.add(proficiency(*LEVELS, updated=1, workflow_state="deleted"))
        assert copy.lookup.counts().accounts_with_unused_scales == ()


# --- what is told ---


def test_changes_are_told_once_with_the_vector_they_belong_to(copy):
    copy.add(outcome())
    copy.add(outcome("latest", updated=3))
    changes = copy.copy.take_changes()
    assert (changes.outcomes, changes.accounts) == ({OWN}, frozenset())
    assert changes.vector == {("learning_outcome_created", 0): 1, ("learning_outcome_updated", 0): 1}
    assert not copy.copy.take_changes()
    assert copy.told == 2


def test_what_changes_nothing_is_not_told(copy):
    copy.add(outcome("latest", updated=3))
    copy.copy.take_changes()
    before = copy.copy.vector
    copy.add(outcome("latest", updated=3), outcome("average", updated=2), outcome("average", sent=99))
    assert not copy.copy.take_changes()
    assert not copy.copy.changed_since(before)


def test_nothing_is_told_before_someone_listens(tmp_path):
    with LocalCopy(tmp_path) as copy:
        copy.add(outcome())
        assert not copy.copy.take_changes()
        assert copy.copy.changed_since({}).outcomes == {OWN}


def test_scales_are_told_where_they_are_used(tmp_path):
    rules = MasteryRules(accounts={OTHER: AccountRules(account_level_scales=True)})
    with LocalCopy(tmp_path, rules) as copy:
        copy.copy.tell_changes()
        copy.add(proficiency(*LEVELS), of(OTHER, OTHER_ROOT_ID, proficiency(*LEVELS)))
        assert copy.copy.take_changes().accounts == {OTHER}
        assert copy.copy.changed_since({}).accounts == {OTHER}


def test_a_scale_of_an_account_below_the_root_changes_nothing(copy):
    copy.add(proficiency(*LEVELS))
    assert copy.copy.take_changes().accounts == {ACCOUNT}
    copy.add(proficiency(*LEVELS, outcome_proficiency_id="2", context_id="5"))
    assert not copy.copy.take_changes()


def test_changed_since_tells_what_lies_beyond_the_vector(copy):
    copy.add(outcome(), outcome(learning_outcome_id="8"), proficiency(*LEVELS))
    before = copy.copy.changed_since({})
    assert before.outcomes == {OWN, ChangedOutcome(ACCOUNT, "8")}
    assert before.accounts == {ACCOUNT}
    assert before.vector == copy.copy.vector
    assert not copy.copy.changed_since(before.vector)
    copy.add(outcome("latest", updated=2))
    assert copy.copy.changed_since(before.vector).outcomes == {OWN}
    created = {("learning_outcome_created", 0): 1}
    assert copy.copy.changed_since(created).outcomes == {OWN, ChangedOutcome(ACCOUNT, "8")}


def test_a_vector_ahead_of_the_copy_is_of_another_topic(copy):
    copy.add(outcome())
    assert copy.copy.changed_since({("learning_outcome_created", 0): 50}).outcomes == {OWN}


# --- records that are none ---


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\x00\x7f\x7f\x7f\x7fxx", "cut"])
def test_a_record_that_is_no_definition_is_never_skipped(copy, value):
    if value == "cut":
        value = framed(outcome())[:-3]
    copy.add(outcome())
    record = DefinitionRecord("learning_outcome_created", 0, 1, value)
    with pytest.raises(DefinitionUnreadable, match="learning_outcome_created partition 0 offset 1 holds no"):
        copy.copy.apply([record], {("learning_outcome_created", 0): 2})
    assert copy.copy.vector == {("learning_outcome_created", 0): 1}
    copy.add(outcome("latest", updated=2))
    assert method(copy) == "latest"


def test_an_event_of_another_topic_is_none(copy):
    record = DefinitionRecord("learning_outcome_created", 0, 0, framed(proficiency(*LEVELS)))
    with pytest.raises(DefinitionUnreadable, match="not an event of this topic"):
        copy.copy.apply([record], {})


# --- any history, in any order, in any pieces ---

EVENTS = st.lists(
    st.integers(0, 2**32).map(lambda seed: _random_event(Random(seed))),
    max_size=12,
)
KEYS = [
    (account, outcome_id)
    for account in (ACCOUNT, OTHER, "third")
    for outcome_id in ("7", "8", "21070000000000007", "21080000000000007")
]


def _random_event(random):
    event = random_outcome(random) if random.random() < 0.7 else random_proficiency(random)
    if "title" in event["body"] and event["body"]["learning_outcome_id"] == "8":
        # Whether an outcome is global never changes.
        event["body"] |= GLOBAL
    account = random.choice([(ACCOUNT, ROOT_ID), (ACCOUNT, ROOT_ID), (OTHER, OTHER_ROOT_ID)])
    return of(*account, event)


def expected(history, rules):
    """What each look-up ought to give, from all events at once."""
    outcomes = newest(read_outcome(event) for event in history if "title" in event["body"])
    scales = newest(read_proficiency(event) for event in history if "title" not in event["body"])
    found = {}
    for account, outcome_id in KEYS:
        own = outcomes.get((account, outcome_id))
        if own is None or own.is_global:
            shard = {ACCOUNT: "2107", OTHER: "2108"}
            alike = [
                one
                for one in outcomes.values()
                if one.is_global
                and (
                    one.learning_outcome_id == outcome_id
                    or shard[one.root_account_uuid] + one.learning_outcome_id.rjust(13, "0") == outcome_id
                )
            ]
            own = max(alike, key=lambda one: one.version, default=None)
        in_force = scales_in_force(one for one in scales.values() if one.root_account_uuid == account)
        found[account, outcome_id] = resolve(own, rules.of(account), in_force)
    return found


def looked_up(copy):
    return {key: copy.lookup.resolve(*key) for key in KEYS}


def placed(history, random):
    """The events, some of them twice, at offsets of their topics' partitions."""
    ends = {}
    found = []
    for event in random.sample([*history, *history], len(history) * 4 // 3):
        place = topic_of(event), random.randrange(3)
        found.append((event, place[1], ends.get(place, 0)))
        ends[place] = ends.get(place, 0) + 1
    return found + [
        (event, 3, number)
        for topic in {topic_of(event) for event in history}
        for number, event in enumerate(one for one in history if topic_of(one) == topic)
    ]


def in_pieces(records, random):
    """In batches, as one reader may get them: each partition in its order, and no other order."""
    queues = {}
    for record in records:
        queues.setdefault((topic_of(record[0]), record[1]), []).append(record)
    while queues:
        batch = []
        for _ in range(random.randint(1, 5)):
            if queues:
                place = random.choice(sorted(queues))
                batch.append(queues[place].pop(0))
                if not queues[place]:
                    del queues[place]
        yield batch


@settings(deadline=None, max_examples=15)
@given(EVENTS, st.integers(0, 2**32).map(Random))
def test_any_history_in_any_order_and_pieces_gives_the_same_copy(history, random):
    records = placed(history, random)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as another:
        copy, other = LocalCopy(Path(one)), LocalCopy(Path(another))
        for batch in in_pieces(records, random):
            other.apply(*batch)
        copy.copy.tell_changes()
        known, vector = looked_up(copy), {}
        for batch in in_pieces(records, random):
            copy.apply(*batch)
            now = looked_up(copy)
            assert_all_told(known, now, copy.copy.take_changes())
            assert_all_told(known, now, copy.copy.changed_since(vector))
            known, vector = now, copy.copy.vector
            # A worker that takes over has its own copy, read in another order, and is further.
            assert_all_told(now, looked_up(other), other.copy.changed_since(vector))
            if random.random() < 0.3:
                copy.copy.close()
                copy = LocalCopy(Path(one))
                copy.copy.tell_changes()
                assert copy.copy.vector == vector
                assert looked_up(copy) == known
        assert looked_up(copy) == looked_up(other) == expected(history, WITH_SCALES)
        assert not copy.copy.changed_since(other.copy.vector)
        for each in (copy, other):
            each.copy.close()


def assert_all_told(before, after, changes):
    for key, found in after.items():
        if found != before[key]:
            account, outcome_id = key
            assert (
                account in changes.accounts
                or ChangedOutcome(account, outcome_id) in changes.outcomes
                or ChangedOutcome(None, outcome_id) in changes.outcomes
            ), key
