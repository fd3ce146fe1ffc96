"""From a request to who asks: tokens, passwords, and what a trusted proxy says."""

import base64
import binascii
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers

from app.settings import Settings
from app.web.problems import Forbidden
from app.web.security.passwords import PasswordHash, Passwords
from app.web.security.proxies import Proxies, ProxyLogin
from app.web.security.tokens import hash_token, read_token
from app.web.security.users import User, UsersFile, check_user_name
from app.web.security.viewer import Role, Viewer

__all__ = ["TOKEN_USER", "Logins"]

#: Who has the web token. In a users file nobody can have this name's rights by it.
TOKEN_USER: Final = Viewer("token", Role.ADMIN)


@dataclass(frozen=True, slots=True)
class _Credentials:
    """What an Authorization header holds. `name` is None with Bearer."""

    name: str | None
    secret: str


class Logins:
    """All ways to log in. Raises UsersFileUnusable or WebTokenUnusable when it is made."""

    def __init__(self, settings: Settings) -> None:
        self.proxies = Proxies.of(settings)
        token = read_token(settings)
        self._token = None if token is None else hash_token(token.get_secret_value())
        self._file = None if settings.web_users_file is None else UsersFile(settings.web_users_file)
        self._passwords = Passwords()
        self._needed = settings.web_users_file is not None or self.proxies.configured or token is not None

    @property
    def configured(self) -> bool:
        """Whether a login is asked for at all. A users file that names nobody asks, and lets nobody in."""
        return self._needed

    @property
    def possible(self) -> bool:
        """Whether anybody can log in."""
        known = any(user.password or user.token for user in self._users.values())
        return known or self._token is not None or self.proxies.configured

    @property
    def _users(self) -> Mapping[str, User]:
        return {} if self._file is None else self._file.users

    def needs_work(self, headers: Headers) -> bool:
        """Whether a password has to be looked at that was not right within the last minute."""
        users = self._users
        return any(
            given.name is not None
            and self._by_token(users, given.secret) is None
            and not self._passwords.known(given.name, given.secret, _password_of(users, given.name))
            for given in _credentials(headers)
        )

    async def viewer(self, headers: Headers, client: str | None) -> Viewer | None:
        """Return who asks; None for nobody that is known.

        Raises Forbidden for whom a trusted proxy names without a role that could be used.
        """
        if (named := self.proxies.login(headers, client)) is not None:
            return self._by_proxy(named)
        users = self._users
        for given in _credentials(headers):
            if (found := self._by_token(users, given.secret)) is not None:
                return found
            if given.name is None or not any(user.password for user in users.values()):
                continue
            if await self._passwords.right(given.name, given.secret, _password_of(users, given.name)):
                return users[given.name].viewer
        return None

    def _by_token(self, users: Mapping[str, User], secret: str) -> Viewer | None:
        """A token is a login as Bearer, and as the password of Basic, whose name may then be anything."""
        given, found = hash_token(secret), None
        # All of them, and compare_digest: the time it takes does not tell how much was right, or whose it is.
        if self._token is not None and hmac.compare_digest(given, self._token):
            found = TOKEN_USER
        for user in users.values():
            if user.token is not None and hmac.compare_digest(given, user.token):
                found = found or user.viewer
        return found

    def _by_proxy(self, named: ProxyLogin) -> Viewer:
        """Whom the proxy names: role by its header where one is asked for, limits by the users file."""
        try:
            check_user_name(named.name)
        except ValueError as error:
            raise Forbidden(f"The proxy's name for you cannot be used: {error}.") from None
        user = self._users.get(named.name)
        if named.role is None:
            if user is None:
                raise Forbidden(
                    f"Nobody has said what {named.name} may see.",
                    hint="An entry in the users file, or a role from the proxy, says it.",
                )
            return user.viewer
        try:
            role = Role(named.role)
        except ValueError:
            raise Forbidden(
                f"The proxy gives {named.name} no role that is known here.",
                hint=f"There are {', '.join(Role)}.",
            ) from None
        accounts, courses = (None, None) if user is None else (user.viewer.accounts, user.viewer.courses)
        return Viewer(named.name, role, accounts, courses)


def _password_of(users: Mapping[str, User], name: str) -> PasswordHash | None:
    user = users.get(name)
    return None if user is None else user.password


def _credentials(headers: Headers) -> Iterator[_Credentials]:
    """What the first Authorization header holds; nothing if it cannot be read (RFC 6750, RFC 7617)."""
    for header in headers.getlist("authorization")[:1]:
        scheme, _, rest = header.strip().partition(" ")
        match scheme.lower():
            case "bearer":
                yield _Credentials(None, rest.strip())
            case "basic":
                try:
                    pair = base64.b64decode(rest.strip(), validate=True).decode("utf-8")
                except (binascii.Error, ValueError):
                    continue
                name, colon, password = pair.partition(":")
                if colon:
                    yield _Credentials(name, password)
