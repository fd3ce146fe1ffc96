"""Which files there are, what they hold, and in which order they are read."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from app.backfill.errors import BackfillError
from app.backfill.kinds import PASSES, Kind, Pass, recognise
from app.backfill.rows import Row, RowFile

__all__ = ["ExportFile", "Step", "export_files", "steps"]

#: Rows that are looked at to tell what a file holds: not every row has every field.
_LOOKED_AT: Final = 50
#: Of the definitions, outcomes come before what names them.
_ORDER: Final = {kind: place for place, kind in enumerate(Kind)}


class ExportFile(NamedTuple):
    """A file, and what it holds; None for nothing."""

    path: Path
    kind: Kind | None


class Step(NamedTuple):
    """A file in one of the passes."""

    when: Pass
    path: Path
    kind: Kind

    @property
    def last(self) -> bool:
        """Whether this is the last time that the file is read."""
        return self.when is max(PASSES[self.kind])


def export_files(
    paths: Sequence[Path], kind: Kind | None = None, *, without: Sequence[Path] = ()
) -> list[ExportFile]:
    """Recognise files, and those in folders but for some. Raises BackfillError for what is not known."""
    left_out = {path.resolve() for path in without}
    found = [ExportFile(path, kind or _kind(path)) for path in _files(paths, left_out)]
    if not found:
        raise BackfillError("there is no file in these folders")
    return found


def steps(files: Sequence[ExportFile]) -> list[Step]:
    """All readings of all files, in their order."""
    wanted = [Step(when, file.path, file.kind) for file in files if file.kind for when in PASSES[file.kind]]
    return sorted(wanted, key=lambda step: (step.when, _ORDER[step.kind]))


def _files(paths: Sequence[Path], seen: set[Path]) -> Iterator[Path]:
    for path in paths:
        inside = sorted(one for one in path.rglob("[!.]*") if one.is_file()) if path.is_dir() else []
        if not (inside or path.is_dir() or path.is_file()):
            raise BackfillError(f"{path} is no file", hint="it is read several times, so it cannot be a pipe")
        for one in inside if path.is_dir() else [path]:
            if one.resolve() not in seen:
                seen.add(one.resolve())
                yield one


def _kind(path: Path) -> Kind | None:
    with closing(RowFile(path).rows()) as all_rows:
        begin = list(islice(all_rows, _LOOKED_AT))
    rows = [row.values for row in begin if isinstance(row, Row)]
    if not begin:
        return None
    names = {name for values in rows for name in values}
    if "rollups" in names:
        raise BackfillError(
            f"{path} holds roll-ups, which are not exported results", hint="see `mastery compare`"
        )
    if (kind := recognise(names)) is None:
        raise BackfillError(
            f"{path}: it is not plain what this file holds",
            hint="say it with --kind, for files of one kind at a time; docs/backfill.md lists what is known",
        )
    return kind
