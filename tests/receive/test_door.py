import base64

import pytest

from app.receive.door import Door, open_door
from app.receive.refusals import Refusal, Refused
from app.settings import SettingsError, load_settings

ONE, TWO = "first-secret-0123456789", "second-secret-0123456789"


def answer(door, path, authorization=""):
    try:
        door.admit(path, authorization)
    except Refused as error:
        return error.refusal
    return None


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_each_of_several_secrets_lets_in():
    door = open_door(load_settings(receive_path_secret=f"{ONE},{TWO}"))
    assert answer(door, ONE) is answer(door, TWO) is None
    for wrong in (None, "", f"{ONE},{TWO}", ONE[:-1], ONE.upper(), "é"):
        assert answer(door, wrong) is Refusal.WRONG_SECRET
    assert not door.asks_for_login


def test_a_login():
    door = open_door(load_settings(receive_basic_auth="canvas:pass:word"))
    assert answer(door, None, basic("canvas:pass:word")) is None
    assert answer(door, None, "basic " + basic("canvas:pass:word")[6:]) is None
    for wrong in ("", "Bearer x", "Basic", "Basic !!", basic("canvas:"), basic("canvas:pass:word")[:-4]):
        assert answer(door, None, wrong) is Refusal.WRONG_SECRET
    assert answer(door, ONE, basic("canvas:pass:word")) is Refusal.NOT_FOUND
    assert door.asks_for_login


def test_signed_events_need_no_secret_and_nothing_else_does_without():
    assert answer(open_door(load_settings(receive_signed=True)), None) is None
    with pytest.raises(SettingsError, match="MASTERY_RECEIVE_PATH_SECRET") as caught:
        open_door(load_settings())
    assert "MASTERY_RECEIVE_SIGNED" in caught.value.hint


def test_a_secret_from_a_file(tmp_path):
    file = tmp_path / "secret"
    file.write_text(f"{ONE}\n")
    assert answer(open_door(load_settings(receive_path_secret_file=file)), ONE) is None


@pytest.mark.parametrize("content", [b"", b"short", b"with/slash-0123456789", b"\xff" * 20])
def test_a_file_without_a_secret(tmp_path, content):
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match="MASTERY_RECEIVE_PATH_SECRET_FILE") as caught:
        open_door(load_settings(receive_path_secret_file=file))
    assert "slash" not in str(caught.value)


def test_no_file():
    with pytest.raises(SettingsError, match="No such file"):
        open_door(load_settings(receive_path_secret_file="/nowhere/secret"))


@pytest.mark.parametrize(
    "given",
    [
        {"receive_path_secret": "short"},
        {"receive_path_secret": "has/a/slash/in/it/somewhere"},
        {"receive_path_secret": f"{ONE},"},
        {"receive_path_secret": ONE, "receive_basic_auth": "a:b"},
        {"receive_basic_auth": "nothing"},
        {"receive_jwks_url": "http://keys.example/jwks"},
        {"receive_timeout": 15},
    ],
)
def test_settings_that_cannot_be_used(given):
    with pytest.raises(SettingsError, match="MASTERY_RECEIVE_") as caught:
        load_settings(**given)
    assert ONE not in str(caught.value)


def test_no_digest_shows_a_secret():
    assert ONE not in repr(vars(Door(path=(ONE,))))
