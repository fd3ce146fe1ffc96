import json


def test_every_setting_with_value_source_and_description(mastery, monkeypatch):
    monkeypatch.setenv("MASTERY_SCHEMA_REGISTRY_AUTH", "u:hunter2")
    done = mastery("settings", "--json")
    assert done.status == 0
    infos = {info["env"]: info for info in json.loads(done.out)}
    assert infos["MASTERY_SCHEMA_REGISTRY_AUTH"]["value_shown"] == "******"
    assert infos["MASTERY_BROKER"]["source"] == "environment"
    assert infos["MASTERY_PII"]["source"] == "default"
    table = mastery("settings").out
    assert "hunter2" not in done.out + table
    assert len(table.splitlines()) == len(infos) + 1


def test_a_setting_that_cannot_be_used(mastery, monkeypatch):
    monkeypatch.setenv("MASTERY_PARTITIONS", "many")
    done = mastery("settings")
    assert done.status == 2
    assert done.err.startswith("error: MASTERY_PARTITIONS: ")
