"""The tables of a view: one line for each student, outcome and course, and what is counted of them.

`lines` lies in the order of outcome and student, so that an outcome's students are read in one go. Texts
stand in tables of their own, once each. `place` is the beginning of the student's uuid as a number: it sorts
as the uuids do, alike in every file, and keeps the indexes small; where two are equal the uuids decide.

The numbers in `outcomes`, `scores`, `pairs` and `courses` follow from the lines. Scores have two decimal
places, so their sums are kept exactly, as integers of hundredths.
"""

from typing import Final

__all__ = ["COUNTED", "FIRST", "FORMAT", "INDEXES", "NO_SCORE", "RECENT", "TABLES", "WHOLE", "place_of"]

#: Number of this layout, and of how lines are made of rows.
FORMAT: Final = 1

#: Bits of `flags`: the first line of its row; a line whose results are all that the row's score rests on.
FIRST: Final = 1
WHOLE: Final = 2

#: Stands for no score where that is part of a key.
NO_SCORE: Final = -(2**62)

#: Rows that changed last which a view knows.
RECENT: Final = 100

_PLACE_BYTES: Final = 8

#: Statements, with a semicolon at the end of each.
TABLES: Final = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE accounts (id INTEGER PRIMARY KEY, account TEXT NOT NULL UNIQUE);
CREATE TABLE students (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, account INTEGER NOT NULL, UNIQUE (user, account));
-- folded: the title as it is searched. A row's title that differs from the one here is about to change.
CREATE TABLE outcomes (
    id INTEGER PRIMARY KEY, outcome TEXT NOT NULL, account INTEGER NOT NULL,
    title TEXT, folded TEXT NOT NULL,
    row_count INTEGER NOT NULL DEFAULT 0, scored INTEGER NOT NULL DEFAULT 0,
    mastered INTEGER NOT NULL DEFAULT 0, hundredths INTEGER NOT NULL DEFAULT 0,
    UNIQUE (outcome, account));
-- course: '' for what belongs to none.
CREATE TABLE courses (
    id INTEGER PRIMARY KEY, course TEXT NOT NULL, account INTEGER NOT NULL,
    students INTEGER NOT NULL DEFAULT 0, UNIQUE (course, account));
-- What is alike in many rows. A unique index would hold nulls to be different.
CREATE TABLE bases (
    id INTEGER PRIMARY KEY, mastery_points REAL, points_possible REAL, method TEXT, n INTEGER,
    state TEXT NOT NULL, rating TEXT);
CREATE TABLE lines (
    outcome INTEGER NOT NULL, place INTEGER NOT NULL, student INTEGER NOT NULL, course INTEGER NOT NULL,
    score REAL, mastery INTEGER, results INTEGER NOT NULL, assessed INTEGER,
    overall REAL, overall_mastery INTEGER, basis INTEGER NOT NULL, flags INTEGER NOT NULL,
    changed_at INTEGER NOT NULL, PRIMARY KEY (outcome, place, student, course)) WITHOUT ROWID;
CREATE TABLE pairs (
    course INTEGER NOT NULL, outcome INTEGER NOT NULL, line_count INTEGER NOT NULL, scored INTEGER NOT NULL,
    mastered INTEGER NOT NULL, hundredths INTEGER NOT NULL, PRIMARY KEY (course, outcome)) WITHOUT ROWID;
-- How many rows of an outcome have an overall score: hundredths, {NO_SCORE} for none.
CREATE TABLE scores (
    outcome INTEGER NOT NULL, basis INTEGER NOT NULL, hundredths INTEGER NOT NULL, row_count INTEGER NOT NULL,
    PRIMARY KEY (outcome, basis, hundredths)) WITHOUT ROWID;
CREATE TABLE recent (
    outcome INTEGER NOT NULL, student INTEGER NOT NULL, changed_at INTEGER NOT NULL,
    PRIMARY KEY (outcome, student)) WITHOUT ROWID;
"""

#: Made when all of the changelog was read once.
INDEXES: Final = """
CREATE INDEX lines_by_student ON lines (student);
CREATE INDEX lines_by_course ON lines (course, place, student);
-- A line has a score if and only if it says whether that is mastery.
CREATE INDEX lines_by_score ON lines (mastery, score, place);
CREATE INDEX lines_by_assessed ON lines (assessed, place);
CREATE INDEX outcomes_by_title ON outcomes (title IS NULL, folded, length(outcome), outcome);
CREATE INDEX courses_by_id ON courses (account, length(course), course);
CREATE INDEX pairs_by_outcome ON pairs (outcome, course);
"""

#: What is counted, once and for all.
COUNTED: Final = f"""
DELETE FROM students WHERE id NOT IN (SELECT student FROM lines);
INSERT INTO pairs SELECT course, outcome, count(*), count(score), total(mastery),
    total(CAST(round(score * 100) AS INTEGER)) FROM lines GROUP BY course, outcome;
UPDATE outcomes SET (row_count, scored, mastered, hundredths) =
    (SELECT count(*), count(overall), total(overall_mastery), total(CAST(round(overall * 100) AS INTEGER))
    FROM lines WHERE lines.outcome = outcomes.id AND flags & {FIRST});
UPDATE courses SET students =
    (SELECT count(DISTINCT student) FROM lines WHERE lines.course = courses.id);
DELETE FROM outcomes WHERE row_count = 0;
DELETE FROM courses WHERE students = 0;
INSERT INTO scores SELECT outcome, basis, ifnull(CAST(round(overall * 100) AS INTEGER), {NO_SCORE}), count(*)
    FROM lines WHERE flags & {FIRST} GROUP BY 1, 2, 3;
INSERT INTO recent SELECT outcome, student, changed_at FROM lines WHERE flags & {FIRST}
    ORDER BY changed_at DESC LIMIT {RECENT};
"""


def place_of(user: str) -> int:
    """A number that sorts as the uuid does in UTF-8, as far as it goes."""
    beginning = user.encode("utf-8", "surrogatepass")[:_PLACE_BYTES]
    return int.from_bytes(beginning.ljust(_PLACE_BYTES, b"\0")) >> 1
