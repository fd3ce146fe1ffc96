"""Names for ids."""

from pathlib import Path

import pytest

from app.roster import RosterFile, RosterUnusable, read_roster

ROSTER = """\
kind,id,name,login
user,uuid-1,Ann Lee,ann
user,uuid-2,"Müller, Jürgen",jm
user,uuid-3,  Ann Marie Lopez ,aml
course,12,Biology 101,
user,uuid-4,,
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "roster.csv"
    path.write_text(ROSTER, encoding="utf-8-sig")
    return path


def test_names_by_id(file: Path) -> None:
    roster = read_roster(file)
    assert roster.user_name("uuid-2") == "Müller, Jürgen"
    assert roster.user_name("uuid-3") == "Ann Marie Lopez"
    assert roster.course_name("12") == "Biology 101"
    assert roster.course_name(None) is None
    assert roster.user_name("12") is None
    assert roster.user_name("uuid-4") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ann", ["uuid-1", "uuid-3"]),
        ("ANN lop", ["uuid-3"]),
        ("jürgen MÜLLER", ["uuid-2"]),
        ("bob", []),
        ("  ", []),
    ],
)
def test_search_by_name(file: Path, text: str, found: list[str]) -> None:
    assert read_roster(file).find_users(text, 10) == found
    assert read_roster(file).find_users(text, 1) == found[:1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kind,id\nuser,1\n", "no column name"),
        ("kind,id,name\nperson,secret-id,Secret Name\n", "line 2"),
        ("kind,id,name\nuser,,Secret Name\n", "line 2"),
        ('kind,id,name\nuser,1,"Secret Name\n', "unexpected end"),
        ("", "no column id, kind, name"),
    ],
)
def test_what_is_wrong_is_told_without_the_names(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "roster.csv"
    path.write_text(text)
    with pytest.raises(RosterUnusable) as caught:
        read_roster(path)
    assert told in str(caught.value)
    assert "ecret" not in caught.value.report


def test_a_file_that_is_not_there_or_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(RosterUnusable, match="No such file"):
        read_roster(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes("kind,id,name\nuser,1,Jürgen\n".encode("latin-1"))
    with pytest.raises(RosterUnusable, match="not UTF-8"):
        read_roster(tmp_path / "latin.csv")


def test_read_again_when_it_changes(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = RosterFile(file)
    assert names().user_name("uuid-1") == "Ann Lee"
    file.write_text("kind,id,name\nuser,uuid-1,Ann Lee-Smith\n")
    assert names().user_name("uuid-1") == "Ann Lee-Smith"
    file.write_text("nothing of use")
    assert names().user_name("uuid-1") == "Ann Lee-Smith"
    file.unlink()
    assert names().user_name("uuid-1") == "Ann Lee-Smith"
    assert caplog.text.count("the names read before stay") == 2
    assert "Smith" not in caplog.text


def test_no_roster() -> None:
    assert RosterFile(None)().user_name("uuid-1") is None
