"""Why a request is not taken: one list, for answers, metrics and the log."""

from enum import Enum

__all__ = ["Refusal", "Refused"]


class Refusal(Enum):
    """A reason: the HTTP status it is answered with, and what is said of it. None names a value."""

    WRONG_SECRET = 401, "the secret is missing or wrong"
    NOT_SIGNED = 401, "the event is not signed"
    ALGORITHM = 401, "the signature's algorithm is not RS256"
    NO_KEY_ID = 401, "the signature names no key"
    UNKNOWN_KEY = 401, "the signature names a key that is not Canvas's"
    SIGNATURE = 401, "the signature is not that of the key it names"
    ISSUER = 401, "the event was signed for another issuer"
    EXPIRED = 401, "the signature has expired"
    NOT_YET_VALID = 401, "the signature is not valid yet"
    CLAIMS = 401, "the signed claims cannot be used"
    NOT_JSON = 400, "the body is not JSON in UTF-8"
    NOT_A_TOKEN = 400, "the body is not a JSON Web Token"
    SIGNED = 400, "the event is signed, and MASTERY_RECEIVE_SIGNED is not set"
    INCOMPLETE = 400, "the body broke off"
    NOT_FOUND = 404, "events are taken at another address"
    SLOW = 408, "the body did not come in time"
    TOO_LARGE = 413, "the event is larger than the raw topic takes"
    ENCODED = 415, "the body is compressed"
    UNEXPECTED = 500, "an error of the receiver itself"
    OVERLOADED = 503, "too many events are waited for"
    KEYS_AWAY = 503, "the keys of Canvas could not be fetched yet"
    KAFKA_AWAY = 503, "Kafka has not taken the event in time"
    STOPPING = 503, "the receiver is being stopped"

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text

    @property
    def label(self) -> str:
        """Its name in metrics."""
        return self.name.lower().replace("_", "-")


class Refused(Exception):
    """A request that is not taken."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal
