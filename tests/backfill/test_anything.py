"""Whatever stands in a file: each row is counted once, what is sent the stream takes, and nothing raises."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.backfill.kinds import Kind
from tests.backfill.running import run
from tests.backfill.test_events import OUTCOME
from tests.backfill.test_events import RESULT as TABLE_RESULT

RESULT = {
    "id": "42",
    "score": 6,
    "possible": 10,
    "percent": 0.6,
    "mastery": True,
    "submitted_or_assessed_at": "2026-01-12T08:00:00Z",
    "links": {"user": "3", "user_uuid": "ann", "learning_outcome": "97", "assignment": "assignment_53"},
}
LEVEL = {"id": 1, "description": "Top", "points": 4, "mastery": True, "color": "127A1B"}
GOOD = {
    "title": "T",
    "ratings": [LEVEL],
    "points_possible": 5,
    "mastery_points": 3,
    "parent_outcome_group": {"id": 1},
    "outcome_results": [RESULT],
    "course_id": 565,
    "linked": {
        "outcomes": [{"id": 7, "title": "T", "mastery_points": 3}],
        "users": [{"id": 3, "uuid": "ann"}],
    },
    "outcome": {"id": 7, "title": "T", "mastery_points": 3, "context_type": None},
    "outcome_group": {"id": 7, "title": "T", "context_type": None},
    "kind": "user",
    "name": "Ann",
    "canvas_id": 3,
    "uuid": "ann",
    "parent_account_id": None,
    "rubric_id": 5,
    "outcome_proficiency_id": 4,
    "tag_type": "learning_outcome_association",
    "content_id": 7,
    "association_type": "RubricAssociation",
    **{name: LEVEL[name] for name in ("description", "points", "mastery", "color")},
    **{name: RESULT[name] for name in ("score", "possible", "percent")},
}
for table in (OUTCOME, TABLE_RESULT):
    GOOD |= table
COLUMNS = [*GOOD, "meta.action", "key", "value", "meta", "data"]
SCALARS = st.sampled_from(
    [
        *[
            None,
            "",
            "7",
            "565",
            "abc",
            "x:y",
            "__dap_unspecified__",
            "true",
            True,
            0,
            1,
            -1,
            565,
            2**63,
            10**40,
        ],
        *[1.5, 1e300, -0.0, "NaN", "1e999", "2026-01-12T08:00:00Z", "2026-01-12 08:00:00", "0000-00-00", "D"],
        *["learning_outcome_association", "Course", "Account", "RubricAssociation", "assignment_5", "user"],
        *['{"rubric_criterion": {"ratings": [1]}}', "{", "\u0000", "é" * 20, "21070000000000007"],
        *[{"rubric_criterion": {"mastery_points": 3, "ratings": None}}, {"outcomeProficiency": {"_id": 1}}],
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(COLUMNS), inner, max_size=6),
    max_leaves=12,
)
# A good row with some fields spoilt, so that what comes behind the first look is met, too.
SPOILT = st.dictionaries(st.sampled_from(COLUMNS), VALUES, max_size=4).map(lambda changes: GOOD | changes)
ROWS = st.lists(SPOILT, min_size=1, max_size=3)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("any") / "rows.jsonl"


@settings(max_examples=100)
@given(rows=ROWS, kind=st.sampled_from(Kind))
def test_every_row_is_counted(file, rows, kind):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    events, made = run(file, kind=kind, root_account="root", root_account_id="21070000000000001")
    tally = made.tally
    told = tally.used.total() + tally.sent.total() + tally.skipped.total() + tally.problems.total()
    assert tally.read.total() == told
    assert tally.sent.total() == len(events)
    if not kind.name.startswith("REST_"):
        assert told == len(rows)
