"""What needs attention, the gravest first."""

from collections.abc import Iterator
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
    told = [*_of_worker(report.progress, name), *_of_stream(settings, report, now)]
    if view_error is not None:
        told.append(
            Notice(
                severity=Severity.ERROR, text=f"{name}: what is shown is not brought up to date: {view_error}"
            )
        )
    elif behind > _BEHIND and report.progress.phase is Phase.RUNNING:
        told.append(
            Notice(
                severity=Severity.WARNING,
                text=f"{name}: what is shown lies {behind:.0f} s behind the rows",
                hint="It catches up by itself, and the sooner the less the stream has to do.",
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
            text=f"{name} restores its rows{share}",
            hint="Its students are missing here until then.",
            href="/status",
        )
    elif told.phase is not Phase.RUNNING:
        text = f"{name}: {told.phase.value}" + (f", {told.detail}" if told.detail else "")
        yield Notice(severity=Severity.WARNING, text=text, href="/status")
    lag = sum(one.lag or 0 for one in told.partitions)
    if lag >= _LAG:
        yield Notice(
            severity=Severity.WARNING, text=f"{name} has {lag:,} records still to do", href="/status"
        )


def _of_stream(settings: Settings, report: WorkerReport, now: float) -> Iterator[Notice]:
    told = report.progress
    if told.last_events:
        newest = max(told.last_events.values())
        if now - newest > _SILENCE:
            yield Notice(
                severity=Severity.WARNING,
                text=f"Nothing from Canvas for {_stretch(now - newest)}: the newest event is that old",
                hint="Look at the data stream in Canvas, and at what carries it to the raw topic.",
                href="/topics",
            )
    elif told.phase is Phase.RUNNING and not told.events and now - told.started_at > 60:
        yield Notice(
            severity=Severity.NOTE,
            text=f"No event has come since this worker's start, {_stretch(now - told.started_at)} ago",
            hint=f"Events are awaited in {settings.raw_topic_name}.",
            href="/topics",
        )
    letters = sum(told.dead_letters.values())
    if letters:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(told.dead_letters.items()) if count)
        yield Notice(
            severity=Severity.WARNING,
            text=f"{letters:,} records could not be understood since the worker's start: {kinds}",
            hint="Each is kept, with what is wrong with it.",
            href="/dead-letters",
        )
    yield from _of_definitions(report)


def _of_definitions(report: WorkerReport) -> Iterator[Notice]:
    definitions = report.definitions
    if definitions is None:
        return
    if definitions.unknown_outcomes:
        many = definitions.unknown_outcomes
        yield Notice(
            severity=Severity.WARNING,
            text=f"{many:,} outcome{'s have' if many > 1 else ' has'} results, and no event has told of"
            f" {'them' if many > 1 else 'it'}: there is no score",
            hint=f"They were made before the stream began. Save them in Canvas once more, or set"
            f" {variable('unknown_definition')}=canvas-default.",
            href="/outcomes",
        )
    if definitions.accounts_with_unused_scales:
        many = len(definitions.accounts_with_unused_scales)
        have = "s have mastery scales" if many > 1 else " has a mastery scale"
        yield Notice(
            severity=Severity.WARNING,
            text=f"{many:,} root account{have} that no score is computed with",
            hint=f"If Canvas's feature flag account_level_mastery_scales is on there, set"
            f" {variable('account_level_scales')}=true, or for single ones in {variable('accounts')}.",
            href="/status",
        )


def _stretch(seconds: float) -> str:
    for length, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
