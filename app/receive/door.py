"""Who may bring events: whoever knows the secret, where there is one."""

import base64
import binascii
import hashlib
import hmac

from pydantic import SecretStr

from app.receive.refusals import Refusal, Refused
from app.settings import Settings, SettingsError, variable
from app.settings.receive import check_path_secret

__all__ = ["Door", "open_door"]


class Door:
    """Lets a request in or raises Refused. Secrets are compared as digests, all of them, in constant time."""

    def __init__(self, *, path: tuple[str, ...] = (), basic: str | None = None) -> None:
        self._path = tuple(_digest(secret.encode()) for secret in path)
        self._basic = None if basic is None else _digest(basic.encode())

    def admit(self, path: str | None, authorization: str) -> None:
        """`path` is what stands behind /events/, None where nothing does."""
        if self._path:
            given = _digest((path or "").encode())
            # All are compared, whichever fits.
            if not sum(hmac.compare_digest(given, secret) for secret in self._path):
                raise Refused(Refusal.WRONG_SECRET)
            return
        if path is not None:
            raise Refused(Refusal.NOT_FOUND)
        if self._basic is not None and not hmac.compare_digest(
            _digest(_credentials(authorization)), self._basic
        ):
            raise Refused(Refusal.WRONG_SECRET)

    @property
    def asks_for_login(self) -> bool:
        """Whether basic authentication lets in."""
        return self._basic is not None


def open_door(settings: Settings) -> Door:
    """Return the door that the settings describe.

    Raises SettingsError when anybody could bring events, or the secret's file cannot be used.
    """
    secret = settings.receive_path_secret
    if settings.receive_path_secret_file is not None:
        secret = _read(settings)
    if secret is not None:
        return Door(path=tuple(secret.get_secret_value().split(",")))
    if settings.receive_basic_auth is not None:
        return Door(basic=settings.receive_basic_auth.get_secret_value())
    if not settings.receive_signed:
        raise SettingsError(
            f"events that are not signed need a secret: neither {variable('receive_path_secret')} nor "
            f"{variable('receive_basic_auth')} is set",
            hint=f"`mastery web-token FILE` makes one for {variable('receive_path_secret_file')}; or have "
            f"Canvas sign events, and set {variable('receive_signed')}=true",
        )
    return Door()


def _read(settings: Settings) -> SecretStr:
    path, name = settings.receive_path_secret_file, variable("receive_path_secret_file")
    assert path is not None  # noqa: S101 - what the caller has seen
    try:
        return check_path_secret(SecretStr(path.read_text(encoding="ascii").strip()))
    except OSError as error:
        raise SettingsError(f"{name}: {error.strerror}", hint="`mastery web-token FILE` makes one") from None
    except ValueError as error:
        told = "must be ASCII" if isinstance(error, UnicodeDecodeError) else str(error)
        raise SettingsError(f"{name}: the secret in it {told}") from None


def _digest(value: bytes) -> bytes:
    """Of one length for all: comparing tells nothing of a secret's length."""
    return hashlib.sha256(value).digest()


def _credentials(authorization: str) -> bytes:
    """USER:PASSWORD of a header (RFC 7617); nothing when there are none."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(rest.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
