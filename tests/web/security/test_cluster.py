import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.settings import load_settings
from app.web.security.cluster import ClusterIdentity, is_loopback
from app.web.security.guard import cluster_identity
from app.web.security.viewer import LOCAL, Role, Viewer
from tests.web.security.asking import TOKEN, ask, bearer, guarded

CLUSTER = "the-workers-own-token"
ANN = Viewer("Ann Ü\n", Role.VIEWER, frozenset({"a1"}), frozenset({"7", "ü"}))
IDENTITY = ClusterIdentity(SecretStr(CLUSTER))

names = st.text(max_size=30)
limits = st.none() | st.frozensets(names, max_size=4)


@given(st.builds(Viewer, names, st.sampled_from(Role), limits, limits))
def test_a_viewer_arrives_as_it_was_sent(viewer):
    headers = IDENTITY.peer_headers(viewer)
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert IDENTITY.peer_viewer(headers, "203.0.113.1") == viewer
    assert IDENTITY.peer_viewer({key.lower(): value for key, value in headers.items()}, None) == viewer


@pytest.mark.parametrize(
    "change",
    [
        {"Mastery-Cluster": CLUSTER[:-1]},
        {"Mastery-Cluster": ""},
        {"Mastery-Cluster": "ü" * 20},
        {"Mastery-Viewer": ""},
        {"Mastery-Viewer": "[" * 100_000},
        {"Mastery-Viewer": "{}"},
        {"Mastery-Viewer": "null"},
        {"Mastery-Viewer": json.dumps({"name": "x", "role": "root", "accounts": None, "courses": None})},
        {"Mastery-Viewer": json.dumps({"name": "x", "role": "viewer", "accounts": "a1", "courses": None})},
        {"Mastery-Viewer": json.dumps({"name": "x", "role": "viewer", "accounts": [1], "courses": None})},
        {"Mastery-Viewer": json.dumps({"name": "x", "role": "viewer", "accounts": ["a1"]})},
    ],
)
def test_what_is_not_another_workers_is_not_believed(change):
    assert IDENTITY.peer_viewer(IDENTITY.peer_headers(ANN) | change, "127.0.0.1") is None


def test_without_any_login_loopback_is_believed_and_nothing_else():
    identity = ClusterIdentity(None, open_loopback=True)
    headers = identity.peer_headers(LOCAL)
    assert "Mastery-Cluster" not in headers
    assert identity.peer_viewer(headers, "127.0.0.1") == LOCAL
    for client in ("192.0.2.1", None, "", "localhost"):
        assert identity.peer_viewer(headers, client) is None
    assert ClusterIdentity(None).peer_viewer(headers, "127.0.0.1") is None
    assert not ClusterIdentity(None).usable


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True), ("::1%lo", True),
     ("10.0.0.1", False), ("::", False), ("0.0.0.0", False), ("::ffff:10.0.0.1", False), ("x", False)],
)  # fmt: skip
def test_loopback(host, loopback):
    assert is_loopback(host) is loopback


def test_the_web_token_stands_in_for_the_clusters(tmp_path):
    def sent(**settings):
        return cluster_identity(load_settings(**settings)).peer_headers(ANN).get("Mastery-Cluster")

    file = tmp_path / "token"
    file.write_text(f"{CLUSTER}-of-a-file\n")
    assert sent() is None
    assert sent(web_token=TOKEN) == TOKEN
    assert sent(web_token=TOKEN, cluster_token=CLUSTER) == CLUSTER
    assert sent(web_token=TOKEN, cluster_token_file=file) == f"{CLUSTER}-of-a-file"


# --- through the guard ---


@pytest.mark.parametrize(
    "settings", [{"web_token": TOKEN}, {"web_token": TOKEN, "cluster_token": CLUSTER}, {}]
)
def test_a_peers_call_is_for_its_viewer_and_local(settings):
    headers = cluster_identity(load_settings(**settings)).peer_headers(ANN)
    who = ask(guarded(**settings, web_rate_limit=0.5), headers=headers).json()
    assert (who["name"], who["role"], who["local"]) == (ANN.name, "viewer", True)
    assert (who["accounts"], who["courses"]) == (["a1"], ["7", "ü"])


def test_peers_are_not_slowed_down():
    app = guarded(web_token=TOKEN, web_rate_limit=0.5)
    headers = cluster_identity(load_settings(web_token=TOKEN)).peer_headers(ANN)
    assert {ask(app, headers=headers).status_code for _ in range(10)} == {200}


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        ({"web_token": TOKEN}, {"Mastery-Viewer": IDENTITY.peer_headers(LOCAL)["Mastery-Viewer"]}),
        ({"web_token": TOKEN}, IDENTITY.peer_headers(LOCAL)),
        ({"web_token": TOKEN}, IDENTITY.peer_headers(LOCAL) | bearer(TOKEN)),
        ({}, IDENTITY.peer_headers(LOCAL) | {"Host": "evil.example"}),
        ({}, {"Mastery-Cluster": CLUSTER}),
        (
            {"web_token": TOKEN, "cluster_token": CLUSTER},
            [*IDENTITY.peer_headers(ANN).items(), ("Mastery-Viewer", "{}")],
        ),
    ],
    ids=["no token", "another token", "beside a login", "rebound name", "no viewer", "two viewers"],
)
def test_who_only_says_it_is_a_worker_is_refused(settings, headers):
    # 401 tells the asking worker that the tokens differ; its call must not be taken for a person's.
    assert ask(guarded(**settings), headers=headers).status_code in {401, 421}


def test_a_call_from_elsewhere_without_a_token_is_refused():
    headers = ClusterIdentity(None, open_loopback=True).peer_headers(LOCAL)
    assert ask(guarded(), headers=headers, client="192.0.2.1").status_code == 401


def test_nobody_else_may_ask_for_one_workers_part():
    for app, headers in ((guarded(), {}), (guarded(web_token=TOKEN), bearer(TOKEN))):
        who = ask(app, headers=headers | {"Mastery-Local": "1"}).json()
        assert who["local"] is False
        assert "mastery-local" not in who["headers"]
    opened = ask(guarded(web_token=TOKEN), "/static/x", {"Mastery-Local": "1"}).json()
    assert "mastery-local" not in opened["headers"]
