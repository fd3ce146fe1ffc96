"""Names that stand for students: the same for the same student, and telling nothing of them."""

import asyncio
import hmac
import os
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from app.errors import MasteryError
from app.settings import Settings
from app.web.models.stream import Change
from app.web.problems import BadParameter, NotFound, TooSlow
from app.web.security.tokens import read_cluster_token

__all__ = ["KeyUnusable", "Pseudonyms", "Students", "key_of", "nobody_has_it"]

_FORM: Final = re.compile(r"student-[0-9a-f]{12}")
_KEY_FILE: Final = "pseudonym.key"
_KEY_BYTES: Final = 32
_TAG: Final = 16
_DIGITS: Final = 12
_MOST: Final = 100_000
#: Seconds that a look for a student waits for another to end.
_PATIENCE: Final = 10.0

#: Yields the uuids of all students.
Students = Callable[[], AsyncIterator[str]]


class KeyUnusable(MasteryError):
    """The file with the key of the pseudonyms cannot be read or made."""


def key_of(settings: Settings) -> bytes:
    """Return the key: from the cluster token, so that all workers have the same, else from a file.

    The file is in the state folder, made if it is not there, and one worker's alone. Raises KeyUnusable or
    WebTokenUnusable.
    """
    token = read_cluster_token(settings)
    return _derived(token) if token is not None else _kept(settings.state_dir / _KEY_FILE)


def _derived(token: SecretStr) -> bytes:
    return hmac.digest(token.get_secret_value().encode(), b"mastery-stream pseudonyms 1", "sha256")


def _kept(file: Path) -> bytes:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            fresh = file.with_name(f".{file.name}.{os.getpid()}")
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(secrets.token_bytes(_KEY_BYTES))
            fresh.replace(file)
        key = file.read_bytes()
    except OSError as error:
        raise KeyUnusable(
            f"the key of the pseudonyms, {file}: {error.strerror or error}",
            hint="the state folder must be there to write to; or set MASTERY_CLUSTER_TOKEN_FILE",
        ) from None
    if len(key) != _KEY_BYTES:
        raise KeyUnusable(
            f"the key of the pseudonyms, {file}, is not {_KEY_BYTES} bytes long",
            hint="remove it: a new one is made, and all pseudonyms change",
        )
    return key


class Pseudonyms:
    """Pseudonyms of students, and back for those that were shown or can still be found.

    48 bits of HMAC-SHA-256 under a key: that two of a million students share one has a probability of 0.2 %;
    then whoever was shown last is meant.
    """

    def __init__(self, key: bytes, *, most: int = _MOST) -> None:
        self._names_key = hmac.digest(key, b"names", "sha256")
        self._tag_key = hmac.digest(key, b"cursor tag", "sha256")
        self._stream_key = hmac.digest(key, b"cursor stream", "sha256")
        self._most = most
        self._shown: OrderedDict[str, str] = OrderedDict()
        self._looking = asyncio.Lock()

    def of(self, user_uuid: str) -> str:
        """Return a student's pseudonym, and remember whose it is."""
        pseudonym = self._name(user_uuid)
        self._shown[pseudonym] = user_uuid
        self._shown.move_to_end(pseudonym)
        if len(self._shown) > self._most:
            self._shown.popitem(last=False)
        return pseudonym

    def change(self, change: Change) -> Change:
        """Return a change with the student's pseudonym."""
        return change.model_copy(update={"user_uuid": self.of(change.user_uuid)})

    async def back(self, pseudonym: str, students: Students) -> str:
        """Return whose it is: one that was shown, or of `students`.

        Raises NotFound; a student's own id is not taken for a pseudonym. TooSlow: see `find`.
        """
        if not _FORM.fullmatch(pseudonym):
            raise NotFound(
                "Students have pseudonyms here, such as student-7f3a9c21d04e.",
                hint="Look for the student on the mastery page.",
            )
        if user_uuid := (await self.find([pseudonym], students)).get(pseudonym):
            return user_uuid
        raise nobody_has_it()

    async def find(self, pseudonyms: Iterable[str], students: Students) -> dict[str, str]:
        """Return whose they are, without those that nobody has.

        What was not shown lately is looked for among all students: once for all, and by one at a time, as it
        is much work that anybody can ask for. Raises TooSlow for who waits for that too long.
        """
        found, wanted = {}, set()
        for one in pseudonyms:
            if (known := self._shown.get(one)) is not None:
                found[one] = known
            elif _FORM.fullmatch(one):
                wanted.add(one)
        if not wanted:
            return found
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._looking.acquire()
        except TimeoutError:
            raise TooSlow(
                "Another student is being looked for by pseudonym.",
                hint="Open the student from a list: that pseudonym is known then.",
                headers={"Retry-After": "10"},
            ) from None
        try:
            async for user_uuid in students():
                if (name := self._name(user_uuid)) in wanted:
                    found[name] = user_uuid
                    wanted.remove(name)
                    if not wanted:
                        break
        finally:
            self._looking.release()
        return found

    def seal(self, cursor: str | None) -> str | None:
        """Return a cursor that can be handed out: it holds a student's id, which nobody is to read.

        The key stream is HMAC-SHA-256 of a counter, under a start that depends on all of the text (the way of
        SIV, RFC 5297): the same text is sealed the same, and another under another key stream.
        """
        if cursor is None:
            return None
        text = cursor.encode()
        tag = hmac.digest(self._tag_key, text, "sha256")[:_TAG]
        return urlsafe_b64encode(tag + self._crypt(tag, text)).decode().rstrip("=")

    def unseal(self, sealed: str | None) -> str | None:
        """Return what was sealed. Raises BadParameter for what was not sealed here."""
        if sealed is None:
            return None
        try:
            content = urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        except ValueError:
            content = b""
        tag, text = content[:_TAG], self._crypt(content[:_TAG], content[_TAG:])
        if not hmac.compare_digest(tag, hmac.digest(self._tag_key, text, "sha256")[:_TAG]):
            raise BadParameter(
                "This cursor is not of this list.", hint="Begin with the first page.", parameter="cursor"
            )
        return text.decode()

    def _name(self, user_uuid: str) -> str:
        digest = hmac.digest(self._names_key, user_uuid.encode("utf-8", "surrogatepass"), "sha256")
        return f"student-{digest.hex()[:_DIGITS]}"

    def _crypt(self, start: bytes, text: bytes) -> bytes:
        stream = b"".join(
            hmac.digest(self._stream_key, start + block.to_bytes(4, "big"), "sha256")
            for block in range(-(-len(text) // 32))
        )
        return bytes(one ^ other for one, other in zip(text, stream, strict=False))


def nobody_has_it() -> NotFound:
    """Say that a pseudonym is nobody's, or of nobody that may be seen."""
    return NotFound(
        "No student of this pseudonym was found.",
        hint="Look for the student on the mastery page. Pseudonyms change with the cluster token.",
    )
