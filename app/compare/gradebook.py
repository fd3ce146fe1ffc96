"""The CSV that the Learning Mastery Gradebook exports: a line for each student, two columns for each outcome.

It begins with the student's name and Canvas id (newer ones: and SIS id). Each outcome has `<path> result`
and `<path> mastery points`; the path ends with the outcome's title. Language, separator and decimal point are
those of whoever exported it. Ids of outcomes and counts of results are not in it.
"""

import csv
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final

from app.compare.canvas import CanvasRollups, CanvasScore
from app.compare.errors import CompareTrouble

__all__ = ["is_csv", "read_gradebook"]

_PATH: Final = " > "
#: Columns of the student before the first outcome.
_STUDENT: Final = (2, 3)


def is_csv(path: Path) -> bool:
    """Whether a file is a CSV export by its name."""
    return path.suffix.lower() == ".csv"


def read_gradebook(paths: Iterable[Path]) -> CanvasRollups:
    """Read exports of one course. Outcomes go by title. Raises CompareTrouble, which names file and line."""
    found = CanvasRollups()
    for path in paths:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                separator = _separator(file.readline())
                file.seek(0)
                _read(csv.reader(file, delimiter=separator, strict=True), str(path), found)
        except OSError as error:
            raise CompareTrouble(f"{path} cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise CompareTrouble(f"{path} is not UTF-8") from None
        except csv.Error as error:
            raise CompareTrouble(f"{path}: {error}") from None
    return found


def _separator(head: str) -> str:
    """The separator, which is the exporting person's choice: the one that the first line has most of."""
    return max(",;\t", key=head.count)


def _read(lines: Iterable[Sequence[str]], name: str, found: CanvasRollups) -> None:
    iterator = enumerate(lines, 1)
    _, head = next(iterator, (0, ()))
    first = _first_outcome(head, name)
    titles = [_title(head[place], head[place + 1]) for place in range(first, len(head), 2)]
    twice = {title for title in titles if titles.count(title) > 1}
    found.titles.update(titles)
    found.repeated |= twice
    for number, line in iterator:
        if not any(line):
            continue
        if len(line) != len(head):
            raise CompareTrouble(f"{name}, line {number}: {len(line)} fields where the head has {len(head)}")
        user = line[1].strip()
        if not user.isdecimal():
            raise CompareTrouble(f"{name}, line {number}: the second field is no Canvas id of a student")
        found.users.add(user)
        for title, text in zip(titles, line[first::2], strict=True):
            if title not in twice and text.strip():
                found.scores[user, title] = CanvasScore(_number(text, f"{name}, line {number}"))


def _first_outcome(head: Sequence[str], name: str) -> int:
    for first in _STUDENT:
        results, points = head[first::2], head[first + 1 :: 2]
        if results and len(results) == len(points) and all(map(_title, results, points)):
            return first
    raise CompareTrouble(
        f"{name} is no export of the Learning Mastery Gradebook",
        hint="its first line is: Student name, Student ID, then two columns for each outcome",
    )


def _title(result: str, mastery_points: str) -> str:
    """The title in both headings, whatever words the language has after it."""
    same = sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(result, mastery_points, strict=False))
    )
    common, _, _ = result[:same].rpartition(" ")
    return common.rpartition(_PATH)[2].strip()


def _number(text: str, where: str) -> float:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        raise CompareTrouble(f"{where}: a score is no number") from None
