"""The one transactional producer of a worker."""

import logging
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from app.coordinator import COORDINATOR_AWAY
from app.stream.batch import Output
from app.stream.errors import CheckpointFailed, ProducerFenced

__all__ = ["TRANSACTION_TIMEOUT", "TransactionalProducer"]

log = logging.getLogger(__name__)

# librdkafka prints fatal errors past its log level: the calls that fail say them better.
_SILENT = logging.getLogger(f"{__name__}.librdkafka")
_SILENT.setLevel(logging.CRITICAL + 1)

#: Seconds. What a killed worker left open is aborted by the broker after this long, and holds up the next
#: owner of its partitions (who waits for stable offsets) until then. librdkafka gives up a message after the
#: same time.
TRANSACTION_TIMEOUT = 10.0

#: Seconds for one blocking call. Above the transaction's time-out, so that it is the broker that decides.
_CALL_TIMEOUT = 15.0

#: A transaction is bounded by the batches of one checkpoint; this is only a ceiling for the local queue.
_QUEUE_KBYTES = 512 * 1024

#: librdkafka's own default.
_MAX_BATCH_BYTES = 1_000_000

#: The most that librdkafka allows. It measures a record before compression, a broker the batch after it: a
#: raw record may be far larger than its topic's limit, and so may its dead letter.
_MAX_MESSAGE_BYTES = 1_000_000_000

#: Seconds between two tries of a call.
_PAUSE = 0.1

#: Share of the transaction's time-out after which the records themselves are what held it up.
_LATE = 0.8

_WHICH_TOPIC = "`mastery topics check` tells which topic is gone or differs"

_FENCED = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
    }
)


class TransactionalProducer:
    """Writes the output of batches and commits it together with the offsets of their input.

    Not thread-safe by itself: `begin` and `produce` belong to the event loop, the blocking `commit` to one
    executor thread, and the checkpoint never lets them overlap.

    `max_batch_bytes` is the lowest limit of a topic. Records above `max_message_bytes` are refused unseen by
    the broker. `tags` are kept with the offsets of a topic, for `StableOffsets`. `commit_again` is for a
    broker that loses the offsets of a transaction without records: it is called with them once such a
    transaction is committed.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        transactional_id: str,
        *,
        max_message_bytes: int = _MAX_MESSAGE_BYTES,
        max_batch_bytes: int = _MAX_BATCH_BYTES,
        commit_again: Callable[[Mapping[tuple[str, int], int]], None] | None = None,
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._commit_again = commit_again
        self._tags = tags
        self._empty = True
        timeout_ms = int(TRANSACTION_TIMEOUT * 1000)
        self.transactional_id = transactional_id
        self._producer = Producer(
            {
                **config,
                "transactional.id": transactional_id,
                "transaction.timeout.ms": timeout_ms,
                "message.timeout.ms": timeout_ms,
                # A frozen broker must not hold a request for the default 60 s: seen to pause 3-4 s this way.
                "socket.timeout.ms": 10_000,
                "request.timeout.ms": 5_000,
                # Else one lost connection, where no other broker is connected, makes librdkafka 2.16 give up
                # the brokers it knows and begin anew with bootstrap.servers. It forgets the transaction's
                # coordinator with them, and send_offsets_to_transaction never returns: its own time-out is
                # ignored.
                "metadata.recovery.strategy": "none",
                # When the group's coordinator is gone for good (its broker was killed or taken away), the
                # same call waits for a connection of any broker's to open or close before it looks for the
                # new one (librdkafka issue 5511). So one that is idle is closed: while that call waits, all
                # are. A transaction after a pause opens them again, in milliseconds.
                "connections.max.idle.ms": 3_000,
                # A connection that was cut holds up all work until the next one.
                "reconnect.backoff.max.ms": 500,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": 5,
                "message.max.bytes": max_message_bytes,
                # A broker holds a topic's max.message.bytes against whole batches.
                "batch.size": min(max_batch_bytes, _MAX_BATCH_BYTES),
                "queue.buffering.max.messages": 1_000_000,
                "queue.buffering.max.kbytes": _QUEUE_KBYTES,
            },
            logger=_SILENT,
        )

    def init(self) -> None:
        """Take over the transactional.id: fences an earlier holder and aborts what it left open. Blocks."""
        self._call(self._producer.init_transactions, "init_transactions")

    def begin(self) -> None:
        """Open a transaction (local, returns at once)."""
        self._call(self._producer.begin_transaction, "begin_transaction", timed=False)
        self._empty = True

    def produce(self, output: Output) -> None:
        """Hand records over to librdkafka. Waits for room when its queue is full; never drops one.

        Raises:
            CheckpointFailed: a record was not taken; others of the output may be in the transaction.
        """
        produce = self._producer.produce
        self._empty = self._empty and not (output.typed or output.dead)
        try:
            for record in output.typed:
                try:
                    produce(*record)
                except BufferError:
                    self._produce_when_room(*record)
            for letter in output.dead:
                try:
                    produce(*letter)
                except BufferError:
                    self._produce_when_room(*letter)
            self._producer.poll(0)
        except KafkaException as error:
            raise _failure("produce", error) from error

    def produce_one(self, *record: Any) -> None:
        """Hand one record over, given as positional arguments of confluent_kafka's `Producer.produce`.

        Raises CheckpointFailed when it was not taken.
        """
        try:
            try:
                self._producer.produce(*record)
            except BufferError:
                self._produce_when_room(*record)
            self._producer.poll(0)
        except KafkaException as error:
            raise _failure("produce", error) from error

    def commit(self, positions: Mapping[tuple[str, int], int], group_metadata: bytes) -> None:
        """Commit the open transaction with the input's positions. Blocks; 30-60 ms on a broker at rest.

        Raises:
            ProducerFenced: another generation or another holder of the transactional.id owns the input now.
            CheckpointFailed: anything else that keeps the transaction from being committed.
        """
        began = time.monotonic()
        self.flush()
        late = time.monotonic() > began + _LATE * TRANSACTION_TIMEOUT
        try:
            self.send_offsets(positions, group_metadata)
        except ProducerFenced as error:
            if not late:
                raise
            # By the broker itself, which has given up the transaction: some records had no place to go.
            raise CheckpointFailed(
                f"the broker did not take all records of a checkpoint in {TRANSACTION_TIMEOUT:.0f} s",
                hint=_WHICH_TOPIC,
            ) from error
        self.end()
        if self._empty and self._commit_again is not None:
            self._commit_again(positions)

    def flush(self) -> None:
        """Wait until every record of the transaction is with the broker, or has failed for good."""
        deadline = time.monotonic() + _CALL_TIMEOUT
        try:
            while self._producer.flush(1.0):
                if time.monotonic() > deadline:
                    raise CheckpointFailed("records could not be delivered to the broker in time")
        except KafkaException as error:
            raise _failure("flush", error) from error

    def send_offsets(self, positions: Mapping[tuple[str, int], int], group_metadata: bytes) -> None:
        """Add the positions of the input to the transaction, in the name of one group generation."""
        offsets = [
            TopicPartition(topic, partition, offset, self._tags.get(topic, ""))
            for (topic, partition), offset in positions.items()
        ]
        self._call(
            lambda timeout: self._producer.send_offsets_to_transaction(offsets, group_metadata, timeout),
            "send_offsets_to_transaction",
        )

    def end(self) -> None:
        """Commit: the broker makes records and offsets visible together."""
        self._call(self._producer.commit_transaction, "commit_transaction")

    def abort(self) -> None:
        """Give up the open transaction, if there is one. Never raises: the broker aborts it later anyway."""
        try:
            self._producer.abort_transaction(_CALL_TIMEOUT / 3)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.INVALID_TXN_STATE:
                return  # the broker has taken no record of it, and knows of none
            log.warning(
                "could not abort the transaction (%s); the broker will, after its time-out", _name(error)
            )

    def _produce_when_room(self, *arguments: Any) -> None:
        if (size := len(arguments[1] or b"")) > _QUEUE_KBYTES * 1024:
            # Compressed, it was small enough for the raw topic.
            raise CheckpointFailed(
                f"a record for {arguments[0]} has {size >> 20} MiB, more than can be written at all",
                hint="a raw record behind the committed offsets has grown to that on decompression."
                " Find it with kafka-console-consumer. To pass over it, stop the workers, then"
                " kafka-consumer-groups --reset-offsets --topic TOPIC:PARTITION --to-offset OFFSET --execute",
            )
        deadline = time.monotonic() + _CALL_TIMEOUT
        while True:
            self._producer.poll(0.05)
            try:
                self._producer.produce(*arguments)
            except BufferError:
                if time.monotonic() > deadline:
                    raise CheckpointFailed(
                        "the producer's queue stays full: the broker takes no records"
                    ) from None
            else:
                return

    def _call(self, call: Callable[..., Any], name: str, *, timed: bool = True) -> None:
        """Make one transactional call; repeat it while librdkafka says that it may be repeated."""
        deadline = time.monotonic() + _CALL_TIMEOUT
        while True:
            try:
                call(max(1.0, deadline - time.monotonic())) if timed else call()
            except KafkaException as error:
                cause: KafkaError = error.args[0]
                if _may_be_repeated(cause) and time.monotonic() < deadline:
                    time.sleep(_PAUSE)
                    continue
                raise _failure(name, error) from error
            else:
                return


def _may_be_repeated(cause: KafkaError) -> bool:
    if cause.fatal() or cause.txn_requires_abort():
        return False
    return cause.retriable() or cause.code() in COORDINATOR_AWAY


def _failure(call: str, error: KafkaException) -> CheckpointFailed:
    code = error.args[0].code()
    if code in _FENCED:
        return ProducerFenced(
            f"{call} failed: {_name(error)}",
            hint="another worker has its partitions by now: start it again, it takes its share",
        )
    # librdkafka's words for it, said of no record in particular: of the commit, and of the next record.
    if code == KafkaError._INCONSISTENT or (code == KafkaError._STATE and call == "produce"):
        return CheckpointFailed(
            "the broker did not take all records of a checkpoint",
            hint=f"{_WHICH_TOPIC}. Else this machine's clock may be ahead of the broker's, which refuses"
            " records of the future",
        )
    if code == KafkaError.MSG_SIZE_TOO_LARGE:
        return CheckpointFailed(
            "the broker did not take all records of a checkpoint: one is larger than its topic takes"
            f" ({_name(error)})",
            hint=_WHICH_TOPIC,
        )
    if code == KafkaError.INVALID_TIMESTAMP:
        # Rows carry this machine's time. Brokers take an hour ahead of theirs, by default (KIP-937).
        return CheckpointFailed(
            "the broker refuses records of this machine's time",
            hint="set this machine's clock, or the broker's: they are more than"
            " message.timestamp.after.max.ms apart",
        )
    return CheckpointFailed(f"{call} failed: {_name(error)}")


def _name(error: KafkaException) -> str:
    """Return the code's name alone: librdkafka's text can hold group and member ids."""
    cause = error.args[0]
    name: str = cause.name() if isinstance(cause, KafkaError) else type(error).__name__
    return name
