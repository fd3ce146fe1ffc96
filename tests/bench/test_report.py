import json

from bench.report import main, tables


def figures(rate, cpu):
    return {
        "events_per_second": rate,
        "cpu_per_100k": cpu,
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
    "command": "python -m bench.fanout",
    "at": "2026-01-02T03:04:05+00:00",
    "commit": "abc",
    "machine": {"cores": 2, "cpu": "x", "memory_gb": 8, "python": "3.11"},
    "kafka": "Kafka",
    "events": 1000,
    "broken": 500,
    "partitions": 4,
    "contenders": [
        {"name": name, "title": name.title(), "promise": "p", "versions": {"v": "1"}}
        for name in ("mastery", "peer")
    ],
    "runs": [
        run("fan-out", 1, "mastery", 100.0),
        run("fan-out", 1, "peer", 50.0, 8.0),
        run("fan-out", 2, "mastery", 300.0),
        run("fan-out", 2, "peer", 100.0, 4.0),
        run("fan-out", 3, "mastery", 900.0),
        run("fan-out", 3, "peer", None),
        run("good", 1, "mastery", 300.0),
        run("broken", 1, "mastery", 200.0),
    ],
}


def test_ratios_are_taken_within_a_round_and_void_runs_left_out():
    text = tables(RESULT)
    peer = next(line for line in text.splitlines() if line.startswith("| Peer"))
    assert "2.00 / **2.50** / 3.00" in peer  # faster, round by round
    assert "0.25 / **0.38** / 0.50" in peer  # share of its processor
    assert "Void runs: fan-out round 3 peer." in text
    assert "1.50 / **1.50** / 1.50" in text  # broken over good


def test_the_page_keeps_what_is_outside_the_marks(tmp_path):
    (tmp_path / "r.json").write_text(json.dumps(RESULT))
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nafter\n")
    assert main([str(tmp_path / "r.json"), "--write", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("before\n<!-- figures: begin -->\n`python")
    assert text.endswith("<!-- figures: end -->\nafter\n")
    assert "old" not in text
