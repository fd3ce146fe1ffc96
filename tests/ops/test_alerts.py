"""The alerts ask for what workers export, and each one has its place in docs/operating.md."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.metrics import asked_for, exported

CHECKOUT = Path(__file__).parents[2]
FOLDER = CHECKOUT / "ops" / "prometheus"
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
METRICS = exported()
ANCHORS = {
    re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
    for heading in re.findall(r"^#+ (.*)$", (CHECKOUT / "docs" / "operating.md").read_text(), re.MULTILINE)
}


def labels_of(expression: str) -> set[str]:
    """Labels that a recorded metric has."""
    found = re.match(r"(?:sum|max) by \(([^)]*)\)", expression)
    assert found is not None, expression
    return {label.strip() for label in found[1].split(",")}


KNOWN = METRICS | {name: labels_of(expression) for name, expression in RECORDED.items()}


@pytest.mark.parametrize("rule", RULES, ids=[rule.get("alert") or rule["record"] for rule in RULES])
def test_every_metric_and_label_is_exported(rule):
    metrics, grouped = asked_for(rule["expr"])
    assert metrics, "no metric of the project at all"
    assert metrics.keys() <= KNOWN.keys()
    for name, labels in metrics.items():
        assert labels <= KNOWN[name], name
    assert grouped <= set().union(*(KNOWN[name] for name in metrics))


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_what_it_is_and_what_to_do(name):
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in {"warning", "critical"}
    assert {"summary", "description", "runbook_url"} == alert["annotations"].keys()
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert (page, anchor) == ("docs/operating.md", name.lower())
    assert anchor in ANCHORS


def test_labels_in_texts_are_those_of_the_alert():
    for alert in ALERTS.values():
        _, grouped = asked_for(alert["expr"])
        metrics, _ = asked_for(alert["expr"])
        there = grouped.union(*(KNOWN[name] for name in metrics))
        for text in alert["annotations"].values():
            assert set(re.findall(r"\$labels\.(\w+)", text)) <= there


def test_each_alert_has_a_unit_test():
    tested = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*_test.yml"))
    for name in ALERTS:
        assert name in tested


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool (part of Prometheus)")
def test_promtool_takes_the_rules_and_they_fire_when_they_should():
    for arguments in (
        ("check", "rules", "alerts.yml"),
        ("test", "rules", *sorted(path.name for path in FOLDER.glob("*_test.yml"))),
    ):
        run = subprocess.run(
            ["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=100, check=False
        )
        assert run.returncode == 0, run.stdout + run.stderr
