"""What can end a worker's stream. Every one of them is safe: what was not committed is read again."""

from app.errors import MasteryError

__all__ = [
    "CheckpointFailed",
    "CheckpointStuck",
    "FetchRefused",
    "GroupMetadataMismatch",
    "GroupRefused",
    "OffsetBeyondEnd",
    "OffsetWentBack",
    "OffsetsForgotten",
    "OutOfOrder",
    "PartitionsMismatch",
    "ProducerFenced",
    "StateNotWritten",
    "StateReplaced",
    "StreamError",
    "TakeOverFailed",
]


class StreamError(MasteryError):
    """Base of the errors in the stream core."""


class CheckpointFailed(StreamError):
    """A transaction could not be committed and was given up. A restart goes on from the last commit."""


class CheckpointStuck(CheckpointFailed):
    """A call into librdkafka did not come back, whatever its time-out. Only the process's end helps."""


class ProducerFenced(CheckpointFailed):
    """Another producer with the same transactional.id, or the group's next generation, has taken over."""


class StateNotWritten(CheckpointFailed):
    """The transaction is committed, but its state could not be written: a restart restores it."""


class PartitionsMismatch(StreamError):
    """Topics that a row is made from are not assigned together: their partition counts differ."""


class OutOfOrder(CheckpointFailed):
    """A batch was to be written before the one that comes before it: a commit would pass over that one."""


class TakeOverFailed(StreamError):
    """The committed offsets of newly assigned partitions could not be read."""


class OffsetBeyondEnd(StreamError):
    """A committed offset lies beyond the end of its partition: the topic was made anew."""


class OffsetsForgotten(StreamError):
    """The group has no offsets any more, although it has written: all of it would be written again."""


class StateReplaced(StreamError):
    """The group's offsets rest on state that was replaced since: what it held is missing."""


class OffsetWentBack(StreamError):
    """A partition delivered a record below the position that was asked for."""


class FetchRefused(StreamError):
    """The broker does not hand out records of the input, for a reason that does not pass by itself."""


class GroupRefused(StreamError):
    """The broker does not take this worker into its group, for a reason that does not pass by itself."""


class GroupMetadataMismatch(StreamError):
    """librdkafka's layout of consumer-group metadata is not the one that this code writes."""
