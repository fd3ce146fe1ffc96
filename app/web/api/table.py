"""Rows as CSV: what the JSON has, for a spreadsheet."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from app.formulas import harmless
from app.web.api.answering import iso_time
from app.web.models.mastery import MasteryRow

__all__ = ["rows_as_csv"]

_TIMES = frozenset({"last_assessed_at"})


def rows_as_csv(rows: Iterable[MasteryRow]) -> bytes:
    """Return UTF-8 with a heading; times are ISO 8601, None is empty, texts are no formulas."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(MasteryRow.model_fields)
    writer.writerows([_cell(name, value) for name, value in row] for row in rows)
    return file.getvalue().encode(errors="replace")


def _cell(name: str, value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return iso_time(value) if name in _TIMES else harmless(value)
