"""The published figures: docs/performance.md between its marks, and its plots, from bench/results/*.json.

python -m bench.report              put tables, goals and model into the page, write the plots
python -m bench.report --check      say what in the page is not as the results are; exit status 1 if anything
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.goals import goals_table
from bench.model import model_section
from bench.tables import RENDERERS, how

__all__ = ["filled", "main", "plots", "read_results", "summary"]

_ROOT = Path(__file__).resolve().parent.parent
_PAGE = _ROOT / "docs" / "performance.md"
_IMAGES = _ROOT / "docs" / "images"
_NOT_YET = "Not measured yet.\n"

Result = dict[str, Any]


def read_results(folder: Path) -> dict[str, Result]:
    """The result files by the names of their workloads; those of short runs are left out."""
    found = {}
    for name in RENDERERS:
        path = folder / f"{name}.json"
        if path.exists():
            found[name] = json.loads(path.read_text())
    return found


def summary(path: Path) -> str:
    """What one result file says."""
    result = json.loads(path.read_text())
    return RENDERERS[result["workload"]][0](result)


def _sections(results: Mapping[str, Result]) -> dict[str, str]:
    sections = {"goals": goals_table(results), "model": _NOT_YET}
    for name, (render, plot) in RENDERERS.items():
        if name not in results:
            sections[name] = _NOT_YET
            continue
        image = f"![{name}](images/bench-{name}.svg)\n\n" if plot else ""
        sections[name] = f"{image}{render(results[name])}\n{how(results[name])}\n"
    if {"mastery", "restore", "scaling"} <= results.keys():
        sections["model"] = model_section(results)
    return sections


def filled(page: str, results: Mapping[str, Result]) -> str:
    """The page with what the results say between its marks. Raises ValueError where marks are missing."""
    for name, text in _sections(results).items():
        begins, ends = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, begin, rest = page.partition(begins)
        _, end, after = rest.partition(ends)
        if not begin or not end:
            raise ValueError(f"the page lacks the marks {begins} and {ends}")
        page = f"{before}{begin}\n{text}{end}{after}"
    return page


def plots(results: Mapping[str, Result]) -> dict[str, str]:
    """File names and contents of the plots."""
    found = {}
    for name, result in results.items():
        plot = RENDERERS[name][1]
        if plot is not None:
            found[f"bench-{name}.svg"] = plot(result)
    return found


def main(argv: list[str] | None = None) -> int:
    """Write or check the page and the plots."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.report", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--check", action="store_true", help="write nothing, say what differs")
    arguments = parser.parse_args(argv)
    results = read_results(_ROOT / "bench" / "results")
    wanted = {_PAGE: filled(_PAGE.read_text(), results)}
    wanted |= {_IMAGES / name: text for name, text in plots(results).items()}
    differing = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    for path in differing:
        if not arguments.check:
            path.write_text(wanted[path])
        print(f"{'differs' if arguments.check else 'written'}: {path.relative_to(_ROOT)}")
    return 1 if arguments.check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
