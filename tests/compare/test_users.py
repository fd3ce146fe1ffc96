"""Uuids of Canvas's user ids, from whatever somebody has."""

import json

import pytest

from app.compare.errors import CompareTrouble
from app.compare.users import read_users

REST = [{"id": 10, "name": "Ann", "uuid": "student"}, {"id": 11, "name": "Ben", "uuid": "other"}]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(REST),
        "\n".join(map(json.dumps, REST)),
        "id,uuid\n10,student\n11,other\n",
        "value.uuid,key.id,value.name\nstudent,10,Ann\nother,11,Ben\n",
        "user_id,user_uuid\n10.0,student\n11.0,other\n",
        "kind,id,name,canvas_id\nuser,student,Ann,10\ncourse,565,Biology,\nuser,other,Ben,11\n",
    ],
)
def test_uuids_of_those_that_are_wanted(text, tmp_path):
    path = tmp_path / "users"
    path.write_text(text)
    assert read_users([path], {"10", "12"}) == {"10": "student"}


@pytest.mark.parametrize(
    "text", ["kind,id,name\nuser,student,Ann\n", "[]", '[{"id": 10, "name": "Ann"}]', "[{", ""]
)
def test_files_that_tell_none(text, tmp_path):
    path = tmp_path / "users"
    path.write_text(text)
    with pytest.raises(CompareTrouble) as trouble:
        read_users([path], {"10"})
    assert "Ann" not in trouble.value.report
