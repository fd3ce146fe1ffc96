"""Names that are not ours."""

from app.events.names import DOCUMENTED_EVENTS
from app.schemas.contract import load_contract


def test_events_of_the_contract_are_not_among_the_others() -> None:
    assert not DOCUMENTED_EVENTS & load_contract().events.keys()


def test_the_usual_traffic_of_a_subscription_is_known() -> None:
    usual = {"asset_accessed", "logged_in", "submission_created", "grade_change", "enrollment_updated"}
    assert usual <= DOCUMENTED_EVENTS
