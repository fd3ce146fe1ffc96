"""The gradebook's CSV export, in its forms and languages."""

import pytest

from app.compare.canvas import CanvasScore
from app.compare.errors import CompareTrouble
from app.compare.gradebook import read_gradebook

ENGLISH = "Student name,Student ID,Cells > Names parts result,Cells > Names parts mastery points"


@pytest.mark.parametrize(
    ("text", "score"),
    [
        (f"{ENGLISH}\nAnn,10,3.5,3\n", 3.5),
        (f"\ufeff{ENGLISH}\r\nAnn,10,3.5,3\r\n", 3.5),
        (ENGLISH.replace("Student ID", "Student ID,Student SIS ID") + "\nAnn,10,a1,3.5,3\n", 3.5),
        ("Name,ID,Zellen > Names parts Ergebnis,Zellen > Names parts Erfolgspunkte\nAnn,10,3.5,3\n", 3.5),
        (f"{ENGLISH}\nAnn,10,3.5,3\n".replace(",", ";").replace("3.5", "3,5"), 3.5),
        (f"{ENGLISH}\nAnn,10,3.5,3\n".replace(",", "\t"), 3.5),
        ('Name,ID,Names parts result,Names parts mastery points\nAnn,10,"3,5",3\n', 3.5),
    ],
)
def test_titles_and_scores(text, score, tmp_path):
    path = tmp_path / "gradebook.csv"
    path.write_text(text, encoding="utf-8")
    found = read_gradebook([path])
    assert found.scores == {("10", "Names parts"): CanvasScore(score, None)}
    assert (found.titles, found.users, found.repeated) == ({"Names parts"}, {"10"}, set())


def test_no_score_and_titles_that_come_twice(tmp_path):
    path = tmp_path / "gradebook.csv"
    columns = "a > X result,a > X mastery points,b > X result,b > X mastery points,Y result,Y mastery points"
    path.write_text(f"Student name,Student ID,{columns}\nAnn,10,1,3,2,3,,3\n\nBen,11,1,3,2,3,4,3\n")
    found = read_gradebook([path])
    assert found.scores == {("11", "Y"): CanvasScore(4.0, None)}
    assert (found.titles, found.users, found.repeated) == ({"X", "Y"}, {"10", "11"}, {"X"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "id,uuid\n10,student\n",
        f"{ENGLISH}\nAnn,10,3.5\n",
        f"{ENGLISH}\nAnn,Ann,3.5,3\n",
        f"{ENGLISH}\nAnn,10,Ann,3\n",
        f'{ENGLISH}\n"Ann\n',
        b"\xff\xfe",
    ],
)
def test_what_is_none_is_refused(text, tmp_path):
    path = tmp_path / "gradebook.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CompareTrouble) as trouble:
        read_gradebook([path])
    assert "Ann" not in trouble.value.report
