"""What needs attention, the gravest first."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from app.settings import Settings, variable
from app.stream.progress import Phase, ProgressSnapshot
from app.web.models.stream import Notice, Severity
from app.web.report import WorkerReport

__all__ = ["notices"]

#: Seconds without an event after which Canvas is taken to have fallen silent: no school night is as long.
_SILENCE: Final = 24 * 3600.0
#: Records left to do that are worth a word.
_LAG: Final = 10_000
#: Seconds that a view lies behind.
_BEHIND: Final = 30.0

_DOING: Final[Mapping[Phase, str]] = {
    Phase.STARTING: "is starting",
    Phase.CHECKING: "is checking its topics",
    Phase.JOINING: "is joining the other workers",
    Phase.STOPPING: "is stopping",
}

_ORDER: Final = {severity: place for place, severity in enumerate(Severity)}


def notices(
    settings: Settings,
    report: WorkerReport | None,
    name: str,
    now: float,
    *,
    behind: float,
    view_error: str | None,
) -> tuple[Notice, ...]:
    """Say what needs attention, of what one worker knows. `behind`: seconds that its view lies behind."""
    if report is None:
        return ()
    told = [*_of_worker(report.progress, name), *_of_stream(settings, report, name, now)]
    if view_error is not None:
        told.append(
            Notice(
                severity=Severity.ERROR,
                text=f"{name} cannot bring these pages up to date: {view_error}",
                hint="They show how things stood before. The stream itself goes on.",
                href="/status",
            )
        )
    elif behind > _BEHIND and report.progress.phase is Phase.RUNNING:
        told.append(
            Notice(
                severity=Severity.WARNING,
                text=f"{name} shows how things stood {_stretch(behind)} ago",
                hint="These pages wait while the stream is busy, and catch up by themselves.",
                href="/status",
            )
        )
    return tuple(sorted(told, key=lambda one: _ORDER[one.severity]))


def _of_worker(told: ProgressSnapshot, name: str) -> Iterator[Notice]:
    if told.phase is Phase.FAILED:
        yield Notice(severity=Severity.ERROR, text=f"{name} has failed: {told.detail}", href="/status")
    elif told.obstacle is not None:
        yield Notice(severity=Severity.ERROR, text=f"{name}: {told.obstacle}", href="/status")
    elif told.phase is Phase.RESTORING:
        read, left = told.restore or (0, 0)
        share = f", {read / (read + left):.0%} done" if read + left else ""
        yield Notice(
            severity=Severity.WARNING,
            text=f"{name} is restoring its rows{share}",
            hint="Its students are missing here until it is done.",
            href="/status",
        )
    elif told.phase is not Phase.RUNNING:
        text = f"{name} {_DOING[told.phase]}" + (f": {told.detail}" if told.detail else "")
        yield Notice(severity=Severity.WARNING, text=text, href="/status")
    if told.behind >= _LAG:
        yield Notice(
            severity=Severity.WARNING,
            text=f"{name} has {told.behind:,} records still to process",
            hint="Scores here are as old as that. If the number does not fall, add a worker.",
            href="/status",
        )


def _of_stream(settings: Settings, report: WorkerReport, name: str, now: float) -> Iterator[Notice]:
    told = report.progress
    if told.last_events:
        newest = max(told.last_events.values())
        if now - newest > _SILENCE:
            yield Notice(
                severity=Severity.WARNING,
                # What arrives may be old: a backlog, or a replay.
                text=f"Nothing newer than {_stretch(now - newest)} has come from Canvas",
                hint=f"The newest event was sent on {_time(newest)}. Unless old ones are being sent again,"
                f" look at the data stream in Canvas, and at what carries it to {settings.raw_topic_name}.",
                href="/topics",
            )
    elif told.phase is Phase.RUNNING and not told.events and now - told.started_at > 60:
        yield Notice(
            severity=Severity.NOTE,
            text=f"{name} has seen no event since its start, {_stretch(now - told.started_at)} ago",
            hint=f"It waits for events in {settings.raw_topic_name}: does anything write there?",
            href="/topics",
        )
    letters = sum(told.dead_letters.values())
    if letters:
        by_count = sorted(told.dead_letters.items(), key=lambda one: (-one[1], one[0]))
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in by_count if count)
        yield Notice(
            severity=Severity.WARNING,
            text=f"{letters:,} record{'s' if letters > 1 else ''} could not be understood"
            f" since {name} started",
            hint=f"Kept as dead letters, each with what is wrong with it: {kinds}.",
            href="/dead-letters",
        )
    yield from _of_definitions(report)


def _of_definitions(report: WorkerReport) -> Iterator[Notice]:
    definitions = report.definitions
    if definitions is None:
        return
    if definitions.unknown_outcomes:
        many = definitions.unknown_outcomes
        have, they, them = ("s have", "they are", "them") if many > 1 else (" has", "it is", "it")
        yield Notice(
            severity=Severity.WARNING,
            text=f"{many:,} outcome{have} results but no scores: no event has told how {they} calculated",
            hint=f"Probably made before the stream began. Save {them} in Canvas once more, or have Canvas's"
            f" defaults taken: {variable('unknown_definition')}=canvas-default.",
            href="/outcomes",
        )
    if definitions.accounts_with_unused_scales:
        many = len(definitions.accounts_with_unused_scales)
        have = "s have" if many > 1 else " has"
        yield Notice(
            severity=Severity.WARNING,
            text=f"{many:,} root account{have} a mastery scale, but scores are computed with the outcomes'"
            " own",
            hint="A setting is probably wrong: if Canvas's feature flag account_level_mastery_scales is on"
            f" there, set {variable('account_level_scales')}=true, or for single ones in"
            f" {variable('accounts')}.",
            href="/status",
        )


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%-d %b %Y, %H:%M} UTC"


def _stretch(seconds: float) -> str:
    for length, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
