import hmac

import pytest

from app.settings import SettingsError, load_settings
from app.web.security.binding import LoginMissing, require_login_for
from app.web.security.passwords import hash_password
from app.web.security.tokens import hash_token
from tests.web.security.asking import TOKEN, ask, basic, bearer, guarded, users_file

PASSWORD = "correct horse battery"
HASH = hash_password(PASSWORD)
USERS = (
    f'[users.ann]\nrole = "viewer"\npassword_hash = "{HASH}"\naccounts = ["a1"]\ncourses = ["7"]\n',
    f'[users.grafana]\nrole = "aggregate"\ntoken_hash = "{hash_token("g" * 30)}"\n',
    '[users.carl]\nrole = "viewer"\ncourses = ["8"]\n',
)


@pytest.fixture
def app(tmp_path):
    return guarded(web_users_file=users_file(tmp_path, *USERS), web_token=TOKEN)


@pytest.mark.parametrize(
    ("headers", "name", "role"),
    [
        (bearer(TOKEN), "token", "admin"),
        (basic("anybody", TOKEN), "token", "admin"),
        (basic("ann", PASSWORD), "ann", "viewer"),
        (bearer("g" * 30), "grafana", "aggregate"),
        (basic("whatever", "g" * 30), "grafana", "aggregate"),
    ],
    ids=["token", "token as password", "password", "user's token", "user's token as password"],
)
def test_ways_to_log_in(app, headers, name, role):
    who = ask(app, headers=headers).json()
    assert (who["name"], who["role"]) == (name, role)


def test_limits_of_the_file_reach_the_answer(app):
    who = ask(app, headers=basic("ann", PASSWORD), client="203.0.113.9").json()
    assert (who["accounts"], who["courses"]) == (["a1"], ["7"])
    assert (who["client"], who["path"], who["local"]) == ("203.0.113.9", "/api/mastery", False)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("ann", PASSWORD + "x"),
        basic("ann", ""),
        basic("carl", ""),
        basic("carl", PASSWORD),
        basic("nobody", PASSWORD),
        basic("ann", str(HASH)),
        bearer(PASSWORD),
        bearer(hash_token("g" * 30)),
        bearer(""),
        {"Authorization": "Basic"},
        {"Authorization": "Basic ===="},
        {"Authorization": "Basic " + "A" * 4000},
        {"X-Remote-User": "ann", "X-Remote-Role": "admin"},
        [("Authorization", "Bearer nonsense"), ("Authorization", f"Bearer {TOKEN}")],
    ],
)
def test_nothing_else_lets_in(app, headers):
    refused = ask(app, headers=headers)
    assert refused.status_code == 401
    assert refused.headers["content-type"] == "application/problem+json"
    assert [one.partition(" ")[0] for one in refused.headers.get_list("www-authenticate")] == [
        "Bearer",
        "Basic",
    ]
    assert PASSWORD not in refused.text


def test_a_token_is_compared_in_a_time_that_tells_nothing(app, monkeypatch):
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))
    ask(app, headers=bearer("x" * 30))
    # With each token there is, whichever fits, and by digests: their length says nothing of a token's.
    assert len(compared) == 2
    assert {len(one) for pair in compared for one in pair} == {len(hash_token(""))}


def test_a_password_is_hashed_once_a_minute(app, monkeypatch):
    from app.web.security.passwords import PasswordHash

    looks = []
    fits = PasswordHash.fits
    monkeypatch.setattr(PasswordHash, "fits", lambda self, text: looks.append(text) or fits(self, text))
    for _ in range(5):
        assert ask(app, headers=basic("ann", PASSWORD)).status_code == 200
    assert len(looks) == 1


def test_wrong_passwords_are_slowed_down_right_ones_and_tokens_are_not(app, monkeypatch):
    from app.web.security.passwords import PasswordHash

    monkeypatch.setattr(PasswordHash, "fits", lambda self, text: text == PASSWORD)
    statuses = [ask(app, headers=basic("ann", f"guess {n}")).status_code for n in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    slowed = ask(app, headers=basic("ann", PASSWORD))
    assert slowed.status_code == 429
    assert int(slowed.headers["retry-after"]) >= 1
    assert ask(app, headers=basic("ann", PASSWORD), client="203.0.113.7").status_code == 200
    assert ask(app, headers=basic("ann", PASSWORD)).status_code == 200, "known for a minute"
    assert ask(app, headers=bearer(TOKEN)).status_code == 200


def test_many_right_logins_of_one_address_are_no_attack(tmp_path, monkeypatch):
    from app.web.security.passwords import PasswordHash

    monkeypatch.setattr(PasswordHash, "fits", lambda self, text: text == PASSWORD)
    entries = [f'[users.u{n}]\nrole = "viewer"\npassword_hash = "{HASH}"\n' for n in range(20)]
    app = guarded(web_users_file=users_file(tmp_path, *entries))
    assert {ask(app, headers=basic(f"u{n}", PASSWORD)).status_code for n in range(20)} == {200}


# --- reverse proxies ---

PROXY = {"web_trusted_proxies": "10.0.0.0/8,127.0.0.1", "web_proxy_user_header": "X-Remote-User"}
SECRET = "what-the-proxy-sends-too"


def test_a_trusted_proxy_says_who_and_the_file_what_they_may_see(tmp_path):
    app = guarded(**PROXY, web_users_file=users_file(tmp_path, *USERS))
    who = ask(app, headers={"X-Remote-User": "carl"}, client="10.1.2.3").json()
    assert (who["name"], who["role"], who["courses"]) == ("carl", "viewer", ["8"])
    unknown = ask(app, headers={"X-Remote-User": "eve"}, client="10.1.2.3")
    assert unknown.status_code == 403
    assert "Nobody has said what eve may see" in unknown.text


def test_a_trusted_proxy_gives_the_role_where_it_is_asked_for(tmp_path):
    app = guarded(**PROXY, web_proxy_role_header="X-Role", web_users_file=users_file(tmp_path, *USERS))

    def asked(role):
        return ask(app, headers={"X-Remote-User": "carl", **role}, client="10.1.2.3")

    who = asked({"X-Role": "Admin"}).json()
    assert (who["role"], who["courses"]) == ("admin", ["8"])
    assert asked({"X-Role": "root"}).status_code == 403
    assert asked({}).status_code == 403


@pytest.mark.parametrize(
    ("client", "headers"),
    [
        ("192.0.2.1", [("X-Remote-User", "root")]),
        ("11.0.0.1", [("X-Remote-User", "root"), ("X-Forwarded-For", "10.0.0.1")]),
        ("testclient", [("X-Remote-User", "root")]),
        ("10.0.0.1", [("X-Remote-User", "")]),
        ("10.0.0.1", [("X-Remote-User", "root"), ("X-Remote-User", "carl")]),
        ("10.0.0.1", [("X-Remote-User", "root"), ("X-Role", "admin"), ("X-Role", "viewer")]),
        ("10.0.0.1", []),
    ],
    ids=["untrusted", "forwarded", "no address", "no name", "two names", "two roles", "no header"],
)
def test_headers_of_others_and_doubtful_ones_are_nothing(client, headers):
    app = guarded(**PROXY, web_proxy_role_header="X-Role")
    headers = [*headers] if any(name == "X-Role" for name, _ in headers) else [*headers, ("X-Role", "admin")]
    assert ask(app, headers=headers, client=client).status_code == 401


@pytest.mark.parametrize("given", [None, "", SECRET[:-1], SECRET + "x"])
def test_with_a_secret_the_address_alone_is_not_enough(given):
    app = guarded(**PROXY, web_proxy_role_header="X-Role", web_proxy_secret=SECRET)
    headers = {"X-Remote-User": "root", "X-Role": "admin"}
    wrong = {} if given is None else {"X-Mastery-Proxy-Secret": given}
    assert ask(app, headers=headers | wrong, client="10.0.0.1").status_code == 401
    right = {"X-Mastery-Proxy-Secret": SECRET}
    assert ask(app, headers=headers | right, client="10.0.0.1").json()["role"] == "admin"


def test_behind_a_proxy_the_address_is_the_one_it_saw():
    app = guarded(**PROXY, web_proxy_role_header="X-Role")
    headers = {"X-Remote-User": "root", "X-Role": "admin"}

    def client(way, at="10.0.0.1"):
        return ask(app, headers=headers | {"X-Forwarded-For": way}, client=at).json()["client"]

    assert client("6.6.6.6, 203.0.113.4") == "203.0.113.4", "the first may be made up"
    assert client("203.0.113.4, 10.9.9.9") == "203.0.113.4"
    assert client("nonsense") == "10.0.0.1"
    assert client("::ffff:203.0.113.4", at="::ffff:10.0.0.1") == "::ffff:203.0.113.4"


@pytest.mark.parametrize("name", ["a:b", "x" * 200, "line\tfeed"])
def test_a_name_that_a_log_could_not_hold_is_refused(name):
    app = guarded(**PROXY, web_proxy_role_header="X-Role")
    answer = ask(app, headers={"X-Remote-User": name, "X-Role": "admin"}, client="10.0.0.1")
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"web_proxy_user_header": "X-User"}, "needed together"),
        ({"web_trusted_proxies": "10.0.0.1"}, "needed together"),
        ({"web_proxy_role_header": "X-Role"}, "MASTERY_WEB_PROXY_USER_HEADER is not"),
        ({"web_trusted_proxies": "10.0.0.1/8"}, "MASTERY_WEB_TRUSTED_PROXIES: must be addresses"),
        ({**PROXY, "web_proxy_user_header": "Authorization"}, "must be the name of a header"),
        ({**PROXY, "web_proxy_secret": "short"}, "at least 16"),
        ({"cluster_token": "x" * 20, "cluster_token_file": "x"}, "both set"),
        ({"web_rate_limit": -1}, "MASTERY_WEB_RATE_LIMIT"),
    ],
)
def test_settings_that_would_let_nobody_or_anybody_in(settings, text):
    with pytest.raises(SettingsError, match=text):
        load_settings(**settings)


# --- where others reach it ---


@pytest.mark.parametrize("settings", [{"web_token": TOKEN}, PROXY | {"web_proxy_role_header": "X-Role"}])
def test_any_login_will_do_for_every_address(settings):
    require_login_for("somewhere", "0.0.0.0", load_settings(**settings))


def test_a_users_file_will_do_if_somebody_can_log_in_by_it(tmp_path):
    require_login_for("all", "::", load_settings(web_users_file=users_file(tmp_path, *USERS)))
    nobody = load_settings(web_users_file=users_file(tmp_path, USERS[2]))
    for address in ("::", "127.0.0.1"):
        with pytest.raises(LoginMissing, match="names nobody who could log in") as caught:
            require_login_for("all", address, nobody)
        assert "mastery web-user" in caught.value.hint
