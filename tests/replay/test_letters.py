import pytest

from tests.replay.letters import letter


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (
            b'{"metadata": {"event_name": "outcomes.retry_outcome_alignment_clone"}}',
            "outcomes.retry_outcome_alignment_clone",
        ),
        (b'{"attributes": {"event_name": "rubric_assessed"}}', "rubric_assessed"),
        (b'{"metadata": {"event_name": "Anne Smith <anne@example.org>"}}', None),
        (b'{"metadata": {"event_name": "\\u001b[31m"}}', None),
        (b'{"metadata": {"event_name": ""}}', None),
        (b'{"metadata": {"event_name": 7}}', None),
        (b'{"metadata": []}', None),
        (b"[]", None),
        (b"\xff", None),
        (None, None),
    ],
)
def test_the_event_of_a_broken_record_is_shown_only_if_it_can_be_one(value, name):
    assert letter(value=value).event_name == name


def test_a_record_that_no_worker_wrote_keeps_all_its_headers():
    foreign = letter(headers=[("mastery.error.kind", b"not-json")])
    assert (foreign.kind, foreign.why, foreign.replays) == ("unknown", None, 0)
    assert foreign.original_headers == (("mastery.error.kind", b"not-json"),)
