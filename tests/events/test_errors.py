"""Refusals say what and where, and never a value."""

import pytest

from app.errors import MasteryError
from app.events.errors import ErrorKind, EventIgnored, EventRefused


def test_a_refusal_names_kind_and_place() -> None:
    refused = EventRefused(ErrorKind.WRONG_TYPE, "body.score")
    assert (refused.kind, refused.path) == ("wrong-type", "body.score")
    assert str(refused) == "wrong-type at body.score"
    assert isinstance(refused, MasteryError)


def test_a_refusal_of_the_whole_names_the_kind() -> None:
    assert str(EventRefused(ErrorKind.NOT_JSON)) == "not-json"


def test_ignoring_is_no_error() -> None:
    assert not issubclass(EventIgnored, MasteryError)
    assert EventIgnored("logged_in").event_name == "logged_in"


@pytest.mark.parametrize("kind", ErrorKind)
def test_kinds_are_fit_for_a_header_and_a_metric(kind: ErrorKind) -> None:
    assert kind.value.replace("-", "").isalnum()
    assert kind.value == kind.value.lower()
