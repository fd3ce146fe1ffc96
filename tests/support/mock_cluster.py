"""librdkafka's mock Kafka cluster: a broker that is slow, or fails, exactly when a test wants it to.

It runs in this process, inside the librdkafka that confluent_kafka brings along, and is reached over TCP by
any client. confluent_kafka itself has no call for its controls, hence ctypes. It knows idempotent and
transactional producers and groups; transactions have no effect on what a reader sees.
"""

import ctypes
import pathlib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import TracebackType
from typing import Self

import confluent_kafka

from tests.support.brokers import cannot_run

__all__ = ["ApiKey", "MockCluster"]

_PRODUCER = 0
_ERROR_SIZE = 512


class ApiKey(IntEnum):
    """Numbers of Kafka's requests."""

    PRODUCE = 0
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28


class MockCluster:
    """Mock brokers, numbered from 1, with a librdkafka instance of their own; use as a context manager.

    Topics and delays are set in its own thread, which now and then takes a second to notice: share one where
    a test does not need its own.
    """

    def __init__(self, brokers: int = 1) -> None:
        library = _library()
        error = ctypes.create_string_buffer(_ERROR_SIZE)
        config = library.rd_kafka_conf_new()
        library.rd_kafka_conf_set(config, b"log_level", b"0", None, 0)
        self._handle = library.rd_kafka_new(_PRODUCER, config, error, _ERROR_SIZE)
        if not self._handle:
            raise RuntimeError(error.value.decode())
        self._cluster = library.rd_kafka_mock_cluster_new(self._handle, brokers)
        self._library = library

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._handle)

    @property
    def bootstrap(self) -> str:
        """Address for clients, HOST:PORT."""
        return str(self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode())

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """Make a topic."""
        self._check(self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1))

    def lead(self, topic: str, partition: int, broker: int) -> None:
        """Have a broker lead a partition."""
        self._check(
            self._library.rd_kafka_mock_partition_set_leader(self._cluster, topic.encode(), partition, broker)
        )

    def coordinate(self, kind: str, name: str, broker: int) -> None:
        """Have a broker coordinate a `group` or `transaction` of that name."""
        self._check(
            self._library.rd_kafka_mock_coordinator_set(self._cluster, kind.encode(), name.encode(), broker)
        )

    def decommission(self, broker: int) -> None:
        """Take a broker away for good, from what clients are told, too."""
        self._check(self._library.rd_kafka_mock_broker_decommission(self._cluster, broker))

    @contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """Every answer takes this long within the block."""
        self._check(self._library.rd_kafka_mock_broker_set_rtt(self._cluster, -1, int(seconds * 1000)))
        try:
            yield
        finally:
            self._check(self._library.rd_kafka_mock_broker_set_rtt(self._cluster, -1, 0))

    def fail(self, api_key: int, *codes: int) -> None:
        """Answer the next requests of a kind with these error codes (0 is success), one each."""
        array = (ctypes.c_int * len(codes))(*codes)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, api_key, len(codes), array)

    def forget_failures(self) -> None:
        """Take back what `fail` said and no request has met."""
        for api_key in ApiKey:
            self._library.rd_kafka_mock_clear_request_errors(self._cluster, api_key)

    def _check(self, code: int) -> None:
        if code:
            raise RuntimeError(f"mock cluster: error {code}")


def _library() -> ctypes.CDLL:
    """Load the librdkafka that confluent_kafka uses already; the test is skipped where it is built in."""
    package = pathlib.Path(confluent_kafka.__file__).parent
    folders = (package.parent / "confluent_kafka.libs", package / ".dylibs")
    found = [path for folder in folders for path in folder.glob("librdkafka*")]
    if not found:
        cannot_run("confluent_kafka without a librdkafka of its own has no mock cluster")
    library = ctypes.CDLL(str(found[0]))
    pointer, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    signatures = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
        "rd_kafka_mock_broker_set_rtt": (number, [pointer, ctypes.c_int32, number]),
        "rd_kafka_mock_broker_decommission": (number, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_coordinator_set": (number, [pointer, text, text, ctypes.c_int32]),
        "rd_kafka_mock_partition_set_leader": (number, [pointer, text, ctypes.c_int32, ctypes.c_int32]),
        "rd_kafka_mock_clear_request_errors": (None, [pointer, ctypes.c_int16]),
        "rd_kafka_mock_push_request_errors_array": (
            None,
            [pointer, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(number)],
        ),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
