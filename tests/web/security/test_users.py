import logging
import os

import pytest

from app.web.security.passwords import hash_password
from app.web.security.tokens import hash_token
from app.web.security.users import UsersFile, UsersFileUnusable, parse_users
from app.web.security.viewer import Role, Viewer

HASH = str(hash_password("correct horse battery"))
TOKEN = hash_token("x" * 20)


def test_users_with_what_they_may_see():
    users = parse_users(
        f"""
[users.root]
role = "admin"
password_hash = "{HASH}"
[users."Frau Ü"]
role = "viewer"
token_hash = "{TOKEN}"
accounts = ["a1"]
courses = ["7", "8"]
""",
        "users.toml",
    )
    assert users["root"].viewer == Viewer("root", Role.ADMIN)
    assert users["Frau Ü"].viewer == Viewer("Frau Ü", Role.VIEWER, frozenset({"a1"}), frozenset({"7", "8"}))
    assert users["Frau Ü"].token == TOKEN
    assert HASH not in repr(users)
    assert TOKEN not in repr(users)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("[users.a]\nrole = ", "u.toml:2", "no TOML"),
        ("[users.a]\nrole = 'admin'\n[users.a]\n", "u.toml:3", "no TOML"),
        ("[users.a]\nrole = 'admin'\n[login.b]\nrole = 'admin'", "u.toml:3", "login"),
        ("users = 3", "u.toml:1", "must be tables"),
        ("[users]\na = 3", "u.toml:2", "users.a must be a table"),
        (
            "[users.a]\nrole = 'admin'\n\n[users.b]\n# none\nrole = 'root'",
            "u.toml:6",
            "users.b.role must be one of",
        ),
        ("[users.b]", "u.toml:1", "users.b.role must be one of aggregate, viewer, admin"),
        ("[users.a]\nrole='admin'\npassword='hunter2'", "u.toml:3", "users.a.password is not known"),
        ("[users.a]\nrole='admin'\npassword_hash='hunter2'", "u.toml:3", "users.a.password_hash is no hash"),
        ("[users.a]\nrole='admin'\ntoken_hash='hunter2'", "u.toml:3", "users.a.token_hash is no hash"),
        ("[users.a]\nrole='admin'\ntoken_hash=7", "u.toml:3", "users.a.token_hash must be text"),
        ("[users.a]\nrole='viewer'\naccounts='hunter2'", "u.toml:3", "users.a.accounts must be a list"),
        ("[users.a]\nrole='viewer'\ncourses=[]", "u.toml:3", "users.a.courses must be a list"),
        ("[users.a]\nrole='viewer'\ncourses=[12]", "u.toml:3", "users.a.courses must be a list"),
        ("[users.'a:b']\nrole='viewer'", "u.toml:1", "users.a:b cannot be a login"),
        (
            f"[users.a]\nrole='viewer'\ntoken_hash='{TOKEN}'\n[users.b]\nrole='viewer'\ntoken_hash='{TOKEN}'",
            "u.toml:6",
            "that of a, too",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_without_its_value(text, where, what):
    with pytest.raises(UsersFileUnusable) as caught:
        parse_users(text, "u.toml")
    assert str(caught.value).startswith(f"{where}: ")
    assert what in str(caught.value)
    assert "hunter2" not in caught.value.report
    assert TOKEN not in caught.value.report


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_changed_file_is_taken_in_and_a_broken_one_is_not(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    file, clock = tmp_path / "users.toml", Clock()
    file.write_text("[users.a]\nrole = 'admin'\n")
    users = UsersFile(file, clock)
    file.write_text("[users.b]\nrole = 'viewer'\n")
    assert list(users.users) == ["a"], "a second has not passed"
    clock.now += 1.5
    assert list(users.users) == ["b"]
    file.write_text("[users.c]\nrole = 'hunter2'\n")
    caplog.clear()
    for _ in range(3):
        clock.now += 1.5
        assert list(users.users) == ["b"]
    (line,) = caplog.messages
    assert f"{file}:2" in line
    assert "hunter2" not in line
    file.unlink()
    clock.now += 1.5
    assert list(users.users) == ["b"]
    file.write_text("[users.d]\nrole = 'viewer'\n")
    clock.now += 1.5
    assert list(users.users) == ["d"]


def test_a_file_put_in_its_place_with_the_same_size_and_time_is_seen(tmp_path):
    file, clock = tmp_path / "users.toml", Clock()
    file.write_text("[users.a]\nrole = 'admin'\n")
    users = UsersFile(file, clock)
    other = tmp_path / "other"
    other.write_text("[users.b]\nrole = 'admin'\n")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    clock.now += 2
    assert list(users.users) == ["b"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_ends_the_start(tmp_path, content):
    file = tmp_path / "users.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsersFileUnusable, match=r"users\.toml") as caught:
        UsersFile(file)
    assert caught.value.exit_code == 2
