"""`mastery topics`: the catalogue, and the broker's topics compared with it."""

from collections.abc import Sequence
from typing import Any

import click

from app.access import tasks
from app.commands.at_broker import at_broker
from app.commands.output import print_json, print_table
from app.settings import load_settings
from app.topics import TopicAdmin, TopicDrift, TopicSpec, TopicState, load_catalogue
from app.topics import apply as apply_catalogue
from app.topics import check as check_topics

__all__ = ["topics"]

_DAY_MS = 24 * 60 * 60 * 1000


@click.group()
def topics() -> None:
    """List the topics, make those that are missing, check those that are there."""


@topics.command("list", short_help="Show the topics as they should be.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON array, with everything there is to say."
)
def list_(as_json: bool) -> None:
    """Show the catalogue: each topic as it should be. Needs no broker."""
    specs = list(load_catalogue(load_settings()).topics.values())
    if as_json:
        print_json([_spec(spec) for spec in specs])
        return
    print_table(
        ("TOPIC", "PARTITIONS", "KEPT", "COPARTITIONED", "WRITTEN BY", "READ BY"),
        [
            (
                spec.name,
                spec.partitions,
                _kept(spec),
                spec.group,
                ", ".join(spec.writers),
                ", ".join(spec.readers),
            )
            for spec in specs
        ],
        right=("PARTITIONS",),
    )


@topics.command(short_help="Make the topics that are missing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@at_broker(tasks.apply_topics)
def apply(as_json: bool) -> None:
    """Make the topics that are missing; say what differs of the others, and leave it as it is.

    Fails, before it makes any, when a topic has another number of partitions than set.
    """
    settings = load_settings()
    done = apply_catalogue(load_catalogue(settings), TopicAdmin(settings))
    if as_json:
        print_json({"created": list(done.created), "topics": [_state(state) for state in done.states]})
        return
    for name in done.created:
        click.echo(f"made {name}")
    click.echo(f"{len(done.created)} made, {len(done.states) - len(done.created)} there before")
    _print_differences(done.states)


@topics.command(short_help="Compare the broker's topics with the catalogue.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
@at_broker(tasks.check_topics)
def check(as_json: bool) -> None:
    """Compare the broker's topics with the catalogue. Exit status 1 when one is missing or differs."""
    settings = load_settings()
    try:
        states: Sequence[TopicState] = check_topics(load_catalogue(settings), TopicAdmin(settings))
    except TopicDrift as drift:
        _print_states(drift.states, as_json=as_json)
        raise
    _print_states(states, as_json=as_json)


def _print_states(states: Sequence[TopicState], *, as_json: bool) -> None:
    if as_json:
        print_json([_state(state) for state in states])
        return
    print_table(
        ("TOPIC", "STATE", "PARTITIONS", "REPLICATION"),
        [
            (state.spec.name, state.status, state.existing.partitions, state.existing.replication)
            if state.existing is not None
            else (state.spec.name, state.status, None, None)
            for state in states
        ],
        right=("PARTITIONS", "REPLICATION"),
    )
    _print_differences(states)


def _print_differences(states: Sequence[TopicState]) -> None:
    for state in states:
        for difference in state.differences:
            click.echo(
                f"{state.spec.name}: {difference.what} is {difference.actual}, not {difference.expected}\n"
                f"  -> {difference.remedy}"
            )
    unread = [state.spec.name for state in states if state.existing is not None and state.config is None]
    if unread:
        click.echo(f"settings not compared, for want of DescribeConfigs: {', '.join(unread)}")


def _kept(spec: TopicSpec) -> str:
    """How long records stay, in words."""
    if "retention.ms" not in spec.config:
        return "last of each key"
    milliseconds = int(spec.config["retention.ms"])
    return "for ever" if milliseconds < 0 else f"{milliseconds // _DAY_MS} days"


def _spec(spec: TopicSpec) -> dict[str, Any]:
    return {
        "topic": spec.name,
        "partitions": spec.partitions,
        "replication": None if spec.replication < 0 else spec.replication,
        "config": dict(spec.config),
        "copartitioned": spec.group,
        "event": spec.event,
        "key": spec.key,
        "value": spec.value,
        "writers": list(spec.writers),
        "readers": list(spec.readers),
        "description": spec.description,
    }


def _state(state: TopicState) -> dict[str, Any]:
    return {
        "topic": state.spec.name,
        "state": state.status,
        "partitions": state.existing.partitions if state.existing is not None else None,
        "replication": state.existing.replication if state.existing is not None else None,
        "differences": [
            {
                "what": difference.what,
                "expected": difference.expected,
                "actual": difference.actual,
                "blocking": difference.blocking,
                "remedy": difference.remedy,
            }
            for difference in state.differences
        ],
    }
