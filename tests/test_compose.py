"""Dockerfile and docker-compose.yml: checked by their rules, and run with processes for containers."""

import json
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import httpx
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from app.embedded.samples import sample_events
from app.schemas.contract import load_contract
from app.settings import Settings, unknown_variables
from tests.kafka.artifacts import KAFKA_VERSION, REGISTRY_VERSION, why_not
from tests.support.brokers import cannot_run
from tests.support.compose import ComposeStack, read_compose
from tests.support.dockerfile import Dockerfile, ignored
from tests.support.records import read_all
from tests.support.tools import compose_parser, hadolint
from tests.support.waiting import wait_until
from tests.support.worker import CHECKOUT

DOCKERFILE = Dockerfile.read(CHECKOUT / "Dockerfile")
DOCKERIGNORE = (CHECKOUT / ".dockerignore").read_text()
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
TYPED = [f"canvas.{name}" for name in load_contract().events]
WORKERS = ("worker-1", "worker-2")

# Not in `make test`: the parser is compiled on first use.
with_the_parser = pytest.mark.kafka


def with_the_stack(test):
    """The first of these starts all services, on a machine that may have other things to do."""
    return pytest.mark.timeout(300)(pytest.mark.registry(pytest.mark.kafka(test)))


@pytest.fixture(scope="module")
def parser():
    found = compose_parser()
    if found is None:
        cannot_run("no compose parser: go not found on the PATH")
    return found


@pytest.fixture(scope="module")
def model(parser):
    return read_compose(parser)


@pytest.fixture(scope="module")
def stack(model, tmp_path_factory):
    if (reason := why_not()) is not None:
        cannot_run(f"no real Kafka: {reason}")
    with ComposeStack(model, DOCKERFILE, tmp_path_factory.mktemp("compose")) as running:
        running.up()
        for worker in WORKERS:
            running.wait_healthy(worker)
        yield running


def token_of(stack):
    return (stack.volume("web-token") / "web-token").read_text().strip()


def test_everything_that_is_copied_is_there_and_not_ignored():
    assert DOCKERFILE.copied
    for source in DOCKERFILE.copied:
        assert (CHECKOUT / source).exists(), source
        files = [source] if (CHECKOUT / source).is_file() else _tracked(source)
        assert files
        assert [name for name in files if ignored(DOCKERIGNORE, name)] == []


def test_nothing_else_comes_into_the_build():
    kept = {name for name in _tracked(".") if not ignored(DOCKERIGNORE, name)}
    assert {name.partition("/")[0] for name in kept} == set(DOCKERFILE.copied)
    for name in (".env", ".git/config", "app/x.pyc", "app/web/__pycache__/x.pyc", ".venv/bin/python"):
        assert ignored(DOCKERIGNORE, name), name


def test_the_image_gets_what_workers_need_and_nothing_more():
    (script,) = re.findall(r"python -c '(import tomllib.*?)'", DOCKERFILE.all("RUN", stage=0)[1])
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.splitlines() == PROJECT["project"]["dependencies"]
    installs = [line for run in DOCKERFILE.all("RUN") for line in re.findall(r"pip install [^&]*", run)]
    assert installs
    # Every version comes from the lock, but for the wheel that was built here.
    assert all("--constraint requirements.lock" in line or "--no-deps dist/" in line for line in installs)


def test_the_worker_is_no_root_and_gets_signals_itself():
    assert DOCKERFILE.command == ["mastery", "worker"]
    (user,) = DOCKERFILE.all("USER", stage=-1)
    uid, gid = map(int, user.split(":"))
    assert uid == gid > 0
    (made,) = DOCKERFILE.all("RUN", stage=-1)
    assert f"--uid {uid}" in made
    assert f"--owner={uid}" in made
    assert DOCKERFILE.environment["MASTERY_STATE_DIR"] in made


@with_the_parser
def test_hadolint_finds_nothing():
    done = subprocess.run([hadolint(), CHECKOUT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@with_the_parser
def test_the_parser_finds_what_is_wrong(parser, tmp_path):
    text = (CHECKOUT / "docker-compose.yml").read_text()
    for right, wrong, problem in [
        ("healthcheck:", "health_check:", "health_check"),
        ("[ALL]", "ALL", "cap_drop"),
        ("    setup: {", "    set-up: {", "undefined service"),
        ("worker-1-state:/", "worker-one:/", "undefined volume"),
    ]:
        assert right in text
        (tmp_path / "docker-compose.yml").write_text(text.replace(right, wrong))
        with pytest.raises(ValueError, match=problem):
            read_compose(parser, tmp_path)


@with_the_parser
def test_images_are_those_that_the_tests_run(model):
    images = {name: service["image"] for name, service in model["services"].items()}
    assert images.pop("kafka") == f"apache/kafka:{KAFKA_VERSION}"
    assert images.pop("registry") == f"apicurio/apicurio-registry:{REGISTRY_VERSION}"
    assert set(images.values()) == {"mastery-stream:local"}
    # Two that build one tag at the same time fail the first build.
    assert [name for name, service in model["services"].items() if "build" in service] == ["setup"]


@with_the_parser
def test_ports_are_open_to_this_machine_alone_and_can_be_chosen(parser, model):
    chosen = {"KAFKA_PORT": "19192", "REGISTRY_PORT": "1", "WORKER_1_PORT": "2", "WORKER_2_PORT": "3"}
    for variables in ({}, chosen):
        services = read_compose(parser, **variables)["services"]
        ports = [port for service in services.values() for port in service.get("ports", ())]
        assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
        published = [port["published"] for port in ports]
        assert sorted(published) == sorted(variables.values() or ["9092", "8081", "6066", "6067"])
        advertised = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
        assert f"HOST://127.0.0.1:{services['kafka']['ports'][0]['published']}" in advertised


@with_the_parser
def test_settings_from_a_file_reach_the_workers_and_the_job(parser, tmp_path):
    shutil.copy(CHECKOUT / "docker-compose.yml", tmp_path)
    (tmp_path / ".env").write_text("MASTERY_PII=drop\nMASTERY_BROKER=elsewhere:1\nKAFKA_PORT=19192\n")
    services = read_compose(parser, tmp_path)["services"]
    for name in ("setup", *WORKERS):
        assert services[name]["environment"]["MASTERY_PII"] == "drop"
        assert services[name]["environment"]["MASTERY_BROKER"] == "kafka:19092"
    assert "MASTERY_PII" not in services["kafka"]["environment"]


@with_the_parser
def test_settings_exist_and_none_is_a_secret(model):
    secrets = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert "web_token" in secrets
    for name in ("setup", *WORKERS):
        environment = model["services"][name]["environment"]
        assert unknown_variables(environment) == {}
        assert not secrets & {key.removeprefix("MASTERY_").lower() for key in environment}
    text = (CHECKOUT / "docker-compose.yml").read_text().lower()
    assert "password" not in text


@with_the_parser
def test_what_takes_events_in_is_there_for_those_who_ask_for_it(parser, model):
    services = read_compose(parser, COMPOSE_PROFILES="receive,sqs")["services"]
    assert services.keys() - model["services"].keys() == {"receive", "receive-sqs"}
    for name, way in (("receive", "https"), ("receive-sqs", "sqs")):
        service = services[name]
        assert service["command"] == ["receive", way]
        assert unknown_variables(service["environment"]) == {}
        assert not {key for key in service["environment"] if key.endswith(("SECRET", "AUTH"))}
        assert service["restart"] == "unless-stopped"
        assert service["stop_grace_period"] == "30s"
        assert f":{service['environment'].get('MASTERY_RECEIVE_PORT', 6060)}/health/ready" in str(
            service["healthcheck"]["test"]
        )
    (port,) = services["receive"]["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", "6060", 6060)
    (secrets,) = services["receive"]["volumes"]
    assert secrets["read_only"]
    file = services["receive"]["environment"]["MASTERY_RECEIVE_PATH_SECRET_FILE"]
    assert file in str(services["setup"]["command"])
    assert "ports" not in services["receive-sqs"]


@with_the_parser
def test_what_must_outlive_a_container_lies_in_a_volume_of_its_own(model):
    services = model["services"]
    mounts = {
        name: {mount["target"]: mount for mount in service.get("volumes", ())}
        for name, service in services.items()
    }
    assert services["kafka"]["environment"]["KAFKA_LOG_DIRS"] in mounts["kafka"]
    states = [mounts[name][services[name]["environment"]["MASTERY_STATE_DIR"]]["source"] for name in WORKERS]
    assert len(set(states)) == len(WORKERS)
    for name in WORKERS:
        assert mounts[name]["/etc/mastery"]["read_only"]
        assert services[name]["environment"]["MASTERY_WEB_TOKEN_FILE"].startswith("/etc/mastery/")
    used = {mount["source"] for of in mounts.values() for mount in of.values()}
    assert used == model["volumes"].keys()


@with_the_parser
def test_nothing_starts_before_what_it_needs_and_everything_comes_back(model):
    services = model["services"]
    for name in WORKERS:
        conditions = {other: how["condition"] for other, how in services[name]["depends_on"].items()}
        assert conditions == {
            "kafka": "service_healthy",
            "registry": "service_healthy",
            "setup": "service_completed_successfully",
        }
    for name, service in services.items():
        assert service["restart"] == ("no" if name == "setup" else "unless-stopped")
        assert ("healthcheck" in service) == (name != "setup")


@with_the_stack
def test_events_go_all_the_way(stack):
    samples = sample_events()
    sent = stack.execute(
        "worker-1", "mastery", "send", "-", stdin="\n".join(sample.raw.decode() for sample in samples)
    )
    assert sent.returncode == 0, sent.stderr
    idle = stack.execute("worker-2", "mastery", "status", "--wait-idle", "30")
    assert idle.returncode == 0, idle.stdout + idle.stderr
    # From this machine, by the published port.
    bootstrap = stack.address("kafka", 9092)
    records = wait_until(lambda: read_all(bootstrap, TYPED), timeout=20, what="typed records")
    assert Counter(record.topic for record in records) == Counter(
        f"canvas.{sample.event_name}" for sample in samples
    )
    for url, login in (
        (f"http://{stack.address('registry', 8080)}/apis/ccompat/v7", {}),
        (
            f"http://{stack.address('worker-1', 6066)}/registry",
            {"basic.auth.user.info": f"consumer:{token_of(stack)}"},
        ),
    ):
        with SchemaRegistryClient({"url": url} | login) as client:
            decode = AvroDeserializer(client)
            for record in records:
                value = decode(record.value, SerializationContext(record.topic, MessageField.VALUE))
                assert f"canvas.{value['metadata']['event_name']}" == record.topic


@with_the_stack
def test_both_workers_have_a_share(stack):
    shares = []
    for name in WORKERS:
        answer = httpx.get(f"http://{stack.address(name, 6066)}/health/ready")
        shares.append({partition["partition"] for partition in answer.json()["partitions"]})
    assert all(shares)
    assert set.union(*shares) == set(range(12))
    assert sum(map(len, shares)) == 12


@with_the_stack
def test_the_token_guards_all_but_health_and_is_nowhere_to_be_read(stack):
    token = token_of(stack)
    assert stat.S_IMODE((stack.volume("web-token") / "web-token").stat().st_mode) == 0o600
    for name in WORKERS:
        with httpx.Client(base_url=f"http://{stack.address(name, 6066)}") as client:
            assert client.get("/health/live").status_code == 200
            assert client.get("/metrics").status_code == 401
            allowed = client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
            assert "mastery_build_info" in allowed.text
        assert token not in stack.log(name)
        shown = stack.execute(name, "mastery", "settings")
        assert token not in shown.stdout


@with_the_stack
def test_the_commands_that_the_documentation_runs_in_containers(stack):
    text = (CHECKOUT / "docs/compose.md").read_text()
    found = re.findall(r"docker compose exec (-T )?(worker-\d) (mastery [^#\n]+)", text)
    assert len(found) >= 4
    for reads, name, line in found:
        command, _, file = line.partition("<")
        stdin = sample_events()[0].raw.decode() if file else ""
        # Without a terminal nothing could be read from a file.
        assert bool(reads) == bool(file)
        done = stack.execute(name, *command.split(), stdin=stdin)
        assert done.returncode == 0, done.stderr
        assert done.stdout, line


@with_the_stack
def test_setting_up_again_changes_nothing(stack):
    before = token_of(stack)
    again = stack.run("setup")
    assert again.returncode == 0, again.stderr
    assert re.search(r"^0 made, \d+ there before", again.stdout, re.MULTILINE)
    assert token_of(stack) == before
    # Its root file system is read-only, and no volume stands in for the state folder.
    assert not stack.not_mounted("setup").exists()


@with_the_stack
def test_schemas_are_kept_for_ever_and_outlive_the_registry(stack):
    url = f"http://{stack.address('registry', 8080)}/apis/ccompat/v7"
    subjects = sorted(httpx.get(f"{url}/subjects").json())
    assert subjects == sorted(f"canvas.{name}-value" for name in load_contract().topics)
    admin = AdminClient({"bootstrap.servers": stack.address("kafka", 9092)})
    ids = {topic: httpx.get(f"{url}/subjects/{topic}-value/versions/1").json()["id"] for topic in TYPED}
    resource = ConfigResource(ResourceType.TOPIC, "kafkasql-journal")
    config = admin.describe_configs([resource])[resource].result()
    assert {name: config[name].value for name in ("retention.ms", "retention.bytes", "cleanup.policy")} == {
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "cleanup.policy": "delete",
    }
    stack.stop("registry")
    assert not stack.healthy("registry")
    stack.start("registry")
    stack.wait_healthy("registry")
    assert {
        topic: httpx.get(f"{url}/subjects/{topic}-value/versions/1").json()["id"] for topic in TYPED
    } == ids


# The last: it ends the workers, and Kafka.
@with_the_stack
def test_stopping_is_orderly_and_kafka_keeps_its_data(stack):
    for name in WORKERS:
        assert stack.stop(name) == 0, stack.log(name)
        assert not stack.healthy(name)
    stack.stop("kafka")
    stack.start("kafka")
    stack.wait_healthy("kafka")
    idle = stack.execute("worker-1", "mastery", "status", "--wait-idle", "0", "--json")
    assert idle.returncode == 0, idle.stderr
    assert json.loads(idle.stdout)["lag"] == 0


def _tracked(folder: str) -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", "--", folder], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    return [name for name in done.stdout.splitlines() if Path(CHECKOUT / name).exists()]
