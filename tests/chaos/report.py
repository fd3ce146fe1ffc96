"""Writes docs/reliability.md's parts that follow from the scenarios: what they do, and the figures they left.

`python -m tests.chaos.report --write docs/reliability.md` after `make chaos`. What is done and must hold is
the docstring of each scenario's test; the figures are those that full runs left in .cache/chaos.
The row of a scenario that left none stays as it is.
"""

import argparse
import importlib
import inspect
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from tests.chaos.record import FOLDER

__all__ = ["Scenario", "figures", "merged", "rewritten", "scenario_text", "scenarios", "table"]

_HEAD = (
    "| scenario | runs | faults | kill -9 | events | rows | lost | twice | else wrong | s to ready | "
    "s to commit | else |"
)
_RULE = "|---|" + "--:|" * 10 + "---|"
_SHOWN = frozenset(
    {
        *("faults", "kills", "fed", "rows", "lost", "duplicates", "wrong", "rows_wrong"),
        *("seconds_to_ready", "seconds_to_commit"),
        # Parts of what is shown, or of no interest once all is well.
        *("typed", "dead_letters", "ignored", "rows_of_courses", "starts", "sigterms", "freezes", "marks"),
        *("commits", "generations"),
    }
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named scenario, whether CI runs it, and what its test says about itself and its module about all."""

    name: str
    ci: bool
    text: str
    about: str


def scenarios() -> list[Scenario]:
    """Return the scenarios of this folder's tests, as they stand there. ValueError where `merged` refuses."""
    found: dict[str, list[Any]] = defaultdict(list)
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        module = importlib.import_module(f"tests.chaos.{path.stem}")
        functions = [function for _, function in inspect.getmembers(module, inspect.isfunction)]
        # A module may be marked as a whole.
        for test in (module, *sorted(functions, key=lambda one: one.__code__.co_firstlineno)):
            for mark in getattr(test, "pytestmark", ()):
                if mark.name == "scenario":
                    found[mark.kwargs["name"]].append(test)
    return [merged(name, tests) for name, tests in found.items()]


def merged(name: str, tests: Sequence[Any]) -> Scenario:
    """Return what the tests of one name say; of several, which need no Kafka, their modules say it.

    ValueError for a test without a docstring, and for two that would write one file of figures.
    """
    marks = [mark for test in tests for mark in test.pytestmark]
    if len(tests) > 1 and any(mark.name == "kafka" for mark in marks):
        raise ValueError(f"two tests are the scenario {name}: {tests[0].__name__}, {tests[1].__name__}")
    abouts = [inspect.getdoc(inspect.getmodule(test)) or "" for test in tests]
    texts = [inspect.getdoc(tests[0])] if len(tests) == 1 else abouts
    if not all(texts):
        raise ValueError(f"the scenario {name} has no docstring")
    ci = any(mark.kwargs["ci"] for mark in marks if mark.name == "scenario")
    told = " ".join(dict.fromkeys(text for text in texts if text))
    about = abouts[0].partition("\n\n")[0] if len(tests) == 1 else "Several tests under one name."
    return Scenario(name, ci, told, about)


def scenario_text(found: Iterable[Scenario]) -> str:
    """Return a list of scenarios in Markdown, with what each module is about above its own."""
    lines = []
    for about, group in groupby(found, key=lambda one: one.about):
        lines += ["", " ".join(about.split()), ""]
        for one in group:
            text = " ".join(one.text.split())
            lines.append(f"* **{one.name}**{' (CI)' if one.ci else ''}: {text}")
    return "\n".join(lines[1:])


def figures(folder: Path = FOLDER) -> dict[str, list[Mapping[str, Any]]]:
    """Return what full runs left in the folder, by scenario."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        run = json.loads(path.read_text())
        if run["full"]:
            found[run["scenario"]].append(run)
    return found


def table(runs: Mapping[str, Sequence[Mapping[str, Any]]], before: str = "") -> str:
    """Return the table of figures in Markdown; scenarios without runs keep the row they have in `before`."""
    rows = {
        match[1]: line
        for line in before.splitlines()
        if (match := re.match(r"\| ([a-z][a-z0-9-]*) \|", line))
    }
    rows.pop("scenario", None)
    rows |= {name: _row(name, records) for name, records in runs.items()}
    return "\n".join([_HEAD, _RULE, *(rows[name] for name in sorted(rows))])


def rewritten(document: str, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return the document with both parts made anew, each between its two marks."""
    document = _between(document, "scenarios", lambda _: scenario_text(scenarios()))
    return _between(document, "figures", lambda before: table(runs, before))


def _row(name: str, runs: Sequence[Mapping[str, Any]]) -> str:
    failed = sum(not run["passed"] for run in runs)
    seen = [run["figures"] for run in runs]

    def total(*names: str) -> str:
        values = [one[key] for one in seen for key in names if key in one]
        return f"{sum(values):,}" if values else ""

    wrong = [
        one["wrong"] - one["lost"] - one["duplicates"] + one.get("rows_wrong", 0)
        for one in seen
        if "wrong" in one
    ]
    cells = [
        name,
        f"{len(runs)}" + (f" ({failed} failed)" if failed else ""),
        total("faults"),
        total("kills"),
        total("fed", "inputs"),
        total("rows"),
        total("lost"),
        total("duplicates"),
        f"{sum(wrong):,}" if wrong else "",
        _spread(seen, "seconds_to_ready"),
        _spread(seen, "seconds_to_commit"),
        "; ".join(_others(seen)),
    ]
    return f"| {' | '.join(cells)} |"


def _others(seen: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = dict.fromkeys(name for one in seen for name in one if name not in _SHOWN and name != "inputs")
    for name in names:
        values = [one[name] for one in seen if name in one]
        if any(values):
            words = name.replace("_", " ")
            if all(isinstance(value, list) for value in values):
                yield f"{words} {_spread(seen, name)}"
            elif all(isinstance(value, int | float) for value in values):
                yield f"{words} {max(values):,}"
            else:
                yield f"{words} {', '.join(dict.fromkeys(map(str, values)))}"


def _spread(seen: Sequence[Mapping[str, Any]], name: str) -> str:
    """Median and longest of all values of a list."""
    values = [value for one in seen for value in one.get(name, ())]
    return f"{median(values):.1f} / {max(values):.1f}" if values else ""


def _between(document: str, name: str, make: Any) -> str:
    pattern = re.compile(rf"(<!-- {name}[^>]*-->\n)(.*?)(\n?<!-- end of {name} -->)", re.DOTALL)
    if pattern.search(document) is None:
        raise ValueError(f"the document has no part between the marks of {name}")
    return pattern.sub(lambda found: f"{found[1]}{make(found[2])}\n{found[3].lstrip()}", document)


def main() -> None:
    """Write the document, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="rewrite this document's two parts")
    arguments = parser.parse_args()
    if arguments.write is None:
        print(table(figures()))  # noqa: T201 - it is the command's result
        return
    arguments.write.write_text(rewritten(arguments.write.read_text(), figures()))


if __name__ == "__main__":
    main()
