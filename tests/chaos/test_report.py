"""The parts of docs/reliability.md that follow from the scenarios and their runs."""

from typing import Any

import pytest

from tests.chaos.report import Scenario, merged, rewritten, scenario_text, scenarios, table
from tests.chaos.scenario import scenario
from tests.support.worker import CHECKOUT

DOCUMENT = CHECKOUT / "docs" / "reliability.md"


def run(*, passed: bool = True, **figures: Any) -> dict[str, Any]:
    return {"scenario": "kill-random", "passed": passed, "figures": figures}


def test_the_document_tells_every_scenario() -> None:
    text = DOCUMENT.read_text()
    assert rewritten(text, {}) == text, "run python -m tests.chaos.report --write docs/reliability.md"


def test_names_are_words_and_belong_to_one_file_at_least() -> None:
    found = scenarios()
    assert len(found) > 20
    assert all(one.name.replace("-", "").isalnum() and one.name.islower() for one in found)
    assert any(one.ci for one in found)


def test_two_tests_under_one_name_and_one_without_words_are_refused() -> None:
    @scenario("twice")
    def first() -> None:
        """What is done."""

    @scenario("silent")
    def silent() -> None:
        pass

    assert merged("twice", [first]) == Scenario(
        "twice", ci=False, text="What is done.", about=(__doc__ or "").strip()
    )
    with pytest.raises(ValueError, match="two tests are the scenario twice"):
        merged("twice", [first, first])
    with pytest.raises(ValueError, match="silent has no docstring"):
        merged("silent", [silent])


def test_a_row_sums_up_the_runs() -> None:
    runs = [
        run(fed=1_000, lost=0, duplicates=0, wrong=0, kills=20, seconds_to_ready=[1.0, 3.0], own_exits=0),
        run(fed=500, lost=1, duplicates=2, wrong=4, kills=20, seconds_to_ready=[2.0], passed=False, grown=7),
    ]
    *_, row = table({"kill-random": runs}).splitlines()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        "kill-random",
        "2 (1 failed)",
        "",
        "40",
        "1,500",
        "",
        "1",
        "2",
        "1",
        "2.0 / 3.0",
        "",
        "grown 7",
    ]


def test_a_scenario_without_a_run_keeps_its_row() -> None:
    before = table({"kill-random": [run(fed=1)], "hang": [run(fed=2)]})
    after = table({"hang": [run(fed=3)]}, before)
    assert after.splitlines()[-1] == before.splitlines()[-1]
    assert "| 3 |" in after.splitlines()[-2]


def test_a_document_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="marks of scenarios"):
        rewritten("no marks", {})


def test_scenarios_stand_below_what_their_module_is_about() -> None:
    found = [
        Scenario("hang", ci=False, text="It hangs.\n\n    All  is well.", about="Workers that hang."),
        Scenario("zombie", ci=True, text="It wakes up.", about="Workers that hang."),
        Scenario("broker-kill", ci=False, text="It dies.", about="The broker dies."),
    ]
    assert scenario_text(found).splitlines() == [
        "Workers that hang.",
        "",
        "* **hang**: It hangs. All is well.",
        "* **zombie** (CI): It wakes up.",
        "",
        "The broker dies.",
        "",
        "* **broker-kill**: It dies.",
    ]
