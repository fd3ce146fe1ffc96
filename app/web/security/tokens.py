"""Tokens: the web server's own, the group's, and those of users, of which a file holds hashes."""

import hashlib
import re
import secrets
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from app.errors import MasteryError
from app.settings import Settings, check_web_token

__all__ = [
    "WebTokenUnusable",
    "hash_token",
    "new_token",
    "parse_token_hash",
    "read_cluster_token",
    "read_token",
    "token_in",
]

_BYTES: Final = 32
_PREFIX: Final = "sha256$"


class WebTokenUnusable(MasteryError):
    """The file that should hold the token cannot be read, or holds none."""


def read_token(settings: Settings) -> SecretStr | None:
    """Return the web token of the settings, from its file as it is now; None where none is set."""
    return settings.web_token if settings.web_token_file is None else token_in(settings.web_token_file)


def read_cluster_token(settings: Settings) -> SecretStr | None:
    """Return the token by which workers know each other: the web token where no other is set.

    With pseudonyms none but one of their own: workers tell each other ids, and pseudonyms are made with it,
    which whoever logs in with the web token is not to do.
    """
    if settings.cluster_token_file is not None:
        return token_in(settings.cluster_token_file)
    return settings.cluster_token or (None if settings.web_pseudonyms else read_token(settings))


def token_in(file: Path) -> SecretStr:
    """Return the token that a file holds. Raises WebTokenUnusable, which tells nothing else of the file."""
    try:
        text = file.read_text(encoding="ascii").strip()
        return check_web_token(SecretStr(text))
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    except UnicodeDecodeError:
        reason = "holds no token: it is not plain text"
    except ValueError as error:
        reason = f"holds no token: it {error}"
    raise WebTokenUnusable(
        f"the web server's token: {file} {reason}", hint=f"`mastery web-token --new {file}` makes one"
    )


def new_token() -> str:
    """Return a token that nobody can guess: 256 random bits, which may stand in a header as they are."""
    return secrets.token_urlsafe(_BYTES)


def hash_token(token: str) -> str:
    """Return what a users file keeps of a token. It is random, so no slow hash is needed."""
    return _PREFIX + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def parse_token_hash(text: str) -> str:
    """Return it as it is. Raises ValueError, which does not show the text."""
    if not re.fullmatch(re.escape(_PREFIX) + r"[0-9a-f]{64}", text):
        message = "is no hash of a token as `mastery web-user` makes it"
        raise ValueError(message)
    return text
