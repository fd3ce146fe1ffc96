import json
import os

import pytest

from app.backfill.errors import BackfillError
from app.backfill.kinds import Kind, Pass, recognise
from app.backfill.plan import export_files, steps
from tests.backfill.school import School, made_school


@pytest.fixture(scope="module")
def school():
    deliveries = made_school(2, 600, accounts=1)
    return School(deliveries, deliveries[0][1].root)


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet", "csv.gz"])
def test_tables_are_recognised_by_their_fields(school, tmp_path, form):
    school.write_tables(tmp_path, form)
    found = {file.path.name: file.kind for file in export_files([tmp_path])}
    assert found == {f"{name}.{form}": Kind(name) for name in school.tables()}


def test_answers_are_recognised_by_their_fields(school, tmp_path):
    school.write_rest(tmp_path)
    kinds = {file.path.stem.partition("_")[0]: file.kind for file in export_files([tmp_path])}
    assert kinds == {
        "outcomes": Kind.REST_OUTCOMES,
        "outcome": Kind.REST_GROUPS,
        "users": Kind.USERS,
        "account": Kind.ACCOUNTS,
        "courses": Kind.COURSES,
        "scale": Kind.REST_PROFICIENCY,
        "results": Kind.REST_RESULTS,
    }


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ("url context_id context_type outcome_group outcome assessed", Kind.REST_LINKS),
        ("id title vendor_guid url subgroups_url outcomes_url can_edit", Kind.REST_GROUPS),
        ("id title context_type has_updateable_rubrics can_edit url", Kind.REST_OUTCOMES),
        ("ratings", Kind.REST_PROFICIENCY),
        ("ratings id context_type context_id", Kind.REST_PROFICIENCY),
        ("kind id name canvas_id", Kind.ROSTER),
        ("id uuid", Kind.USERS),
        ("id rubric_id association_id association_type purpose", Kind.RUBRIC_ASSOCIATIONS),
        ("id context_id context_type workflow_state created_at updated_at", Kind.PROFICIENCIES),
        ("id context_id context_type workflow_state created_at updated_at title", None),
        ("id data version", None),
        ("metadata body", None),
    ],
)
def test_the_alike_are_told_apart(fields, kind):
    assert recognise(fields.split()) is kind


def test_definitions_come_before_results_and_what_is_looked_up_before_both(tmp_path):
    (tmp_path / "b.json").write_text(json.dumps({"outcome_results": []}))
    (tmp_path / "a.csv").write_text("id,learning_outcome_id,user_id,score\n1,2,3,4\n")
    (tmp_path / "z.csv").write_text("id,uuid\n1,u\n")
    (tmp_path / "y.csv").write_text("id,short_description\n1,u\n")
    (tmp_path / "empty.json").write_text("[]")
    (tmp_path / ".hidden").write_text("?")
    files = export_files([tmp_path, tmp_path / "a.csv"])
    assert len(files) == 5
    order = [(step.when, step.path.name) for step in steps(files)]
    assert order == [
        (Pass.LOOKUPS, "z.csv"),
        (Pass.LOOKUPS, "y.csv"),
        (Pass.LOOKUPS, "b.json"),
        (Pass.DEFINITIONS, "y.csv"),
        (Pass.DEFINITIONS, "b.json"),
        (Pass.RESULTS, "a.csv"),
        (Pass.RESULTS, "b.json"),
    ]


def test_what_is_not_known_is_refused_before_anything_is_sent(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BackfillError) as caught:
        export_files([tmp_path])
    assert "--kind" in caught.value.hint
    assert export_files([tmp_path], Kind.USERS)[0].kind is Kind.USERS
    assert export_files([tmp_path / "x.csv"], Kind.USERS, without=[tmp_path / "other"])
    with pytest.raises(BackfillError, match="no file"):
        export_files([tmp_path], without=[tmp_path / "x.csv"])


def test_roll_ups_are_for_another_command(tmp_path):
    (tmp_path / "x.json").write_text('{"rollups": []}')
    with pytest.raises(BackfillError) as caught:
        export_files([tmp_path])
    assert caught.value.hint == "see `mastery compare`"


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BackfillError, match="is no file"):
        export_files([tmp_path / "pipe"])
