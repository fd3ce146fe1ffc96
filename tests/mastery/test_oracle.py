"""Random histories, methods, scales and rules: the rows are those of an independent, slow reading."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.mastery.rules import AccountRules, UnknownDefinition
from tests.mastery import oracle
from tests.mastery.events import HISTORIES, results_of, rows_of

RULES = st.builds(
    AccountRules,
    new_decaying_average=st.booleans(),
    account_level_scales=st.booleans(),
    unknown_definition=st.sampled_from(UnknownDefinition),
)


def expected_rows(history, rules):
    return oracle.rows(
        history,
        decaying_flag=rules.new_decaying_average,
        scales_flag=rules.account_level_scales,
        default_for_unknown=rules.unknown_definition is UnknownDefinition.CANVAS_DEFAULT,
    )


def told(row):
    """A row as the oracle tells it: without the key, and without the hash, which only the project knows."""
    fields = msgspec.to_builtins(row)
    for name in ("root_account_uuid", "user_uuid", "learning_outcome_id", "definition_version"):
        del fields[name]
    names = [field.name for field in msgspec.structs.fields(type(row.courses[0]))] if row.courses else []
    fields["courses"] = [dict(zip(names, msgspec.structs.astuple(one), strict=True)) for one in row.courses]
    return fields


@settings(max_examples=300, deadline=None)
@given(HISTORIES, RULES)
def test_rows_are_those_of_the_oracle(history, rules):
    rows = {tuple(key): told(row) for key, row in rows_of(history, rules).items()}
    assert rows == expected_rows(history, rules)


@settings(max_examples=150, deadline=None)
@given(HISTORIES, RULES, st.data())
def test_any_order_with_any_repetition_gives_the_same_state(history, rules, data):
    again = data.draw(st.lists(st.sampled_from(history), max_size=6)) if history else []
    other = data.draw(st.permutations(history + again))
    assert results_of(other) == results_of(history)
    assert rows_of(other, rules) == rows_of(history, rules)
