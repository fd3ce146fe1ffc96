"""`mastery raw`: what the raw topic holds."""

from typing import NamedTuple

import click

from app.access import tasks
from app.commands.at_broker import at_broker
from app.commands.output import print_json
from app.commands.raw_report import print_report, report_json
from app.commands.sending import progress_bar
from app.inspect.positions import find_spans
from app.inspect.summary import Summary
from app.reader import TopicReader, topic_missing, topic_partitions
from app.schemas.contract import load_contract
from app.settings import Settings, load_settings
from app.worker import build_router

__all__ = ["raw"]

_LIMIT = 10_000


class _Ids(NamedTuple):
    by_name: dict[str, int]


@click.group()
def raw() -> None:
    """Look at the raw topic; nothing is written."""


@raw.command(short_help="Count what the raw topic holds, and what would become of it.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_LIMIT,
    show_default=True,
    help="Read this many offsets of each partition: the newest.",
)
@click.option("--from-beginning", is_flag=True, help="Read the oldest instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@at_broker(tasks.inspect_raw)
def inspect(limit: int, from_beginning: bool, as_json: bool) -> None:
    """Count what the raw topic holds by event and generation, and say what a worker would make of it.

    Reads some of each partition, as it is now, in no group, and writes nothing. What would be refused is
    found by the worker's own code, with the MASTERY_* settings that this command is given: it tells what
    would happen with MASTERY_RAW_ENVELOPE=auto, for example, before a worker runs with that.

    No values of events are shown: names of events, hosts and producers, uuids of root accounts, counts.
    """
    settings = load_settings()
    topics = topic_partitions(settings)
    topic = settings.raw_topic_name
    if topic not in topics:
        raise topic_missing(settings, topic)
    spans = find_spans(settings, topic, topics[topic])
    ranges = {
        partition: (first, min(end, first + limit)) if from_beginning else (max(first, end - limit), end)
        for partition, (first, end) in spans.items()
    }
    summary = _read(settings, topic, ranges)
    held = sum(end - first for first, end in spans.values())
    read = sum(end - first for first, end in ranges.values())
    if as_json:
        print_json(report_json(settings, summary, offsets=held, offsets_read=read))
        return
    which = "the oldest" if from_beginning else "the newest"
    part = "all" if read == held else f"{which} {read} of {held} offsets"
    print_report(settings, summary, f"{topic}: {len(spans)} partitions, {part}")


def _read(settings: Settings, topic: str, ranges: dict[int, tuple[int, int]]) -> Summary:
    contract = load_contract()
    # A worker frames with the ids of its registry: as many bytes, whatever they are.
    ids = _Ids({name: event.local_id for name, event in contract.events.items()})
    summary = Summary(build_router(settings, contract, ids))
    ends = {partition: end for partition, (first, end) in ranges.items() if end > first}
    if not ends:
        return summary
    total = sum(end - first for first, end in ranges.values())
    with (
        TopicReader(settings, {(topic, p): ranges[p][0] for p in ends}) as reader,
        progress_bar(total) as progress,
    ):
        task = progress.add_task(f"reading {topic}", total=total)
        # Markers of transactions may stand last: then there is no record to wait for, but the reader's end.
        while ends and not reader.at_end:
            for record in reader.read(0.5):
                if record.offset + 1 >= ends.get(record.partition, 0):
                    ends.pop(record.partition, None)
                if record.offset < ranges[record.partition][1]:
                    summary.add(record)
                    progress.advance(task)
    return summary
