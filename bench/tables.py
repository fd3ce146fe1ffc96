"""Tables and plots of result files: what each workload's file says, as Markdown and SVG."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

from bench.svg import Bar, Line, bars, flame, lines

__all__ = ["OURS", "RENDERERS", "by_round", "how", "ratios", "table"]

OURS = "mastery"

Result = dict[str, Any]
Figures = dict[str, Any]


def _spread(values: Sequence[float], form: str) -> str:
    """`min / **median** / max`."""
    low, middle, high = (format(v, form) for v in (min(values), median(values), max(values)))
    return f"{low} / **{middle}** / {high}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]


def by_round(result: Result, workload: str, contender: str) -> dict[int, Figures]:
    """The figures of one contender's runs that count."""
    return {
        run["round"]: run["figures"]
        for run in result["runs"]
        if run["workload"] == workload and run["contender"] == contender and run["figures"]
    }


def ratios(
    ours: dict[int, Figures], theirs: dict[int, Figures], ratio: Callable[[Figures, Figures], float]
) -> list[float]:
    """The ratio in each round in which both runs count."""
    return [ratio(ours[number], theirs[number]) for number in sorted(ours.keys() & theirs.keys())]


def _rate(name: str) -> Callable[[Figures, Figures], float]:
    return lambda ours, theirs: ours[name] / theirs[name]


def how(result: Result) -> str:
    """Where and how the figures were taken."""
    machine = result["machine"]
    return (
        f"`{result['command']}`, {result['at'][:10]}, commit {result['commit']}. {result['kafka']}. "
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']} GB, Python {machine['python']};"
        f" load before {machine['load_before']:.1f}."
    )


def _void(result: Result) -> str:
    void = [
        f"{run['workload']} round {run['round']} {run['contender']}" for run in result["runs"] if run["void"]
    ]
    return f"Void runs: {', '.join(void) or 'none'}."


def _comparison(result: Result, workload: str) -> list[str]:
    ours = by_round(result, workload, OURS)
    head = ["", "promise", "events/s", "warm", "CPU s per 100k", "warm", "peak RSS, MB"]
    head += ["broker's CPU", "ours is faster by (warm)", "ours takes of its CPU (warm)"]
    rows = []
    for contender in result["contenders"]:
        runs = by_round(result, workload, contender["name"])
        if not runs:
            rows.append([contender["title"], contender["promise"], "void", *[""] * (len(head) - 3)])
            continue
        broker = [f["broker_cpu_per_100k"] for f in runs.values() if f["broker_cpu_per_100k"] is not None]

        def of(name: str, form: str, runs: dict[int, Figures] = runs) -> str:
            return _spread([f[name] for f in runs.values()], form)

        cells = [
            contender["title"],
            contender["promise"],
            of("events_per_second", ",.0f"),
            format(median(f["warm_events_per_second"] for f in runs.values()), ",.0f"),
            of("cpu_per_100k", ".2f"),
            format(median(f["warm_cpu_per_100k"] for f in runs.values()), ".2f"),
            of("peak_rss_mb", ".0f"),
            format(median(broker), ".2f") if broker else "-",
        ]
        for whole, warm in (
            ("events_per_second", "warm_events_per_second"),
            ("cpu_per_100k", "warm_cpu_per_100k"),
        ):
            pairs = ratios(ours, runs, _rate(whole))
            if contender["name"] == OURS or not pairs:
                cells.append("")
            else:
                cells.append(f"{_spread(pairs, '.2f')} ({median(ratios(ours, runs, _rate(warm))):.2f})")
        rows.append(cells)
    return table(head, rows)


def _compared(result: Result, workload: str, more: str) -> str:
    sizes = result["sizes"]
    known: dict[str, str] = {}
    for c in result["contenders"]:
        known.setdefault(
            ", ".join(f"{name} {version}" for name, version in c["versions"].items()), c["title"]
        )
    versions = "; ".join(f"{title}: {text}" for text, title in known.items())
    shares = [f"{c['title']} {c['share']:.0%}" for c in result["contenders"] if c["share"] != 1]
    what = (
        f"{sizes['events']:,} events in {sizes['partitions']} partitions{more}, {sizes['rounds']} rounds; "
        "min / **median** / max, one figure alone is the median; warm: the second half of each run; ratios "
        "are those of the pairs of one round."
    )
    if shares:
        what += f" Slow ones get a part of the events ({', '.join(shares)}) and two rounds."
    return "\n".join([what, "", *_comparison(result, workload), "", _void(result), "", versions + ".", ""])


def _broken(result: Result) -> list[str]:
    good, broken = (by_round(result, workload, OURS) for workload in ("good", "broken"))
    if not good or not broken:
        return []

    def row(title: str, runs: dict[int, Figures]) -> list[str]:
        return [
            title,
            _spread([f["events_per_second"] for f in runs.values()], ",.0f"),
            _spread([f["cpu_per_100k"] for f in runs.values()], ".2f"),
        ]

    times = ratios(good, broken, _rate("events_per_second"))
    head = ["", "records/s", "CPU s per 100k records"]
    return [
        f"{result['sizes']['broken']:,} records in a row, this project:",
        "",
        *table(head, [row("good", good), row("broken", broken)]),
        "",
        f"Time of the broken ones over time of the good ones, pair by pair: {_spread(times, '.2f')}.",
        "",
    ]


def _fanout(result: Result) -> str:
    return "\n".join([_compared(result, "fan-out", ""), *_broken(result)])


def _mastery(result: Result) -> str:
    return _compared(result, "mastery", f", {result['rows']:,} rows ({result['sizes']['users']:,} students)")


def _mixed(result: Result) -> str:
    clean, mixed = (by_round(result, what, OURS) for what in ("clean", "mixed"))
    rows = [
        [
            what,
            *(
                _spread([f[name] for f in runs.values()], form)
                for name, form in (("events_per_second", ",.0f"), ("cpu_per_100k", ".2f"))
            ),
        ]
        for what, runs in (("clean", clean), ("mixed", mixed))
        if runs
    ]
    kinds = ", ".join(f"{name} {count:,}" for name, count in sorted(result["kinds"].items()))
    pairs = ratios(mixed, clean, _rate("events_per_second"))
    share = (
        f"Rate of the mixed over that of the clean, pair by pair: {_spread(pairs, '.2f')}." if pairs else ""
    )
    text = [f"{result['sizes']['events']:,} events: {kinds}.", ""]
    return "\n".join([*text, *table(["", "events/s", "CPU s per 100k"], rows), "", share, _void(result), ""])


def _restore(result: Result) -> str:
    rows = [
        [
            f"{run['rows']:,} in {run['partitions']} partitions",
            f"{run['rows_per_second_before_indexes']:,}",
            f"{run['rows_per_second']:,}",
            f"{run['seconds']:.1f}",
            f"{run['cpu_us_per_row']:.1f}",
            f"{run['bytes_per_row']:,}",
            f"{run['peak_rss_mb']} ({run['rss_before_mb']} before, {run['rss_after_mb']} after)",
        ]
        for run in result["runs"]
        if not run["void"]
    ]
    head = [
        "rows",
        "rows/s before indexes",
        "rows/s with them",
        "seconds",
        "CPU us a row",
        "bytes a row on disk",
    ]
    return "\n".join([*table([*head, "peak RSS, MB"], rows), "", _voids(result), ""])


def _voids(result: Result) -> str:
    void = [run["void"] for run in result["runs"] if run["void"]]
    return f"Void runs: {'; '.join(void) or 'none'}."


def _latency(result: Result) -> str:
    rows = []
    for run in result["runs"]:
        if run["void"]:
            rows.append([f"{run['rate']:,}", f"void: {run['void']}", "", "", ""])
            continue
        cells = [
            " / ".join(f"{run[which][name]:.0f}" for name in ("p50", "p99", "p999", "max"))
            for which in ("typed_ms", "row_ms")
        ]
        late = run["sender_late_ms"]
        rows.append([f"{run['rate']:,}", *cells, f"{late['p99']:.1f}", f"{run['worker_cores']:.2f}"])
    head = ["results a second", "raw to typed, ms: p50 / p99 / p99.9 / max", "raw to `outcome_mastery`, ms"]
    return "\n".join([*table([*head, "sent late, p99, ms", "cores of the worker"], rows), ""])


def _definition(result: Result) -> str:
    lines = []
    for run in result["runs"]:
        if run["void"]:
            return f"Void: {run['void']}.\n"
        done = (
            f"{run['rows']:,} rows computed again in {run['seconds']:.1f} s ("
            f"{run['rows_per_second']:,} rows/s, {run['cpu_us_per_row']:.0f} us of CPU a row), with "
            f"{run['rate']:,} live results a second meanwhile:"
        )
        lines += [
            done,
            "",
            *table(
                ["live results, ms: p50 / p99 / p99.9 / max", "before", "meanwhile"],
                [
                    [
                        title,
                        *(
                            " / ".join(
                                f"{run[f'{which}_{when}'][n]:.0f}" for n in ("p50", "p99", "p999", "max")
                            )
                            for when in ("before", "meanwhile")
                        ),
                    ]
                    for title, which in (("raw to typed", "typed_ms"), ("raw to `outcome_mastery`", "row_ms"))
                ],
            ),
            "",
        ]
    return "\n".join(lines)


def _workers(result: Result) -> str:
    alone = by_round(result, "workers", "1")
    rows = []
    for workers in result["sizes"]["workers"].split(","):
        runs = by_round(result, "workers", workers)
        if not runs:
            rows.append([workers, "void", "", "", ""])
            continue
        pairs = ratios(runs, alone, _rate("events_per_second"))
        rows.append(
            [
                f"{workers[:-1]}, each started on its own" if workers.endswith("s") else workers,
                _spread([f["events_per_second"] for f in runs.values()], ",.0f"),
                _spread([f["cpu_per_100k"] for f in runs.values()], ".2f"),
                _spread([f["peak_rss_mb"] for f in runs.values()], ".0f"),
                _spread(pairs, ".2f") if pairs else "-",
            ]
        )
    head = ["workers", "events/s", "CPU s per 100k", "peak RSS of all, MB", "rate over that of one"]
    return "\n".join([*table(head, rows), "", _void(result), ""])


def _scaling(result: Result) -> str:
    parts = []
    for kind, names in (("rows", "rows there are"), ("partitions", "partitions of the worker")):
        rows = [
            [
                f"{run['number']:,}",
                *(
                    ("void", *[""] * 6)
                    if run["void"]
                    else (
                        f"{run['ready_after']:.1f} ({run['ready_cpu']:.1f})",
                        f"{run['disk_mb']:,.0f}",
                        f"{run['rss_at_rest_mb']:.0f}",
                        f"{run['peak_rss_mb']:.0f}",
                        f"{run['events_per_second']:,.0f}",
                        f"{run['cpu_per_100k']:.2f}",
                        f"{run['idle_cores']:.3f}",
                    )
                ),
            ]
            for run in result["runs"]
            if run["kind"] == kind
        ]
        head = [names, "restored and looked at after s (CPU s)", "files, MB", "RSS at rest, MB"]
        head += ["peak RSS, MB", "results/s", "CPU s per 100k", "cores when idle"]
        parts += [*table(head, rows), ""]
    return "\n".join(parts)


def _bars(result: Result, workload: str, title: str) -> str:
    def chart(name: str) -> list[Bar]:
        found = []
        for contender in result["contenders"]:
            if runs := by_round(result, workload, contender["name"]):
                values = [f[name] for f in runs.values()]
                label = contender["title"].replace("Kafka Streams (Java)", "Kafka Streams")
                label += "" if contender["promise"] == "at least once" else " *"
                ours = contender["name"] == OURS
                found.append(Bar(label, min(values), median(values), max(values), ours))
        return found

    charts = [
        ("events/s, second half of the run (* exactly once)", chart("warm_events_per_second")),
        ("CPU seconds per 100,000 events, second half of the run", chart("warm_cpu_per_100k")),
    ]
    return bars(title, charts)


def _latency_plot(result: Result) -> str:
    runs = [run for run in result["runs"] if not run["void"]]
    panels = [
        (
            heading,
            "results a second",
            [
                Line(label, [(run["rate"], max(run[which][name], 1.0)) for run in runs])
                for label, name in (("p99.9", "p999"), ("p99", "p99"), ("p50", "p50"))
            ],
        )
        for heading, which in (("raw to typed, ms", "typed_ms"), ("raw to outcome_mastery, ms", "row_ms"))
    ]
    return lines("Latency", panels, log_y=True)


def _scaling_plot(result: Result) -> str:
    panels = []
    for kind in ("rows", "partitions"):
        runs = [run for run in result["runs"] if run["kind"] == kind and not run["void"]]
        for name, what in (
            ("cpu_per_100k", "CPU s per 100,000 results"),
            ("rss_at_rest_mb", "RSS at rest, MB"),
        ):
            panels.append((what, kind, [Line("", [(run["number"], run[name]) for run in runs])]))
    return lines("Cost by rows and by partitions", panels, width=300)


def _profile(result: Result) -> str:
    if "parts" not in result:
        return f"{_voids(result)}\n"
    rows = [[part, f"{share:.1%}"] for part, share in result["parts"].items()]
    (run,) = result["runs"]
    head = [f"{run['samples']:,} samples of all threads that were at work", "share"]
    return "\n".join([*table(head, rows), ""])


RENDERERS: dict[str, tuple[Callable[[Result], str], Callable[[Result], str] | None]] = {
    "fanout": (_fanout, lambda result: _bars(result, "fan-out", "Fan-out")),
    "mastery": (_mastery, lambda result: _bars(result, "mastery", "Fan-out and state")),
    "mixed": (_mixed, None),
    "restore": (_restore, None),
    "latency": (_latency, _latency_plot),
    "definition": (_definition, None),
    "workers": (_workers, None),
    "scaling": (_scaling, _scaling_plot),
    "profile": (_profile, lambda result: flame("A worker at full speed", result.get("stacks", {}))),
}
"""Of each workload its table, and its plot."""
