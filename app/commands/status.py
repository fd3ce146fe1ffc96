"""`mastery status`: how far the workers have come, as the broker sees it."""

import time
from dataclasses import asdict

import click
from confluent_kafka import KafkaException, TopicPartition

from app.access import tasks
from app.backlog import PartitionBacklog, read_backlog
from app.commands.at_broker import at_broker
from app.commands.output import print_json, print_table
from app.commands.status_mastery import CountedRows, ask_worker, count_rows, files_aside, lines
from app.commands.status_mastery import as_json as mastery_json
from app.errors import MasteryError
from app.kafka import BrokerErrors, admin_client, broker_failure
from app.reader import REQUEST_TIMEOUT, partitions_of, topic_missing
from app.settings import Settings, load_settings

__all__ = ["NotIdle", "status"]

POLL_SECONDS = 0.25
_NO_MEMBERS = {"empty", "dead"}


class NotIdle(MasteryError):
    """There was still something to do when the time was up."""


@click.command()
@click.option(
    "--wait-idle", type=click.FloatRange(min=0), metavar="SECONDS", help="Wait until nothing is left to do."
)
@click.option(
    "--rows", "counts_rows", is_flag=True, help="Count the rows of mastery, too: reads all of them."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@at_broker(tasks.status, "counts_rows")
def status(wait_idle: float | None, counts_rows: bool, as_json: bool) -> None:
    """Show each input partition: who works on it, what is committed, where it ends, how much is left.

    Input are the raw events, and the results that the rows of mastery are made from. All this comes from the
    broker, so it works whether workers run or not; the worker at MASTERY_WEB_HOST and MASTERY_WEB_PORT is
    asked for its numbers. With --wait-idle the exit status is 0 as soon as no record is left to be processed,
    and 1 when there still is after SECONDS. Transaction markers and aborted records do not count as left.
    """
    settings = load_settings()
    partitions = _input_partitions(settings)
    deadline = time.monotonic() + (wait_idle or 0)
    while True:
        backlog = read_backlog(settings, partitions)
        idle = all(entry.idle for entry in backlog)
        if wait_idle is None or idle or time.monotonic() >= deadline:
            break
        time.sleep(POLL_SECONDS)
    members, state = _members(settings)
    counted = count_rows(settings) if counts_rows else None
    _print(settings, backlog, members, state, counted, as_json=as_json)
    if wait_idle is not None and not idle:
        lag = sum(entry.lag for entry in backlog)
        busy = sum(not entry.idle for entry in backlog)
        raise NotIdle(
            f"after {wait_idle:g} s, up to {lag} records in {busy} partitions are still to be processed",
            hint="no worker runs: start one with `mastery worker`" if state in _NO_MEMBERS else None,
        )


def _input_partitions(settings: Settings) -> list[tuple[str, int]]:
    """Everything that workers consume as a group. No worker starts before all of the topics are there."""
    found = partitions_of(settings, settings.input_topics)
    name = settings.raw_topic_name
    if not any(topic == name for topic, _ in found):
        raise topic_missing(settings, name)
    return found


def _members(settings: Settings) -> tuple[dict[tuple[str, int], str], str]:
    """Return who works on which partition (member id, and host), and the state of the group."""
    errors = BrokerErrors()
    admin = admin_client(settings, errors=errors)
    try:
        futures = admin.describe_consumer_groups([settings.group_id], request_timeout=REQUEST_TIMEOUT)
        group = futures[settings.group_id].result()
    except KafkaException as error:
        admin.poll(0)
        raise broker_failure(settings, error, errors, what="describe the group") from None
    assigned: dict[tuple[str, int], str] = {}
    for member in group.members:
        entry: TopicPartition
        for entry in member.assignment.topic_partitions if member.assignment else []:
            assigned[entry.topic, entry.partition] = f"{member.member_id} {member.host}"
    return assigned, group.state.name.lower()


def _print(
    settings: Settings,
    backlog: list[PartitionBacklog],
    members: dict[tuple[str, int], str],
    state: str,
    counted: CountedRows | None,
    *,
    as_json: bool,
) -> None:
    lag, idle = sum(entry.lag for entry in backlog), all(entry.idle for entry in backlog)
    worker, aside = ask_worker(settings), files_aside(settings)
    if as_json:
        entries = [asdict(e) | {"member": members.get((e.topic, e.partition))} for e in backlog]
        group = {"group": settings.group_id, "state": state, "idle": idle, "lag": lag}
        print_json(group | {"partitions": entries, "mastery": mastery_json(worker, counted, aside)})
        return
    rows = [
        (e.topic, e.partition, e.committed, e.end, e.lag, members.get((e.topic, e.partition)))
        for e in backlog
    ]
    columns = ("TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER")
    print_table(columns, rows, right=("PARTITION", "COMMITTED", "END", "LAG"))
    left = "nothing left to do" if idle else f"up to {lag} records left"
    click.echo(f"\ngroup {settings.group_id}: {state}, {left}")
    for line in lines(worker, counted, aside):
        click.echo(line)
