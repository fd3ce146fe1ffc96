import base64
import subprocess
import sys

import httpx
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from starlette.testclient import TestClient

from app.schemas.contract import load_contract
from app.schemas.registry_client import RegistryClient
from app.schemas.registry_errors import RegistryRefused
from app.settings import Settings, SettingsError, load_settings
from app.stream.progress import Progress
from app.web.application import build_application
from app.web.listen import listen
from app.web.security.binding import LoginMissing, require_login_for
from app.web.security.tokens import WebTokenUnusable, read_token
from app.web.site import Site
from tests.support.web import served
from tests.support.worker import CHECKOUT, command_environment

TOKEN = "a-token.that_is~long+enough/=="
GUARDED = ["/", "/metrics", "/registry/subjects", "/registry/schemas/ids/1", "/health", "/nothing"]
EVENT = load_contract().events["learning_outcome_created"]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture(scope="module")
def url(catalogue):
    """Address of a guarded site."""
    site = Site(load_settings(web_port=0, web_token=TOKEN), Progress(), schemas=catalogue)
    with served(site) as url:
        yield url


@pytest.fixture
def client(url):
    with httpx.Client(base_url=url) as client:
        yield client


@pytest.mark.parametrize("path", GUARDED)
def test_everything_but_health_wants_the_token(client, path):
    refused = client.get(path)
    assert refused.status_code == 401
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["status"] == 401
    # Registry clients look for theirs.
    assert refused.json().get("error_code") == (401 if path.startswith("/registry") else None)
    assert TOKEN not in refused.text
    challenges = refused.headers.get_list("WWW-Authenticate")
    assert [challenge.partition(" ")[0] for challenge in challenges] == ["Bearer", "Basic"]
    assert client.get(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code not in {401, 403}


def test_health_is_open_to_all(client):
    assert client.get("/health/live").status_code == 200
    assert client.get("/health/ready").status_code in {200, 503}


@pytest.mark.parametrize(
    "path", ["/health/../metrics", "//metrics", "/health/%2e%2e/metrics", "/HEALTH/live"]
)
def test_no_way_round_by_the_path(url, path):
    # As it stands: httpx would tidy the path up.
    request = httpx.Request("GET", url, extensions={"target": path.encode()})
    with httpx.Client() as client:
        assert client.send(request).status_code in {401, 404}


@pytest.mark.parametrize(
    "header",
    [f"Bearer {TOKEN}", f"bearer  {TOKEN}", basic("me", TOKEN), basic("", TOKEN)],
    ids=["bearer", "bearer in lower case", "basic", "basic without a user"],
)
def test_the_token_lets_in(client, header):
    assert client.get("/metrics", headers={"Authorization": header}).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        TOKEN,
        f"Digest {TOKEN}",
        f"Basic {TOKEN}",
        "Basic ***",
        "Basic é",
        basic(TOKEN, ""),
        basic("me", "x"),
        base64.b64encode(TOKEN.encode()).decode(),
    ],
)
def test_nothing_else_does(client, header):
    answer = client.get("/metrics", headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401


def test_writes_are_refused_before_anything_is_told(client):
    assert client.post("/registry/subjects/x/versions", json={}).status_code == 401


def test_a_stock_registry_client_logs_in_with_the_token_as_password(url):
    config = {"url": f"{url}/registry", "basic.auth.user.info": f"consumer:{TOKEN}"}
    with SchemaRegistryClient(config) as registry:
        assert registry.get_schema(EVENT.local_id).schema_str == EVENT.text


def test_our_own_registry_client_logs_in_and_says_what_is_wrong(url):
    url = f"{url}/registry"
    with RegistryClient(
        load_settings(schema_registry_url=url, schema_registry_auth=f"consumer:{TOKEN}")
    ) as registry:
        assert registry.by_id(EVENT.local_id) == EVENT.text
    with (
        RegistryClient(load_settings(schema_registry_url=url)) as registry,
        pytest.raises(RegistryRefused, match="HTTP 401") as caught,
    ):
        registry.by_id(EVENT.local_id)
    assert "MASTERY_SCHEMA_REGISTRY_AUTH" in caught.value.hint


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_no_address_that_others_reach_without_a_token(host):
    with pytest.raises(LoginMissing) as caught:
        listen(load_settings(web_host=host, web_port=0))
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"MASTERY_WEB_HOST: other machines reach {host}")
    assert "mastery web-token" in caught.value.hint


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::1%lo"])
def test_loopback_needs_no_token(address):
    require_login_for("localhost", address, Settings())


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "fe80::1%eth0", "10.0.0.1"])
def test_with_a_token_every_address_will_do(address):
    require_login_for("somewhere", address, load_settings(web_token=TOKEN))


def test_a_worker_without_a_token_says_so_in_one_line_and_ends(settings):
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "worker"],
        env=command_environment(settings, MASTERY_WEB_HOST="0.0.0.0"),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "error: MASTERY_WEB_HOST: other machines reach 0.0.0.0" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_file_is_read_at_each_start(progress, tmp_path):
    file = tmp_path / "token"
    for token in (TOKEN, "another-" + TOKEN):
        file.write_text(f"{token}\n")
        site = Site(load_settings(web_token_file=file), progress)
        with TestClient(build_application(site)) as client:
            answer = client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200


@pytest.mark.parametrize("content", [None, b"", b"hunter2\n", b"hunter2 hunter2 hunter2", b"\xff" * 40])
def test_a_file_without_a_token_is_refused_and_not_shown(tmp_path, content):
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(WebTokenUnusable) as caught:
        read_token(load_settings(web_token_file=file))
    assert str(file) in str(caught.value)
    assert "hunter2" not in caught.value.report
    assert f"mastery web-token --new {file}" in caught.value.hint


@pytest.mark.parametrize("token", ["short", "with a space in the middle", "x" * 600, "ü" * 30])
def test_a_token_that_clients_could_not_send_is_refused_and_not_shown(token):
    with pytest.raises(SettingsError, match="MASTERY_WEB_TOKEN: must be at least 16") as caught:
        load_settings(web_token=token)
    assert token not in caught.value.report


def test_token_and_file_are_one_too_many(tmp_path):
    with pytest.raises(SettingsError, match="MASTERY_WEB_TOKEN and MASTERY_WEB_TOKEN_FILE are both set"):
        load_settings(web_token=TOKEN, web_token_file=tmp_path / "token")
