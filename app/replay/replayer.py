"""Sending dead letters to the raw topic again, exactly once: each with its mark, in one transaction."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from confluent_kafka import KafkaError, KafkaException

from app.errors import MasteryError
from app.kafka import BrokerErrors, broker_failure, client_config
from app.reader import TopicReader
from app.replay.deliveries import Deliveries, NotDelivered
from app.replay.headers import Replay, replay_headers
from app.replay.letters import Letter, place_text
from app.replay.marks import Mark, Marks, digest, mark_key, read_marks
from app.replay.plan import Plan
from app.settings import Settings
from app.stream.errors import CheckpointFailed, ProducerFenced
from app.stream.producer import TransactionalProducer
from app.topics import TopicAdmin

__all__ = ["ReplayFailed", "ReplayTakenOver", "Replayer", "Sent"]

#: Letters of one transaction, and their bytes: few enough to be done well within its time-out.
_MOST_LETTERS = 500
_MOST_BYTES = 8 * 1024 * 1024

_AGAIN = "run the command again: what was replayed is not replayed twice"


# librdkafka prints fatal errors past its log level: they are said better here.
_SILENT = logging.getLogger(f"{__name__}.librdkafka")
_SILENT.setLevel(logging.CRITICAL + 1)

_FENCED = frozenset({KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED})  # noqa: SLF001


class ReplayFailed(MasteryError):
    """The broker did not take a transaction: none of its letters was replayed."""


class ReplayTakenOver(ReplayFailed):
    """Another replay began. It goes on where this one was."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A letter that stands in the raw topic again, and the mark that was written with it."""

    letter: Letter
    mark: Mark


class Replayer:
    """Sends what a plan names. One at a time: a second one fences the first, and reads its marks afterwards.

    After `run`, `too_large` holds the letters that the raw topic does not take, with the headers that say
    that they are replayed; `done` how many somebody else has replayed since the plan was made, `gone` how
    many retention has deleted since.
    """

    def __init__(self, settings: Settings, partitions: Mapping[str, list[int]]) -> None:
        self._settings = settings
        self._partitions = partitions
        self._errors = BrokerErrors()
        self._producer = TransactionalProducer(
            client_config(settings, errors=self._errors, logger=_SILENT),
            f"{settings.group_id}.dead-letter-replay",
            max_batch_bytes=_batch_limit(settings),
        )
        self.too_large: list[Letter] = []
        self.done = 0
        self.gone = 0

    def run(self, plan: Plan, *, again: bool, forget: list[bytes]) -> Iterator[Sent]:
        """Send the letters of the plan; yield each once it is committed. `forget`: keys of marks to remove.

        Raises ReplayTakenOver, ReplayFailed, BrokerFailure. Whenever it ends, by kill -9 too, a letter is in
        the raw topic with its mark set, or it is not there and has none.
        """
        with self._explained():
            self._producer.init()
        # Nobody else writes marks from here on, and all that were written stand: the take-over waited for
        # that. So what another replay did since the plan was made is known now.
        marks = read_marks(self._settings, self._partitions)
        chunk: list[Letter] = []
        size = 0
        for letter in self._letters(plan):
            if not again and marks.of(letter) is not None:
                self.done += 1
                continue
            chunk.append(letter)
            size += len(letter.record.value or b"")
            if len(chunk) >= _MOST_LETTERS or size >= _MOST_BYTES:
                yield from self._send(chunk, marks, forget)
                chunk, size, forget = [], 0, []
        yield from self._send(chunk, marks, forget)

    def _letters(self, plan: Plan) -> Iterator[Letter]:
        """Read the planned letters, partition by partition in their order."""
        topic = self._settings.dead_letter_topic
        left = {letter.place for letter in plan.letters}
        starts: dict[tuple[str, int], int] = {}
        for partition, offset in sorted(left, reverse=True):
            starts[topic, partition] = offset
        with TopicReader(self._settings, starts) as reader:
            while left and not reader.at_end:
                for record in reader.read(0.5):
                    place = (record.partition, record.offset)
                    if place in left:
                        left.discard(place)
                        yield Letter.of(record)
        self.gone = len(left)

    def _send(self, letters: list[Letter], marks: Marks, forget: list[bytes]) -> Iterator[Sent]:
        """Send these in one transaction; again without the one that turned out to be too large."""
        while letters or forget:
            try:
                sent = self._transact(letters, marks, forget)
            except NotDelivered as error:
                if error.reason.code() != KafkaError.MSG_SIZE_TOO_LARGE:
                    raise self._refusal(error) from None
                self.too_large += [letter for letter in letters if letter.place == error.place]
                letters = [letter for letter in letters if letter.place != error.place]
            else:
                yield from sent
                return

    def _refusal(self, error: NotDelivered) -> MasteryError:
        if error.reason.code() == KafkaError.INVALID_TIMESTAMP:
            topic = self._settings.raw_topic_name
            return ReplayFailed(
                f"{topic} takes no record as old as dead letter {place_text(error.place)}",
                hint="raise its message.timestamp.before.max.ms, or leave out the older ones with --since",
            )
        return broker_failure(self._settings, error.reason, self._errors, what="replay dead letters")

    def _transact(self, letters: list[Letter], marks: Marks, forget: list[bytes]) -> list[Sent]:
        raw, ours = self._settings.raw_topic_name, self._settings.replays_topic
        counts = {letter.place: _count(letter, marks.of(letter)) for letter in letters}
        deliveries = Deliveries()
        with self._explained(), self._transaction(deliveries):
            for letter in letters:
                record = letter.record
                source = Replay(record.topic, *letter.place, counts[letter.place])
                headers = replay_headers(letter.original_headers, source)
                delivered = partial(deliveries.report, letter.place)
                # The key says which partition, as it did the first time; librdkafka takes 0 for "now".
                self._producer.produce_one(
                    raw, record.value, record.key, -1, delivered, None, record.timestamp or 1, headers
                )
            self._producer.flush()
            if len(deliveries.offsets) < len(letters):
                # Begins nothing, as one is open: in one that is spoilt, every call says by what.
                self._producer.begin()
                raise CheckpointFailed("the broker did not take all records")
            now = time.time_ns() // 1_000_000
            sent = []
            for letter in letters:
                place = letter.place
                mark = Mark(digest(letter), raw, *deliveries.offsets[place], counts[place], now)
                sent.append(Sent(letter, mark))
            for entry in sent:
                self._producer.produce_one(ours, entry.mark.encoded(), mark_key(entry.letter.place))
            for key in forget:
                self._producer.produce_one(ours, None, key)
            self._producer.flush()
        return sent

    @contextmanager
    def _transaction(self, deliveries: Deliveries) -> Iterator[None]:
        """Commit what is written within, or abort it."""
        self._producer.begin()
        try:
            yield
            self._producer.end()
        except BaseException as error:
            deliveries.close()
            reason = _reason(error)
            # Whoever has taken over has aborted it.
            if reason is None or not reason.fatal():
                self._producer.abort()
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Put what the producer raises into the words of a replay; NotDelivered stays if not by fencing."""
        try:
            yield
        except (CheckpointFailed, SystemError) as error:
            # confluent_kafka raises fatal errors in the middle of callbacks: to Python, a SystemError.
            reason = _reason(error)
            if isinstance(error, SystemError) and reason is None:
                raise
            if isinstance(error, ProducerFenced) or (reason is not None and reason.code() in _FENCED):
                raise ReplayTakenOver(
                    "another replay has begun: it goes on where this one was", hint=_AGAIN
                ) from None
            if isinstance(error, NotDelivered):
                raise
            if reason is None:
                raise ReplayFailed(str(error), hint=_AGAIN) from None
            raise broker_failure(self._settings, reason, self._errors, what="replay dead letters") from None


def _reason(error: BaseException) -> KafkaError | None:
    if isinstance(error, NotDelivered):
        return error.reason
    return error.__cause__.args[0] if isinstance(error.__cause__, KafkaException) else None


def _batch_limit(settings: Settings) -> int:
    """Return what a batch may hold, so that a refused one is one record: the topic may be somebody else's."""
    topic = settings.raw_topic_name
    config = TopicAdmin(settings).configs([topic]).get(topic) or {}
    return min(settings.max_message_bytes, int(config.get("max.message.bytes", settings.max_message_bytes)))


def _count(letter: Letter, mark: Mark | None) -> int:
    """Return how often the same raw record was replayed with this: after a failure, or again by request."""
    return max(letter.replays, mark.count if mark is not None else 0) + 1
