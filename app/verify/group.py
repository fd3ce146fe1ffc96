"""Who is in the workers' group."""

from confluent_kafka import KafkaError, KafkaException

from app.kafka import BrokerErrors, admin_client, broker_failure
from app.reader import REQUEST_TIMEOUT
from app.settings import Settings

__all__ = ["members"]


def members(settings: Settings) -> int:
    """Return how many workers are in the group; 0 for a group that is not there. Raises BrokerFailure."""
    errors = BrokerErrors()
    admin = admin_client(settings, errors=errors)
    try:
        asked = admin.describe_consumer_groups([settings.group_id], request_timeout=REQUEST_TIMEOUT)
        return len(asked[settings.group_id].result().members)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return 0
        admin.poll(0)
        raise broker_failure(settings, error, errors, what="describe the group") from None
