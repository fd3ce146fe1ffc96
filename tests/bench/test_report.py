import json
import xml.etree.ElementTree as ET

import pytest

from bench.goals import goals_table
from bench.profile import part_of
from bench.report import filled, plots, read_results
from bench.svg import flame
from bench.tables import RENDERERS


def figures(rate, cpu):
    return {
        "events_per_second": rate,
        "cpu_per_100k": cpu,
        "warm_events_per_second": 2 * rate,
        "warm_cpu_per_100k": cpu / 2,
        "peak_rss_mb": 100.0,
        "broker_cpu_per_100k": None,
    }


def run(workload, number, contender, rate, cpu=2.0):
    done = figures(rate, cpu) if rate else None
    return {
        "workload": workload,
        "round": number,
        "contender": contender,
        "figures": done,
        "void": None if done else "lost one",
    }


RESULT = {
    "workload": "fanout",
    "command": "python -m bench",
    "at": "2026-01-02T03:04:05+00:00",
    "commit": "abc",
    "machine": {"cores": 2, "cpu": "x", "memory_gb": 8, "python": "3.11", "load_before": 0.1},
    "kafka": "Kafka",
    "sizes": {"events": 1000, "broken": 500, "partitions": 4, "rounds": 3},
    "contenders": [
        {"name": name, "title": title, "promise": "p", "share": 1.0, "versions": {"v": "1"}}
        for name, title in (("mastery", "Ours"), ("quix", "Peer"))
    ],
    "runs": [
        run("fan-out", 1, "mastery", 100.0),
        run("fan-out", 1, "quix", 50.0, 8.0),
        run("fan-out", 2, "mastery", 300.0),
        run("fan-out", 2, "quix", 100.0, 4.0),
        run("fan-out", 3, "mastery", 900.0),
        run("fan-out", 3, "quix", None),
        run("good", 1, "mastery", 300.0),
        run("broken", 1, "mastery", 200.0),
    ],
}
SECTIONS = ["goals", "model", *RENDERERS]
PAGE = "".join(["before\n", *(f"<!-- {n}: begin -->\nold\n<!-- {n}: end -->\n" for n in SECTIONS), "after\n"])


def test_ratios_are_taken_within_a_round_and_void_runs_left_out():
    text = RENDERERS["fanout"][0](RESULT)
    peer = next(line for line in text.splitlines() if line.startswith("| Peer"))
    assert "2.00 / **2.50** / 3.00" in peer  # faster, round by round
    assert "0.25 / **0.38** / 0.50" in peer  # share of its processor
    assert "Void runs: fan-out round 3 quix." in text
    assert "1.50 / **1.50** / 1.50" in text  # broken over good


def test_the_page_keeps_what_is_outside_the_marks():
    text = filled(PAGE, {"fanout": RESULT})
    assert text.startswith("before\n<!-- goals: begin -->\n| goal")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert text.count("Not measured yet.") == len(SECTIONS) - 2
    assert filled(text, {"fanout": RESULT}) == text


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="goals: begin"):
        filled("a page", {})


def test_goals_are_judged_by_the_median_of_the_pairs_and_what_was_not_measured_says_so():
    rows = {line.split("|")[1].strip(): line for line in goals_table({"fanout": RESULT}).splitlines()}
    assert "2.50 times | **not reached**: 71% of it" in rows["fan-out: 3.5 times Quix Streams"]
    assert "not measured" in rows["fan-out: 20 times plain Faust"]
    assert "not measured" in rows["restore: 100,000 rows/s before indexes"]


def test_plots_are_well_formed_and_always_the_same():
    one, two = plots({"fanout": RESULT}), plots({"fanout": RESULT})
    assert one == two
    (text,) = one.values()
    assert "Ours" in "".join(ET.fromstring(text).itertext())


def test_short_runs_are_not_published(tmp_path):
    (tmp_path / "fanout.local.json").write_text(json.dumps(RESULT))
    assert read_results(tmp_path) == {}
    (tmp_path / "fanout.json").write_text(json.dumps(RESULT))
    assert read_results(tmp_path) == {"fanout": RESULT}


def test_a_flame_graph_is_as_wide_as_its_samples():
    text = flame("Flames", {"a (app/x.py);b (app/y.py)": 3, "a (app/x.py)": 1, "c (y.py)": 4})
    widths = {
        group.find("{*}title").text.partition(" (")[0]: float(group.find("{*}rect").get("width"))
        for group in ET.fromstring(text).iter("{http://www.w3.org/2000/svg}g")
    }
    assert widths["a"] == pytest.approx(widths["c"], abs=1)
    assert widths["b"] == pytest.approx(0.75 * widths["a"], abs=1)


def test_a_sample_counts_for_the_part_of_its_innermost_known_function():
    stack = [
        "run (asyncio/runners.py)",
        "__call__ (app/agents/mastery.py)",
        "roll_up (app/mastery/rollup.py)",
    ]
    assert part_of(stack) == "roll-up"
    assert part_of([*stack, "fsum (math)"]) == "roll-up"
    assert part_of(["x (y.py)"]) == "other"
