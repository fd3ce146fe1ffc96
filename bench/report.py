"""Tables from a result file of bench/fanout.py, for people.

python -m bench.report RESULT.json                                  print them
python -m bench.report RESULT.json --write docs/performance.md      put them between the marks in that page
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["main", "tables"]

_OURS = "mastery"

Figures = dict[str, Any]


def _spread(values: list[float], form: str) -> str:
    """`min / **median** / max`."""
    low, middle, high = (format(v, form) for v in (min(values), median(values), max(values)))
    return f"{low} / **{middle}** / {high}"


def _by_round(result: dict[str, Any], workload: str, contender: str) -> dict[int, Figures]:
    return {
        run["round"]: run["figures"]
        for run in result["runs"]
        if run["workload"] == workload and run["contender"] == contender and run["figures"]
    }


def _pairs(
    ours: dict[int, Figures], theirs: dict[int, Figures], ratio: Callable[[Figures, Figures], float]
) -> str:
    """The ratio in each round in which both runs count."""
    rounds = sorted(ours.keys() & theirs.keys())
    return _spread([ratio(ours[number], theirs[number]) for number in rounds], ".2f") if rounds else "-"


def _comparison(result: dict[str, Any], workload: str) -> list[str]:
    ours = _by_round(result, workload, _OURS)
    head = ["", "promise", "events/s", "CPU s per 100k", "peak RSS, MB", "broker's CPU s per 100k"]
    head += ["ours is faster by", "ours takes of its CPU"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for contender in result["contenders"]:
        runs = _by_round(result, workload, contender["name"])
        if not runs:
            lines.append(f"| {contender['title']} | {contender['promise']} | void | | | | | |")
            continue
        broker = [f["broker_cpu_per_100k"] for f in runs.values() if f["broker_cpu_per_100k"] is not None]
        cells = [
            contender["title"],
            contender["promise"],
            _spread([f["events_per_second"] for f in runs.values()], ",.0f"),
            _spread([f["cpu_per_100k"] for f in runs.values()], ".2f"),
            _spread([f["peak_rss_mb"] for f in runs.values()], ".0f"),
            _spread(broker, ".2f") if broker else "-",
        ]
        if contender["name"] == _OURS:
            cells += ["", ""]
        else:
            cells.append(_pairs(ours, runs, lambda a, b: a["events_per_second"] / b["events_per_second"]))
            cells.append(_pairs(ours, runs, lambda a, b: a["cpu_per_100k"] / b["cpu_per_100k"]))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _broken_table(result: dict[str, Any]) -> list[str]:
    good, broken = (_by_round(result, workload, _OURS) for workload in ("good", "broken"))
    if not good or not broken:
        return []

    def row(title: str, runs: dict[int, Figures]) -> str:
        rates = _spread([f["events_per_second"] for f in runs.values()], ",.0f")
        return f"| {title} | {rates} | {_spread([f['cpu_per_100k'] for f in runs.values()], '.2f')} |"

    times = _pairs(good, broken, lambda a, b: a["events_per_second"] / b["events_per_second"])
    return [
        f"{result['broken']:,} records in a row, this project:",
        "",
        "| | records/s | CPU s per 100k records |",
        "|---|---|---|",
        row("good", good),
        row("broken", broken),
        "",
        f"Time of the broken ones over time of the good ones, pair by pair: {times}.",
        "",
    ]


def tables(result: dict[str, Any]) -> str:
    """Markdown: how it was run, the workload by all, broken records by this project."""
    workload = result.get("workload", "fan-out")
    machine = result["machine"]
    versions = "; ".join(
        f"{c['title']}: {', '.join(f'{name} {version}' for name, version in c['versions'].items())}"
        for c in result["contenders"]
    )
    rounds = max((run["round"] for run in result["runs"]), default=0)
    void = [
        f"{run['workload']} round {run['round']} {run['contender']}" for run in result["runs"] if run["void"]
    ]
    how = (
        f"`{result['command']}`, {result['at'][:10]}, commit {result['commit']}. {result['kafka']}. "
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']} GB, "
        f"Python {machine['python']}. {versions}."
    )
    what = (
        f"{result['events']:,} events in {result['partitions']} partitions, {rounds} rounds"
        f"{_keys(result)}; "
        "min / **median** / max; the ratios are those of the pairs of one round."
    )
    end = f"Void runs: {', '.join(void) or 'none'}."
    return "\n".join([how, "", what, "", *_comparison(result, workload), "", *_broken_table(result), end, ""])


def _keys(result: dict[str, Any]) -> str:
    if "rows" not in result:
        return ""
    return (
        f"; {result['rows']:,} rows ({result['users']:,} students, hashed)"
        f"; load before it {result['machine']['load_before']:.1f}"
    )


def _marks(result: dict[str, Any]) -> tuple[str, str]:
    name = "figures" if "workload" not in result else f"{result['workload']} figures"
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def main(argv: list[str] | None = None) -> int:
    """Print the tables, or put them into a page."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description="Tables from a result file.")
    parser.add_argument("result", type=Path)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a page with marks for the figures")
    arguments = parser.parse_args(argv)
    result = json.loads(arguments.result.read_text())
    text, (begins, ends) = tables(result), _marks(result)
    if arguments.write is None:
        print(text)
        return 0
    before, begin, rest = arguments.write.read_text().partition(begins)
    _, end, after = rest.partition(ends)
    if not begin or not end:
        print(f"error: {arguments.write} lacks the marks {begins} and {ends}", file=sys.stderr)
        return 1
    arguments.write.write_text(f"{before}{begin}\n{text}{end}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
