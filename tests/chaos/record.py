"""What one round of a scenario did and saw: timeline and figures, kept in a file; a report of a failure."""

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.chaos.scenario import FULL, again
from tests.support.worker import CHECKOUT

__all__ = ["FOLDER", "RunRecord"]

FOLDER = CHECKOUT / ".cache" / "chaos"


class RunRecord:
    """Timeline and figures of one scenario and seed. Any thread may add to them.

    `write` puts them into `<scenario>-<seed>.json` of `folder`, and beside it, for a run that failed, a
    report to read: `<scenario>-<seed>.txt`. `part` tells runs of one scenario and seed apart.
    """

    def __init__(self, scenario: str, seed: int, *, part: str = "", folder: Path = FOLDER) -> None:
        self.scenario, self.seed, self.part = scenario, seed, part
        self._folder = folder
        self._lock = threading.Lock()
        self._begun = time.monotonic()
        self._at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.timeline: list[tuple[float, str]] = []
        self.figures: dict[str, Any] = {}

    @property
    def file(self) -> Path:
        """Where the figures are written."""
        names = (self.scenario, self.part, str(self.seed))
        return self._folder / ("-".join(filter(None, names)) + ".json")

    @property
    def report_file(self) -> Path:
        """Where a failed run is told."""
        return self.file.with_suffix(".txt")

    def note(self, text: str) -> None:
        """Add a line to the timeline."""
        with self._lock:
            self.timeline.append((round(time.monotonic() - self._begun, 3), text))

    def measure(self, **figures: Any) -> None:
        """Set figures: numbers, texts or lists of them."""
        with self._lock:
            self.figures |= figures

    def count(self, **figures: int) -> None:
        """Add to figures that count something; one that is added to with 0 is shown, too."""
        with self._lock:
            for name, more in figures.items():
                self.figures[name] = self.figures.get(name, 0) + more

    def append(self, **figures: float) -> None:
        """Add to figures that are lists, such as seconds of recovery after each fault."""
        with self._lock:
            for name, value in figures.items():
                self.figures.setdefault(name, []).append(round(value, 3))

    def write(
        self, failure: str | None, *, first_wrong: str = "", logs: Mapping[str, str] | None = None
    ) -> None:
        """Write the file, and for a failure the report: timeline, first wrong record, the ends of logs."""
        seconds = round(time.monotonic() - self._begun, 1)
        self._folder.mkdir(parents=True, exist_ok=True)
        content = {
            "scenario": self.scenario,
            "part": self.part,
            "seed": self.seed,
            "at": self._at,
            "full": FULL,
            "passed": failure is None,
            "again": again(self.scenario, self.seed),
            "seconds": seconds,
            "figures": self.figures,
            "timeline": self.timeline,
        }
        self.file.write_text(json.dumps(content, indent=1, default=str) + "\n")
        if failure is None:
            self.report_file.unlink(missing_ok=True)
            return
        sections = {
            "failure": failure,
            "first wrong record": first_wrong or "(none was told)",
            "timeline": "\n".join(f"{at:8.2f} s  {text}" for at, text in self.timeline),
            "figures": "\n".join(f"{name}: {value}" for name, value in self.figures.items()),
            **{f"end of {name}": text for name, text in (logs or {}).items()},
        }
        name = " ".join(filter(None, (self.scenario, self.part)))
        head = (
            f"{name}, seed {self.seed}: failed after {seconds:g} s\n"
            f"run it again: {again(self.scenario, self.seed)}\n"
        )
        body = "".join(f"\n== {name}\n{text.rstrip()}\n" for name, text in sections.items())
        self.report_file.write_text(head + body)
