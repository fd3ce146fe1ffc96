"""The definitions of a worker: followed, kept in a file, looked up, and told when they change."""

import logging
import time
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from confluent_kafka import KafkaException

from app.definitions.changes import Changes, Vector
from app.definitions.copy import DefinitionCopy
from app.definitions.decoding import DEFINITION_EVENTS, DefinitionDecoder
from app.definitions.follower import Follower
from app.definitions.lookup import DefinitionCounts, Lookup
from app.definitions.topics import DefinitionTopics
from app.errors import MasteryError
from app.mastery.resolve import Definition
from app.mastery.rollup import CALCULATION
from app.mastery.rules import MasteryRules
from app.settings import Settings

__all__ = ["FILE_NAME", "Definitions"]

log = logging.getLogger(__name__)

FILE_NAME: Final = "definitions.db"


class Definitions:
    """The local copy of all outcomes and proficiencies. Look-ups and changes are for any thread.

    `start`, then `catch_up` before results flow, at start and at each assignment; then `changed_since` tells
    what rows made earlier, or by other workers, lack, and `take_changes` what changes from then on. `notify`
    is called when there is something to take, and `on_failure` with the error that ended the following, once;
    both by the follower's thread.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        schema_by_id: Callable[[int], dict[str, Any] | str],
        rules: MasteryRules,
        *,
        notify: Callable[[], None] = lambda: None,
        on_failure: Callable[[MasteryError], None] = lambda _: None,
    ) -> None:
        events = {settings.typed_topic(event): event for event in DEFINITION_EVENTS}
        self.lookup = Lookup(rules)
        decoder = DefinitionDecoder(schema_by_id, events)
        self._copy = DefinitionCopy(folder / FILE_NAME, decoder, self.lookup, notify=notify)
        self._topics = DefinitionTopics(settings, events)
        self._rules = rules
        self._identity = ""
        self._follower = Follower(self._topics, take=self._copy.apply, fail=on_failure)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Load the file, and begin to follow the topics. Blocks for seconds at most.

        A file that cannot be gone on with is moved aside: damaged, of another format, of topics that were
        made anew, or with offsets that they do not hold.

        Raises:
            TopicMissing: a definition topic is not there.
            BrokerFailure: the broker does not answer; then `start` may be called again.
            StateUnavailable: the file cannot be made, read or written.
        """
        try:
            topic_ids, places = self._topics.describe()
            self._copy.open(topic_ids, lambda positions: self._topics.misfit(positions, places))
        except KafkaException as error:
            raise self._topics.explain(error, "look at the topics of definitions") from None
        self._identity = _identity(topic_ids, self._rules)
        self._follower.start(topic_ids, places, self._copy.vector)

    def close(self) -> None:
        """Follow no longer, and let the file go. Look-ups go on working."""
        self._copy.closing.set()
        self._follower.close()
        self._copy.close()

    def catch_up(self, timeout: float, cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Wait until all definitions are known that are there now; False when cancelled before.

        That is all that lies below the high watermarks at the call: open transactions are waited for, as a
        worker that was here before may have known what is in them.

        Raises:
            DefinitionsBehind: not within `timeout` seconds.
            MasteryError: following has ended, by this error.
        """
        started = time.monotonic()
        if not self._follower.catch_up(timeout, cancelled):
            return False
        # What was applied before this is in the file, for `changed_since`.
        self._copy.tell_changes()
        counts = self.counts()
        log.info(
            "definitions of %d outcomes and %d scales are read to their end, in %.1f s",
            counts.outcomes,
            counts.proficiencies,
            time.monotonic() - started,
        )
        return True

    def resolve(self, root_account_uuid: str, learning_outcome_id: str) -> Definition:
        """What to compute an outcome's scores with: `Lookup.resolve`, which the hot path may hold itself."""
        return self.lookup.resolve(root_account_uuid, learning_outcome_id)

    @property
    def identity(self) -> str:
        """What vectors of these definitions go with, once started: a hash of the topics' ids and the rules.

        Rows whose vector was noted under another identity were made with other topics or other rules: all of
        them have to be computed again, whatever the vector says.
        """
        return self._identity

    @property
    def vector(self) -> Vector:
        """How far each partition is applied."""
        return self._copy.vector

    def take_changes(self) -> Changes:
        """Return what changed since this was called last, or since the first catch-up."""
        return self._copy.take_changes()

    def changed_since(self, vector: Vector) -> Changes:
        """Return what changed since `vector`, which came from this or any other worker's copy.

        What `take_changes` tells later lies beyond it, or is told twice. Raises StateUnavailable and
        StateFileUnusable.
        """
        return self._copy.changed_since(vector)

    def counts(self) -> DefinitionCounts:
        """What is known, for status and metrics."""
        return self.lookup.counts()


def _identity(topic_ids: Mapping[str, str], rules: MasteryRules) -> str:
    told = [topic_ids, rules, CALCULATION]
    return blake2b(msgspec.json.encode(told, order="sorted"), digest_size=8).hexdigest()
