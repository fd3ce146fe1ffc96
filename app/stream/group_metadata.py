"""The consumer-group metadata that ties a transaction to a group generation (KIP-447).

Faust's consumer (aiokafka) is the member of the group; confluent-kafka's producer sends the offsets.
librdkafka takes the metadata as an opaque byte string that only its own consumer can make, so it is built
here from aiokafka's coordinator. The layout (librdkafka, `rd_kafka_consumer_group_metadata_write`) is not a
public promise: `verify_layout` compares it with what the installed librdkafka writes, before the first
transaction.
"""

import struct
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer

from app.stream.errors import GroupMetadataMismatch

__all__ = ["encode_group_metadata", "verify_layout"]

_MAGIC = b"CGMDv2:"


def encode_group_metadata(group_id: str, generation: int, member_id: str) -> bytes:
    """Return one member's metadata: magic, generation (int32, little endian), group, member, no instance."""
    return b"".join(
        (_MAGIC, struct.pack("<i", generation), group_id.encode(), b"\0", member_id.encode(), b"\0", b"\1")
    )


def verify_layout(config: Mapping[str, Any], group_id: str) -> None:
    """Raise GroupMetadataMismatch unless librdkafka writes the same for a consumer that has not joined."""
    consumer = Consumer({**config, "group.id": group_id})
    try:
        found = consumer.consumer_group_metadata()
    finally:
        consumer.close()
    if found != encode_group_metadata(group_id, -1, ""):
        raise GroupMetadataMismatch(
            "this version of librdkafka lays out consumer-group metadata in an unknown way",
            hint="install the confluent-kafka version of requirements.lock",
        )
