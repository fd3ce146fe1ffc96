import stat

import pytest

from app.web.security.tokens import token_in


def test_makes_a_token_once(mastery, tmp_path):
    file = tmp_path / "secrets" / "web-token"
    made = mastery("web-token", file)
    assert (made.status, made.out) == (0, f"made {file}\n")
    token = token_in(file).get_secret_value()
    assert len(token) >= 32
    assert token not in made.out + made.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = mastery("web-token", file)
    assert (kept.status, kept.out) == (0, f"kept {file}\n")
    assert token_in(file).get_secret_value() == token


def test_a_new_one_replaces_the_old(mastery, tmp_path):
    file = tmp_path / "web-token"
    mastery("web-token", file)
    before = file.read_text()
    assert mastery("web-token", "--new", file).status == 0
    assert file.read_text() != before
    assert [path.name for path in tmp_path.iterdir()] == ["web-token"]


@pytest.mark.parametrize("content", ["", "something else that is worth keeping\n"])
def test_a_file_that_holds_something_else_stays_as_it_is(mastery, tmp_path, content):
    file = tmp_path / "notes"
    file.write_text(content)
    outcome = mastery("web-token", file)
    assert outcome.status == 1
    assert "holds no token" in outcome.err
    assert file.read_text() == content


def test_a_folder_that_cannot_be_made(mastery, tmp_path):
    (tmp_path / "file").write_text("")
    outcome = mastery("web-token", tmp_path / "file" / "token")
    assert outcome.status == 1
    assert outcome.err.startswith("error: cannot write")
