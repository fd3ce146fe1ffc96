"""The page of the topics is up to date, leaves nothing out, and says what the code does."""

import json
import re
from hashlib import sha256

import pytest
from markdown_it import MarkdownIt

from app.deadletter import parse_headers
from app.embedded.samples import sample_events
from app.reference.examples import laid_out
from app.reference.topics import render
from app.schemas.contract import contract_root, load_contract
from app.settings import Settings
from app.topics import load_catalogue

CONTRACT = load_contract()
PAGE = render()
HTML = MarkdownIt("commonmark").enable("table").render(PAGE)
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL)]


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_page_is_up_to_date():
    written = (contract_root() / "docs" / "topics.md").read_text(encoding="utf-8")
    assert written == PAGE, "out of date; run: .venv/bin/python -m app.reference.topics > docs/topics.md"


def test_no_setting_changes_the_page(monkeypatch):
    monkeypatch.setenv("MASTERY_TOPIC_PREFIX", "other.")
    monkeypatch.setenv("MASTERY_PARTITIONS", "3")
    assert render() == PAGE


def test_every_topic_is_there():
    for name in load_catalogue(Settings()).topics:
        assert f"`{name}`" in PAGE


def test_every_event_has_its_record_key_and_subject():
    for event in CONTRACT.events.values():
        assert f"| `canvas.{event.name}` | `mastery_stream.canvas.{event.record_name}` |" in PAGE
        assert f"`canvas.{event.name}-value`" in PAGE
        for template in event.schema["mastery.key"]:
            assert f"`{template}`" in PAGE


def test_retention_and_partitions():
    assert "* 12 partitions (a number that never changes), kept for ever\n" in section("Results")
    assert "* 12 partitions, kept for ever\n" in section("Learning outcomes")
    assert "* 12 partitions, kept for 400 days\n" in section("Rubric assessments")
    assert "| 1 partition, compacted: the last record of each key stays |" in section("Other topics")


def test_every_event_has_an_example_that_is_one_of_canvas():
    samples = {sha256(sample.raw).digest()[:16].hex(): sample.event_name for sample in sample_events()}
    events = [example["value"] for example in EXAMPLES if "event_id" in example["value"]]
    shown = {event["event_id"]: event["metadata"]["event_name"] for event in events}
    assert shown.items() <= samples.items()
    assert sorted(shown.values()) == sorted(CONTRACT.events)


def test_derived_topics_have_key_subject_and_an_example_of_their_schema():
    derived = [example for example in EXAMPLES if "event_id" not in example["value"]]
    for schema, example in zip(CONTRACT.derived.values(), derived, strict=True):
        assert f"* subject: `canvas.{schema.name}-value`" in section("Mastery")
        (template,) = schema.schema["mastery.key"]
        assert f"* key: `{template}`" in section("Mastery")
        assert example["key"] == template.format(**example["value"])
        assert list(example["value"]) == [field["name"] for field in schema.schema["fields"]]


def test_rows_of_all_kinds():
    rows = section("Learning outcomes").splitlines()
    assert [row.split(" | ")[:3] for row in rows if "| `body.rubric_criterion" in row] == [
        ["| `body.rubric_criterion`", "OutcomeRubricCriterion", ""],
        ["| `body.rubric_criterion.description`", "string", "yes"],
        ["| `body.rubric_criterion.mastery_points`", "double", "yes"],
        ["| `body.rubric_criterion.points_possible`", "double", "yes"],
        ["| `body.rubric_criterion.ratings`", "array of OutcomeRating", "yes"],
        ["| `body.rubric_criterion.ratings[].description`", "string", "yes"],
        ["| `body.rubric_criterion.ratings[].points`", "double", "yes"],
        ["| `body.rubric_criterion.ratings[].mastery`", "boolean", "yes"],
        ["| `body.rubric_criterion.ratings[].color`", "string", "yes"],
    ]
    (updated,) = (row for row in rows if "| `body.updated_at`" in row)
    assert "*Only in `updated`.*" in updated
    (title,) = (row for row in section("Results").splitlines() if "| `body.title`" in row)
    assert "*Personal.*" in title
    (time,) = (row for row in section("In every record").splitlines() if "event_time" in row)
    assert time.split(" | ")[1:3] == ["timestamp-millis", ""]


def test_docs_are_shown_as_they_are_written():
    """Whatever a doc holds is text: rendered, the page says the very words of the contract."""
    text = re.sub(r"<[^>]*>", "", HTML)
    for event in CONTRACT.events.values():
        for field in (
            event.schema["fields"][2]["type"]["fields"] + event.schema["fields"][1]["type"]["fields"]
        ):
            doc = field["doc"].replace(">", "&gt;").replace("<", "&lt;").replace('"', "&quot;")
            assert doc in text, field["name"]


def test_links_lead_somewhere():
    anchors = {heading.lower().replace(" ", "-") for heading in re.findall(r"^##+ (.*)$", PAGE, re.MULTILINE)}
    links = re.findall(r"\(#(.*?)\)", PAGE)
    assert len(links) >= len(CONTRACT.events)
    assert set(links) <= anchors
    for path in re.findall(r"\]\((\.\./[^)#]*)\)", PAGE):
        assert (contract_root() / "docs" / path).exists(), path


def test_the_example_of_a_dead_letter_is_one():
    headers = re.findall(
        r"^\| `((?:__|mastery)[^`]*)` \| `([^`]*)` \|$", section("Dead letters"), re.MULTILINE
    )
    shown = parse_headers([(name, value.encode()) for name, value in headers])
    assert shown is not None
    assert (shown.topic, shown.kind) == ("canvas.live-events", "invalid-time")
    assert shown.message == "invalid-time at metadata.event_time"


@pytest.mark.parametrize(
    "value", [None, [], {}, {"a": {}}, {"a": [{"b": "x" * 80, "c": ["y" * 60, "z" * 60]}] * 2}, 'ü\n"']
)
def test_what_is_laid_out_is_the_same_json(value):
    assert json.loads(laid_out(value)) == value
