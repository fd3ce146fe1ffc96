"""A schema registry behind a login and TLS: worker and tools, with the right login, a wrong one and none."""

import pytest

from app.embedded.samples import sample_events
from app.errors import MasteryError
from app.schemas.contract import load_contract
from app.schemas.registry import prepare_schemas
from app.schemas.registry_errors import RegistryRefused
from app.settings import Settings
from app.topics import TopicAdmin, apply, load_catalogue
from tests.kafka.registry_door import RegistryDoor
from tests.kafka.secured import Authority
from tests.kafka.site import changed, mastery
from tests.support.worker import WorkerProcess

pytestmark = pytest.mark.registry

SECRET = "a-secret:with-a-colon"
USERS = {"deployer": "another-secret", "worker": SECRET}


@pytest.fixture(scope="module")
def door(registry, authority, tmp_path_factory):
    """The registry behind TLS and a login; `worker` may only read."""
    certificate = authority.issue(tmp_path_factory.mktemp("door") / "door.pem")
    with RegistryDoor(registry.url, USERS, readers=frozenset({"worker"}), certificate=certificate) as found:
        yield found


@pytest.fixture(scope="module")
def elsewhere(registry, authority, tmp_path_factory):
    """The same with a certificate for another address."""
    certificate = authority.issue(tmp_path_factory.mktemp("door") / "other.pem", host="192.0.2.1")
    with RegistryDoor(registry.url, USERS, certificate=certificate) as found:
        yield found


@pytest.fixture
def site(settings, door, authority) -> Settings:
    """Settings with the worker's login; the topics are there."""
    apply(load_catalogue(settings), TopicAdmin(settings))
    return changed(
        settings,
        schema_registry_url=door.url,
        schema_registry_auth=f"worker:{SECRET}",
        tls_ca_file=authority.certificate,
    )


def test_a_worker_needs_to_read_only_once_schemas_are_registered(site, door, tmp_path):
    """Setting up needs to write; a worker, and who reads topics, need not: as docs/operating.md says."""
    with pytest.raises(RegistryRefused, match="HTTP 403") as caught:
        mastery(site, "schemas", "register")
    assert "what that user may do" in caught.value.hint
    mastery(changed(site, schema_registry_auth="deployer:another-secret"), "schemas", "register")
    mastery(site, "schemas", "register")  # nothing is left to be written
    mastery(site, "schemas", "check")
    door.asked.clear()
    with WorkerProcess(site, tmp_path) as worker:
        worker.wait_ready(60)
        mastery(site, "send", "-", given=b"\n".join(sample.raw for sample in sample_events()))
        mastery(site, "status", "--wait-idle", "60")
        assert '"event_name":"rubric_assessed"' in mastery(
            site, "tail", "rubric_assessed", "--from-beginning", "--exit"
        ).replace('": "', '":"')
        worker.terminate()
        assert worker.wait() == 0, worker.log
    assert "equal" in mastery(site, "state", "verify", "--settle", "0")
    assert set(door.asked) == {"worker"}
    assert SECRET not in worker.log_file.read_text(encoding="utf-8")


WRONG = {
    "wrong password": {"schema_registry_auth": "worker:a-wrong-one"},
    "unknown user": {"schema_registry_auth": f"nobody:{SECRET}"},
    "no login": {"schema_registry_auth": None},
    "authority": {},
    "host": {},
    "in the clear": {},
}
WORDS = {
    "authority": ("no TLS connection to the schema registry", "MASTERY_TLS_CA_FILE"),
    "host": ("no TLS connection to the schema registry", "MASTERY_TLS_CA_FILE"),
    "in the clear": ("does not answer", "https"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_one_line_from_each_who_asks(site, door, elsewhere, tmp_path, wrong):
    others = {
        "authority": {"tls_ca_file": Authority(tmp_path, "another").certificate},
        "host": {"schema_registry_url": elsewhere.url},
        "in the clear": {"schema_registry_url": door.url.replace("https", "http"), "tls_ca_file": None},
    }
    settings = changed(site, **(WRONG[wrong] | others.get(wrong, {})))
    words, hint = WORDS.get(wrong, ("denies it: HTTP 401", "MASTERY_SCHEMA_REGISTRY_AUTH"))
    refusals = []
    for command in ("list", "check", "register"):
        with pytest.raises(MasteryError) as caught:
            mastery(settings, "schemas", command)
        refusals.append(caught.value)
    with pytest.raises(MasteryError) as caught:
        prepare_schemas(settings, load_contract())  # as a worker does at its start
    for refusal in [*refusals, caught.value]:
        assert words in str(refusal)
        assert hint in refusal.hint
        assert "\n" not in str(refusal) + refusal.hint
        assert SECRET not in refusal.report
        assert "a-wrong-one" not in refusal.report
