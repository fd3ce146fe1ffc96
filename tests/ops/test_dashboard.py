"""The Grafana dashboard can be imported and asks for what workers export."""

import itertools
import json
from pathlib import Path

import pytest

from tests.support.metrics import asked_for, exported

DASHBOARD = json.loads(
    (Path(__file__).parents[2] / "ops" / "grafana" / "mastery-stream.json").read_text(encoding="utf-8")
)
PANELS = DASHBOARD["panels"]
SHOWING = [panel for panel in PANELS if panel["type"] != "row"]
METRICS = exported()
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
EXPRESSIONS = [
    *(target["expr"] for panel in SHOWING for target in panel["targets"]),
    *(note["expr"] for note in DASHBOARD["annotations"]["list"]),
]


def test_it_brings_no_id_and_no_data_source_of_somebody_elses_grafana():
    assert "id" not in DASHBOARD
    assert DASHBOARD["uid"] == "mastery-stream"
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    using = [*SHOWING, *(target for panel in SHOWING for target in panel["targets"])]
    using += [variable for variable in variables.values() if variable["type"] == "query"]
    assert [one["title"] for one in using if one.get("datasource") != SOURCE and "title" in one] == []
    assert all(one["datasource"] == SOURCE for one in using)


def test_panels_have_ids_titles_and_room_of_their_own():
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    taken: dict[tuple[int, int], str] = {}
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for cell in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        ):
            assert taken.setdefault(cell, panel["title"]) == panel["title"]
    # No holes: every line is filled from left to right.
    assert len(taken) == 24 * (max(y for _, y in taken) + 1)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_and_label_is_exported(expression):
    metrics, grouped = asked_for(expression)
    assert metrics
    assert metrics.keys() <= METRICS.keys()
    for name, labels in metrics.items():
        assert "job" in labels, "one Grafana may show several installations"
        assert labels <= METRICS[name]
        assert grouped <= METRICS[name]


def test_legends_name_labels_that_the_result_has():
    for panel in SHOWING:
        for target in panel["targets"]:
            metrics, grouped = asked_for(target["expr"])
            there = grouped or set().union(*(METRICS[name] for name in metrics))
            named = {part.split("}}")[0] for part in target["legendFormat"].split("{{")[1:]}
            assert named <= there, panel["title"]


def test_everything_that_workers_export_is_shown_but_what_others_are_made_of():
    shown = set().union(*(asked_for(expression)[0] for expression in EXPRESSIONS))
    assert METRICS.keys() - shown <= {
        "mastery_group_generation",
        "mastery_partition_committed_offset",
        "mastery_partition_end_offset",
        "mastery_partition_read_offset",
        "mastery_phase",
        "process_max_fds",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
    }
