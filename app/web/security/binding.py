"""Whether the web server may listen where it is told to: not where others reach it without a login."""

import ipaddress

from app.settings import Settings, SettingsError
from app.web.security.logins import Logins

__all__ = ["LoginMissing", "require_login_for"]


class LoginMissing(SettingsError):
    """The web server would be open to other machines, or to nobody."""


def require_login_for(host: str, address: str, settings: Settings) -> None:
    """Raise LoginMissing when `address`, what `host` stands for, can be reached from other machines.

    Raises UsersFileUnusable and WebTokenUnusable too: a login that cannot be read is none.
    """
    logins = Logins(settings)
    if logins.configured and not logins.possible:
        raise LoginMissing(
            f"MASTERY_WEB_USERS_FILE: {settings.web_users_file} names nobody who could log in",
            hint=f"`mastery web-user NAME --role admin --file {settings.web_users_file}` adds somebody",
        )
    if not logins.configured and not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        raise LoginMissing(
            f"MASTERY_WEB_HOST: other machines reach {host}, and no login guards the web server",
            hint="set MASTERY_WEB_TOKEN_FILE to a file made by `mastery web-token FILE`, or "
            "MASTERY_WEB_USERS_FILE to one made by `mastery web-user NAME --role admin --file FILE`, "
            "or MASTERY_WEB_HOST to 127.0.0.1",
        )
