from app.access.grants import Grant, permission_missing
from app.access.tasks import worker
from app.schemas.contract import load_contract
from app.settings import load_settings
from app.topics import load_catalogue

SETTINGS = load_settings(raw_topic="somebody.else")


def test_a_worker_reads_the_raw_topic_and_writes_all_that_it_makes():
    grants = set(worker(SETTINGS, load_catalogue(SETTINGS)).grants)
    outputs = [SETTINGS.typed_topic(name) for name in load_contract().topics]
    outputs += [SETTINGS.dead_letter_topic, SETTINGS.schemas_topic, SETTINGS.changelog_topic]
    assert grants == {
        Grant("Read", "topic", "somebody.else"),
        Grant("Read", "topic", SETTINGS.commands_topic),
        Grant("Read", "group", SETTINGS.group_id),
        Grant("Write", "transactional-id", f"{SETTINGS.group_id}.", prefixed=True),
        # Also to see whether it has written before.
        *(Grant("Read", "topic", name) for name in outputs),
        *(Grant("Write", "topic", name) for name in outputs),
    }


def test_many_topics_are_cut_short_in_the_line_and_granted_by_prefix():
    error = permission_missing(
        SETTINGS, [Grant("Write", "topic", f"canvas.t{n}") for n in range(14)], doer="a worker"
    )
    assert str(error).endswith(
        "no Write on topics canvas.t0, canvas.t1, canvas.t2, canvas.t3, canvas.t4 and 9 more"
    )
    assert error.hint.endswith("--operation Write --topic canvas. --resource-pattern-type prefixed")


def test_topics_without_a_common_prefix_are_granted_one_by_one():
    grants = [Grant("Read", "topic", "somebody.else"), Grant("Read", "topic", "canvas.schemas")]
    hint = permission_missing(SETTINGS, grants, doer="a worker").hint
    assert "--operation Read --topic somebody.else" in hint
    assert "--operation Read --topic canvas.schemas" in hint
    assert "prefixed" not in hint
