"""Which uuid each of Canvas's user ids has: roll-ups name students by id, and events by uuid.

Taken are users of the REST API (`include[]=uuid`), the table `users` of Canvas Data 2, any CSV with `id` and
`uuid`, and a roster of the web view with a column `canvas_id`.
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from app.backfill.rows import BadLine, RowFile
from app.compare.errors import CompareTrouble

__all__ = ["read_users"]


def read_users(paths: Iterable[Path], wanted: Collection[str]) -> dict[str, str]:
    """Return the uuids of the `wanted` ids, as far as the files tell. Raises CompareTrouble."""
    found: dict[str, str] = {}
    for path in paths:
        pairs = 0
        for row in RowFile(path).rows():
            if isinstance(row, BadLine):
                raise CompareTrouble(f"{path}, line {row.line}: {row.detail}")
            pair = _pair(row.values)
            if pair is not None:
                pairs += 1
                if pair[0] in wanted:
                    found[pair[0]] = pair[1]
        if not pairs:
            raise CompareTrouble(
                f"{path} has no ids of Canvas beside uuids",
                hint="GET /api/v1/courses/:id/users?include[]=uuid&per_page=100, or a CSV file: id,uuid",
            )
    return found


def _pair(row: Mapping[str, Any]) -> tuple[str, str] | None:
    if row.get("kind") in ("user", "course"):
        number, uuid = (row.get("canvas_id"), row.get("id")) if row["kind"] == "user" else (None, None)
    else:
        number, uuid = row.get("id", row.get("user_id")), row.get("uuid", row.get("user_uuid"))
    if number is None or not isinstance(uuid, str) or not uuid.strip():
        return None
    # Spreadsheets and data frames make 42.0 of it.
    return str(number).strip().removesuffix(".0"), uuid.strip()
