"""The overview: what needs attention, the flow, what happened last."""

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, urlencode

from app.schemas.contract import load_contract
from app.views.answers import Change as ViewChange
from app.views.answers import Counts
from app.web.local.changes import shown_change
from app.web.local.ground import Ground
from app.web.local.last_records import LastRecords
from app.web.local.notices import notices
from app.web.local.offsets import TopicSpans, records_in
from app.web.local.rates import Rates
from app.web.local.topics import Topics
from app.web.models.stream import EventFlow, Overview
from app.web.problems import Problem
from app.web.report import WorkerReport
from app.web.searches import scope_of
from app.web.security.viewer import Viewer

__all__ = ["Overviews"]

#: Seconds that totals of Kafka are waited for: without them, the rest is shown.
_PATIENCE: Final = 1.0
_CHANGES: Final = 20


class Overviews:
    """Answers about the whole, of what one worker knows."""

    def __init__(self, ground: Ground, topics: Topics, rates: Rates) -> None:
        self._ground = ground
        self._topics = topics
        self._rates = rates
        settings = ground.settings
        self._events = {name: settings.typed_topic(name) for name in load_contract().events}
        self._spans: TopicSpans = {}
        self._last = LastRecords(
            settings,
            {topic: name for name, topic in self._events.items()},
            lambda: self._spans,
            ground.owned,
        )

    async def one(self, viewer: Viewer) -> Overview:
        """What needs attention, and the flow."""
        ground = self._ground
        fresh, report, now = ground.freshness(), ground.report(), ground.clock()

        def look() -> tuple[Counts, list[ViewChange]]:
            scope = scope_of(viewer)
            return ground.views.counts(), ground.views.recent_changes(_CHANGES, scope)

        totals_known, (counts, changes) = await asyncio.gather(self._totals(), ground.run(look))
        spans = self._spans if totals_known else {}
        last_events = await self._last.newest() if spans else ()
        definitions = None if report is None else report.definitions
        # Not yet known is not 0.
        known = fresh.complete
        return Overview(
            freshness=fresh,
            notices=notices(
                ground.settings,
                report,
                ground.name,
                now,
                behind=fresh.behind_seconds,
                view_error=ground.views.error,
            ),
            raw_topic=ground.settings.raw_topic_name,
            raw_total=_total(spans, ground.settings.raw_topic_name),
            raw_lag=_raw_lag(report, ground.settings.raw_topic_name),
            raw_per_second=self._rates.raw(),
            events=tuple(self._flow(name, topic, report, spans) for name, topic in self._events.items()),
            dead_letters={} if report is None else dict(report.progress.dead_letters),
            dead_letters_total=_total(spans, ground.settings.dead_letter_topic),
            rows=counts.rows if known else None,
            students=counts.students if known else None,
            outcomes=counts.outcomes if definitions is None else max(definitions.outcomes, counts.outcomes),
            unknown_outcomes=0 if definitions is None else definitions.unknown_outcomes,
            last_events=last_events,
            changes=tuple(shown_change(one) for one in changes),
            examples=_examples(changes),
        )

    async def _totals(self) -> bool:
        """Have what Kafka says of its topics, at most some seconds old; False where it does not answer."""
        try:
            async with asyncio.timeout(_PATIENCE):
                self._spans = (await self._topics.spans()).value
        except (TimeoutError, Problem):
            return False
        return True

    def _flow(self, name: str, topic: str, report: WorkerReport | None, spans: TopicSpans) -> EventFlow:
        told = None if report is None else report.progress
        times = [] if told is None else [at for (event, _), at in told.last_events.items() if event == name]
        return EventFlow(
            event=name,
            topic=topic,
            records=0 if told is None else told.events.get(name, 0),
            total=_total(spans, topic),
            per_second=self._rates.event(name),
            last_event_time=max(times, default=None),
        )


def _total(spans: TopicSpans, topic: str) -> int | None:
    there = spans.get(topic)
    return None if there is None else records_in(there)


def _raw_lag(report: WorkerReport | None, topic: str) -> int | None:
    if report is None:
        return None
    lags = [one.lag for one in report.progress.partitions if one.topic == topic and one.lag is not None]
    return sum(lags) if lags else None


def _examples(changes: Sequence[ViewChange]) -> dict[str, str]:
    """Pages worth a first look: of the student who changed last and has a score."""
    good = [one for one in changes if not one.deleted]
    best = next((one for one in good if one.score is not None and one.courses), next(iter(good), None))
    if best is None:
        return {}
    account = urlencode({"account": best.root_account_uuid})
    examples = {
        "user": f"/users/{quote(best.user_uuid, safe='')}?{account}",
        "outcome": f"/outcomes/{quote(best.learning_outcome_id, safe='')}?{account}",
    }
    if best.courses:
        examples["course"] = f"/courses/{quote(best.courses[0], safe='')}?{account}"
    return examples
