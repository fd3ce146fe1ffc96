"""Decoded event records, as `app.schemas.decoder` makes them; random ones meet each other often."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import Random

from hypothesis import strategies as st

from app.mastery.definition import (
    OutcomeDefinition,
    ProficiencyDefinition,
    read_outcome,
    read_proficiency,
    scales_in_force,
)
from app.mastery.resolve import Definition, resolve
from app.mastery.results import Results
from app.mastery.rollup import roll_up
from app.mastery.row import Row
from app.mastery.rules import AccountRules
from app.mastery.snapshot import RowKey, Unplaced, read_result

ACCOUNT, ROOT_ID = "account-uuid", "21070000000000001"
USUAL_RULES = AccountRules()
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def at(seconds):
    return START + timedelta(seconds=seconds)


def record(event_name, body, *, sent=0, event_id=None, account=ACCOUNT, root_account_id=ROOT_ID):
    """One event. Two of equal content have one event_id, as from byte-identical deliveries."""
    metadata = {
        "event_name": event_name,
        "event_time": at(sent),
        "root_account_uuid": account,
        "root_account_id": root_account_id,
    }
    content = {"metadata": metadata, "body": body}
    return {"event_id": event_id or sha256(repr(content).encode()).hexdigest()[:32], **content}


def result(*, updated=None, sent=0, event_id=None, account=ACCOUNT, root_account_id=ROOT_ID, **body):
    """A result event of the newest generation: created, or updated at so many seconds."""
    full = {
        "id": "1",
        "learning_outcome_id": "7",
        "user_uuid": "student",
        "result_context_id": "565",
        "result_context_type": "Course",
        "result_context_uuid": "course-565",
        "workflow_state": "active",
        "score": 3.0,
        "possible": 5.0,
        "percent": 0.6,
        "assessed_at": at(0),
        "artifact_id": "22",
        "artifact_type": "RubricAssessment",
        "associated_asset_id": "56",
        "associated_asset_type": "Assignment",
        "created_at": at(0),
        **body,
    }
    name = "learning_outcome_result_created"
    if updated is not None:
        name, full["updated_at"] = "learning_outcome_result_updated", at(updated)
    return record(name, full, sent=sent, event_id=event_id, account=account, root_account_id=root_account_id)


def outcome(method="highest", n=None, *, updated=None, sent=0, mastery=3.0, possible=5.0, ratings=(), **body):
    """An outcome event; `ratings` of (points, description)."""
    full = {
        "learning_outcome_id": "7",
        "title": "Writes clearly",
        "context_id": "565",
        "context_type": "Course",
        "context_uuid": "course-565",
        "workflow_state": "active",
        "calculation_method": method,
        "calculation_int": n,
        "rubric_criterion": {
            "mastery_points": mastery,
            "points_possible": possible,
            "ratings": [{"points": points, "description": text} for points, text in ratings],
        },
        **body,
    }
    name = "learning_outcome_created"
    if updated is not None:
        name, full["updated_at"] = "learning_outcome_updated", at(updated)
    return record(name, full, sent=sent)


def proficiency(*ratings, updated=None, sent=0, **body):
    """A proficiency event of the root account; `ratings` of (points, description, mastery)."""
    full = {
        "outcome_proficiency_id": "1",
        "context_type": "Account",
        "context_id": "1",
        "workflow_state": "active",
        "outcome_proficiency_ratings": [
            {"points": points, "description": text, "mastery": mastery, "workflow_state": "active"}
            for points, text, mastery in ratings
        ],
        **body,
    }
    name = "outcome_proficiency_created"
    if updated is not None:
        name, full["updated_at"] = "outcome_proficiency_updated", at(updated)
    return record(name, full, sent=sent)


# --- what the project makes of a history ---


def newest(definitions):
    """The latest version of each definition."""
    found = {}
    for definition in definitions:
        match definition:
            case OutcomeDefinition():
                key = definition.root_account_uuid, definition.learning_outcome_id
            case ProficiencyDefinition():
                key = definition.root_account_uuid, definition.outcome_proficiency_id
        if key not in found or found[key].version < definition.version:
            found[key] = definition
    return found


def results_of(history):
    """The results of each row, after every event of a history in its order."""
    found: dict[RowKey, Results] = {}
    for event in history:
        if "result" in event["metadata"]["event_name"]:
            read = read_result(event)
            if not isinstance(read, Unplaced):
                found.setdefault(read[0], Results()).apply(read[1])
    return found


def rows_of(history, rules=USUAL_RULES):
    """The rows that a history ends in."""
    outcomes = newest(read_outcome(event) for event in history if "calculation_method" in event["body"])
    scales = newest(
        read_proficiency(event) for event in history if "outcome_proficiency_ratings" in event["body"]
    )
    made: dict[RowKey, Row] = {}
    for key, results in results_of(history).items():
        in_force = scales_in_force(
            one for one in scales.values() if one.root_account_uuid == key.root_account_uuid
        )
        found = outcomes.get((key.root_account_uuid, key.learning_outcome_id))
        made[key] = roll_up(key, results, resolve(found, rules, in_force))
    return made


def only_row(history, rules=USUAL_RULES):
    (row,) = rows_of(history, rules).values()
    return row


def definition_of(event, rules=USUAL_RULES, *proficiencies) -> Definition:
    in_force = scales_in_force(read_proficiency(one) for one in proficiencies)
    return resolve(read_outcome(event) if event else None, rules, in_force)


# --- random histories ---

_WORKS = [
    ("RubricAssessment", "22", "Assignment", "56"),
    ("RubricAssessment", "22", None, None),
    ("RubricAssessment", "23", "Assignment", "57"),
    ("Quizzes::QuizSubmission", "31", "Quizzes::Quiz", "9"),
    ("Quizzes::QuizSubmission", "31", "Quizzes::Quiz", "21070000000000009"),
    ("Quizzes::QuizSubmission", "32", "Quizzes::Quiz", "10"),
    ("Quizzes::QuizSubmission", "33", None, None),
    (None, None, "Assignment", "56"),
    (None, None, None, None),
]
_IDS = ["1", "2", "3", "10", "11", "21070000000000002", "30000000000000002", None, None]
_METHODS = [
    "latest",
    "average",
    "n_mastery",
    "decaying_average",
    "weighted_average",
    "standard_decaying_average",
    "highest",
    None,
    "median",
]


def _seconds(random):
    return random.choice([0, 1, 2, 3, 4, 0.25, 1.5, 90.0])


def _points(random):
    return random.choice([random.randint(0, 24) / 4, random.uniform(-1, 8)])


def random_result(random):
    """A result event of any generation; some do not say whose."""
    artifact_type, artifact_id, asset_type, asset_id = random.choice(_WORKS)
    course = random.choice(["565", "565", "99", "21070000000000099", None])
    return result(
        updated=random.choice([None, _seconds(random)]),
        sent=_seconds(random),
        root_account_id=random.choice([ROOT_ID, ROOT_ID, None]),
        id=random.choice(_IDS),
        user_uuid=random.choice(["student", "student", "student", "other", None]),
        learning_outcome_id=random.choice(["7", "7", "7", "21070000000000007", "8"]),
        workflow_state=random.choice(["active", "active", "active", None, "deleted"]),
        score=random.choice([None, _points(random), _points(random)]),
        percent=random.choice([None, random.randint(0, 10) / 8, random.uniform(0, 1.5)]),
        possible=random.choice([None, 0.0, 1.0, 2.5, 5.0]),
        assessed_at=random.choice([None, at(_seconds(random)), at(_seconds(random))]),
        artifact_type=artifact_type,
        artifact_id=artifact_id,
        associated_asset_type=asset_type,
        associated_asset_id=asset_id,
        result_context_id=course,
        result_context_type=random.choice(["Course", "Course", None, "Account"]),
        result_context_uuid=random.choice([None, f"course-{(course or '')[-2:]}"]),
    )


def random_outcome(random):
    """An outcome event, more often than not with something wrong."""
    points = [None, 0.0, -1.0, 2.0, 3.0, 4.0, 5.0]
    levels = random.choices([None, 0.0, 1.0, 2.0, 3.0, 5.0], k=random.randint(0, 3))
    return outcome(
        random.choice(_METHODS),
        random.choice([None, None, 1, 2, 65, 50, 35, 99, 100, 0]),
        updated=random.choice([None, _seconds(random)]),
        sent=_seconds(random),
        mastery=random.choice([3.0, random.choice(points)]),
        possible=random.choice([5.0, random.choice(points)]),
        ratings=[(level, random.choice(["high", "low", None])) for level in levels],
        learning_outcome_id=random.choice(["7", "7", "21070000000000007", "8"]),
        title=random.choice(["Writes clearly", "Reads well"]),
    )


def random_proficiency(random):
    """A proficiency event of the root account, one below it, or a course."""
    context = random.choice([("Account", "1"), ("Account", "5"), ("Course", "565"), ("Course", "99")])
    levels = random.choices([0.0, 1.0, 2.0, 4.0], k=random.randint(0, 3))
    return proficiency(
        *[(level, random.choice(["top", "base"]), random.choice([True, False])) for level in levels],
        updated=random.choice([None, _seconds(random)]),
        sent=_seconds(random),
        outcome_proficiency_id=random.choice(["1", "2", "3"]),
        context_type=context[0],
        context_id=context[1],
        workflow_state=random.choice(["active", "active", "deleted"]),
    )


def _events(make, most):
    # One number for each event is ten times as fast as drawing each field. Examples still shrink by events.
    return st.lists(st.integers(0, 2**32).map(lambda seed: make(Random(seed))), max_size=most)


HISTORIES = st.tuples(
    _events(random_result, 9), _events(random_outcome, 2), _events(random_proficiency, 3)
).map(lambda parts: [event for part in parts for event in part])
