"""docs/operating.md: what is made from the code is up to date, and what it names is there."""

import re
import shlex

import pytest

from app.access.grants import Grant
from app.cli import COMMANDS
from app.reference.operating import PAGE, brought_up_to_date
from app.reference.permissions import kafka_acls, roles
from app.settings import Settings, load_settings, variable
from app.topics import load_catalogue

TEXT = PAGE.read_text(encoding="utf-8")
DEFAULTS = load_settings()


def test_the_page_is_up_to_date():
    assert brought_up_to_date(TEXT) == TEXT, "out of date; run: .venv/bin/python -m app.reference.operating"


def test_no_setting_changes_the_page(monkeypatch):
    monkeypatch.setenv("MASTERY_TOPIC_PREFIX", "other.")
    monkeypatch.setenv("MASTERY_SASL_PASSWORD", "secret")
    assert brought_up_to_date(TEXT) == TEXT


def test_a_page_without_the_marks_is_refused():
    with pytest.raises(ValueError, match="permissions: begin"):
        brought_up_to_date("<!-- settings: begin --><!-- settings: end -->")


def test_every_setting_is_explained_and_no_other_is_named():
    known = {variable(name) for name in Settings.model_fields}
    assert all(f"| `{name}` |" in TEXT for name in known)
    assert set(re.findall(r"\bMASTERY_[A-Z_]+[A-Z]\b", TEXT)) <= known


@pytest.mark.parametrize(
    "settings", [DEFAULTS, load_settings(topic_prefix="a.", raw_topic="b")], ids=["defaults", "others"]
)
def test_the_commands_grant_what_each_role_lists_and_nothing_else(settings):
    for role in roles(settings, load_catalogue(settings)):
        granted = [acl for command in kafka_acls(role) for acl in parsed(command, role.user)]
        assert len(granted) == len(set(granted))
        assert set(granted) == set(role.grants)


def parsed(command: str, user: str) -> list[Grant]:
    """Read a kafka-acls.sh command as that script does: every operation on every resource."""
    words = iter(shlex.split(command.replace("\\\n", "")))
    assert next(words) == "kafka-acls.sh"
    operations, resources, prefixed = [], [], False
    for word in words:
        match word:
            case "--add":
                pass
            case "--bootstrap-server":
                next(words)
            case "--allow-principal":
                assert next(words) == f"User:{user}"
            case "--operation":
                operations.append(next(words))
            case "--resource-pattern-type":
                prefixed = next(words) == "prefixed"
            case _:
                resources.append((word.removeprefix("--"), next(words)))
    return [Grant(operation, *resource, prefixed) for operation in operations for resource in resources]


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        file, _, anchor = target.partition("#")
        page = (PAGE.parent / file).resolve() if file else PAGE
        assert page.is_file(), target
        if anchor:
            assert anchor in anchors(page.read_text(encoding="utf-8")), target


def anchors(page: str) -> set[str]:
    """Names that GitHub gives the headings."""
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    }


def test_commands_of_the_page_are_commands():
    called = set(re.findall(r"(?:^ *|`|&& |/)mastery ([a-z-]+)", TEXT, re.MULTILINE))
    assert {"topics", "worker", "status", "web-token"} <= called <= set(COMMANDS)
