"""The field reference is up to date and leaves nothing out."""

import re

from markdown_it import MarkdownIt

from app.schemas.contract import contract_root, load_contract
from app.schemas.reference import TOPIC_PREFIX, render
from app.settings import Settings

CONTRACT = load_contract()
PAGE = render(CONTRACT)


def test_the_page_is_up_to_date() -> None:
    written = (contract_root() / "docs" / "topics.md").read_text(encoding="utf-8")
    assert written == PAGE, "out of date; run: .venv/bin/python -m app.schemas.reference > docs/topics.md"


def test_topics_are_named_with_the_default_prefix() -> None:
    assert Settings.model_fields["topic_prefix"].default == TOPIC_PREFIX


def section(name: str) -> str:
    return PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]


def test_every_event_has_its_topic_record_and_key() -> None:
    for event in CONTRACT.events.values():
        text = section(event.event_name)
        assert f"* topic: `canvas.{event.event_name}`" in text
        assert f"* record: `mastery_stream.canvas.{event.record_name}`" in text
        for template in event.schema["mastery.key"]:
            assert f"`{template}`" in text


def test_rows_of_all_kinds() -> None:
    rows = section("learning_outcome_created").splitlines()
    assert [row.split(" | ")[:4] for row in rows if "rubric_criterion" in row] == [
        ["| `body.rubric_criterion`", "OutcomeRubricCriterion", "", ""],
        ["| `body.rubric_criterion.description`", "string", "yes", ""],
        ["| `body.rubric_criterion.mastery_points`", "double", "yes", ""],
        ["| `body.rubric_criterion.points_possible`", "double", "yes", ""],
        ["| `body.rubric_criterion.ratings`", "array of OutcomeRating", "yes", ""],
        ["| `body.rubric_criterion.ratings[].description`", "string", "yes", ""],
        ["| `body.rubric_criterion.ratings[].points`", "double", "yes", ""],
        ["| `body.rubric_criterion.ratings[].mastery`", "boolean", "yes", ""],
        ["| `body.rubric_criterion.ratings[].color`", "string", "yes", ""],
    ]
    (title,) = (row for row in section("learning_outcome_result_created").splitlines() if "body.title" in row)
    assert title.split(" | ")[1:4] == ["string", "yes", "yes"]
    (time,) = (row for row in section("In every event").splitlines() if "event_time" in row)
    assert time.split(" | ")[1:4] == ["timestamp-millis", "", ""]


def test_docs_are_shown_as_they_are_written() -> None:
    """Whatever a doc holds is text: rendered, the page says the very words of the contract."""
    html = MarkdownIt("commonmark").enable("table").render(PAGE)
    text = re.sub(r"<[^>]*>", "", html)
    for event in CONTRACT.events.values():
        for field in (
            event.schema["fields"][2]["type"]["fields"] + event.schema["fields"][1]["type"]["fields"]
        ):
            doc = field["doc"].replace(">", "&gt;").replace("<", "&lt;").replace('"', "&quot;")
            assert doc in text, field["name"]


def test_links_lead_somewhere() -> None:
    anchors = {heading.replace(".", "") for heading in re.findall(r"^## (.*)$", PAGE, re.MULTILINE)}
    links = re.findall(r"\(#(.*?)\)", PAGE)
    assert len(links) == len(CONTRACT.events)
    assert set(links) <= anchors
