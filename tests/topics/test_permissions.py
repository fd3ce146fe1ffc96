"""Topics and the topic of schemas, as a user who may do little sees them: on a Kafka with access control."""

import pytest
from confluent_kafka.admin import AclOperation, ResourceType

from app.access.grants import PermissionMissing
from app.kafka import AccessDenied, LoginRefused
from app.schemas.registry import prepare_schemas, schema_lookup
from app.schemas.schema_topic import SchemaTopic
from app.settings import Settings, load_settings
from app.topics import (
    TopicAdmin,
    TopicsMissing,
    apply,
    check,
    load_catalogue,
    plan,
    require_usable,
)
from tests.support.contracts import CONTRACT, EVENT, with_new_field

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

READ, WRITE, CREATE = AclOperation.READ, AclOperation.WRITE, AclOperation.CREATE
DESCRIBE, DESCRIBE_CONFIGS = AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS


@pytest.fixture
def all_may(secured, topic_prefix, tmp_path) -> Settings:
    return load_settings(
        broker=secured.bootstrap, topic_prefix=topic_prefix, partitions=2, state_dir=tmp_path
    )


@pytest.fixture
def user(secured, all_may) -> Settings:
    return load_settings(
        broker=secured.login,
        topic_prefix=all_may.topic_prefix,
        partitions=2,
        state_dir=all_may.state_dir,
        security_protocol="SASL_PLAINTEXT",
        sasl_username=secured.user,
        sasl_password=secured.password,
    )


def make_all(settings: Settings) -> None:
    apply(load_catalogue(settings), TopicAdmin(settings))


def may(secured, settings: Settings, *operations: AclOperation) -> None:
    secured.grant(*((ResourceType.TOPIC, settings.topic_prefix, operation) for operation in operations))


def test_a_wrong_password_is_told_before_the_deadline(user):
    wrong = load_settings(**(user.model_dump() | {"sasl_password": "wrong"}))
    with pytest.raises(LoginRefused):
        plan(load_catalogue(wrong), TopicAdmin(wrong, timeout=60.0))
    with pytest.raises(LoginRefused):
        SchemaTopic(wrong, timeout=60.0).read()


def test_topics_that_may_not_be_seen_look_missing_and_the_hint_says_so(secured, all_may, user):
    make_all(all_may)
    may(secured, user)
    with pytest.raises(TopicsMissing) as missing:
        require_usable(plan(load_catalogue(user), TopicAdmin(user)))
    assert "permission" in missing.value.hint
    for look in (apply, check):
        with pytest.raises(PermissionMissing, match=r"no Describe on topic t\w+\.\*$"):
            look(load_catalogue(user), TopicAdmin(user))


def test_without_the_right_to_make_topics_the_permission_is_named(secured, user):
    may(secured, user, DESCRIBE)
    with pytest.raises(PermissionMissing, match=r"no Create on topic t\w+\.\*$") as denied:
        make_all(user)
    assert f"--operation Create --topic {user.topic_prefix} --resource-pattern-type prefixed" in (
        denied.value.hint
    )
    may(secured, user, DESCRIBE, CREATE)
    make_all(user)


def test_settings_that_may_not_be_read_are_not_compared_and_no_reason_to_stop(secured, all_may, user):
    make_all(all_may)
    may(secured, user, DESCRIBE)
    states = check(load_catalogue(user), TopicAdmin(user))
    assert all(state.config is None for state in states)
    require_usable(states)
    may(secured, user, DESCRIBE, DESCRIBE_CONFIGS)
    assert all(state.config for state in check(load_catalogue(user), TopicAdmin(user)))


def test_schemas_are_read_without_a_permission_on_any_group(secured, all_may, user):
    make_all(all_may)
    newer = prepare_schemas(all_may, with_new_field())
    may(secured, user, READ)
    assert SchemaTopic(user).read() == SchemaTopic(all_may).read()
    assert "zeal" in schema_lookup(user, CONTRACT)(newer.by_name[EVENT])


def test_schemas_that_are_kept_already_need_no_right_to_write(secured, all_may, user):
    make_all(all_may)
    may(secured, user, READ)
    with pytest.raises(AccessDenied, match=user.schemas_topic):
        prepare_schemas(user, CONTRACT)
    kept = prepare_schemas(all_may, CONTRACT)
    assert prepare_schemas(user, CONTRACT).by_name == kept.by_name
    may(secured, user, WRITE)
    with pytest.raises(AccessDenied, match=user.schemas_topic):
        prepare_schemas(user, CONTRACT)
