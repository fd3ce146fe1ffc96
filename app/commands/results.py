"""The results behind a score, as `show` and `compare` print them."""

from typing import Any, Final

from app.commands.rows import time_text
from app.mastery.explain import ExplainedResult, number_text

__all__ = ["RESULT_COLUMNS", "RESULT_NUMBERS", "result_cells", "result_json"]

RESULT_COLUMNS: Final = ("  RESULT", "COURSE", "ASSESSED", "SCORE", "OF", "PERCENT", "VALUE", "COUNTS")
#: Those that are set flush right.
RESULT_NUMBERS: Final = ("SCORE", "OF", "PERCENT", "VALUE")


def result_cells(one: ExplainedResult) -> tuple[str | None, ...]:
    """A result as a line of a table with RESULT_COLUMNS."""
    held = one.snapshot
    work = f"{held.work.artifact_type.rpartition('::')[2]} {held.work.artifact_id}"
    numbers = [None if x is None else number_text(x) for x in (held.score, held.possible)]
    return (
        f"  {held.id or f'without id: {work}'}",
        held.course_id,
        None if held.assessed_at is None else time_text(held.assessed_at),
        *numbers,
        None if held.percent is None else f"{number_text(held.percent * 100)} %",
        None if one.value is None else number_text(one.value),
        "yes" if one.why_not is None else f"no: {one.why_not}",
    )


def result_json(one: ExplainedResult) -> dict[str, Any]:
    """A result with all that is known of it."""
    held, version = one.snapshot, one.snapshot.version
    return {
        "id": held.id,
        "artifact_type": held.work.artifact_type,
        "artifact_id": held.work.artifact_id,
        "associated_asset_type": held.work.asset_type,
        "associated_asset_id": held.work.asset_id,
        "course_id": held.course_id,
        "assessed_at": time_text(held.assessed_at),
        "score": held.score,
        "possible": held.possible,
        "percent": held.percent,
        "value": one.value,
        "weight": one.weight,
        "counts": one.why_not is None,
        "why_not": one.why_not,
        "updated_at": time_text(version.updated_at) if version.updated else None,
        "event_time": time_text(version.event_time),
        "event_id": version.event_id.hex(),
    }
