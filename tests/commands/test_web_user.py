import stat

import pytest

from app.web.security.tokens import hash_token
from app.web.security.users import parse_users
from app.web.security.viewer import Role, Viewer

PASSWORD = "correct horse battery"


def test_an_entry_is_printed_that_the_users_file_can_hold(mastery):
    made = mastery(
        "web-user", "Frau Ü", "--role", "viewer", "--account", "a1", "--course", "7", "--course", "8",
        stdin=f"{PASSWORD}\n".encode(),
    )  # fmt: skip
    assert made.status == 0
    assert PASSWORD not in made.out + made.err
    user = parse_users(made.out, "it")["Frau Ü"]
    assert user.viewer == Viewer("Frau Ü", Role.VIEWER, frozenset({"a1"}), frozenset({"7", "8"}))
    assert user.password.fits(PASSWORD)
    assert not user.password.fits(PASSWORD + "x")


def test_a_token_is_shown_once_and_only_its_hash_kept(mastery, tmp_path):
    file = tmp_path / "more" / "users.toml"
    made = mastery("web-user", "grafana", "--role", "aggregate", "--token", "--file", file)
    assert (made.status, made.out) == (0, f"added grafana to {file}\n")
    token = made.err.strip().rpartition(" ")[2]
    assert token not in file.read_text()
    assert parse_users(file.read_text(), "it")["grafana"].token == hash_token(token)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_entries_are_added_and_none_twice(mastery, tmp_path):
    file = tmp_path / "users.toml"
    file.write_text('[users.a]\nrole = "admin"')
    assert mastery("web-user", "b", "--role", "viewer", "--no-login", "--file", file).status == 0
    assert sorted(parse_users(file.read_text(), "it")) == ["a", "b"]
    again = mastery("web-user", "b", "--role", "viewer", "--no-login", "--file", file)
    assert again.status == 1
    assert "has a login b already" in again.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["a:b", "--role", "admin"], "no colon"),
        (["a", "--role", "root"], "not one of"),
        (["a", "--role", "admin", "--token", "--no-login"], "exclude each other"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(mastery, arguments, text):
    outcome = mastery("web-user", *arguments)
    assert outcome.status == 2
    assert text in outcome.err


def test_a_short_password_is_refused_and_not_shown(mastery):
    outcome = mastery("web-user", "a", "--role", "admin", stdin=b"hunter2\n")
    assert outcome.status == 1
    assert "fewer than 10 characters" in outcome.err
    assert "hunter2" not in outcome.err
