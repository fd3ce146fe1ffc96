"""Asking another worker for its part of an answer."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from app.web.cluster.members import Member
from app.web.problems import BadParameter, Forbidden, NotFound, NotReady, Problem, TooSlow
from app.web.security.viewer import Viewer

__all__ = ["PEER_TIMEOUT", "PeerRefused", "PeerSilent", "Peers"]

#: Seconds after which an answer goes out without a worker's part.
PEER_TIMEOUT: Final = 2.0

#: Seconds. A stream without changes has a comment every 15 s.
_SILENT_STREAM: Final = 40.0

M = TypeVar("M", bound=BaseModel)

_PROBLEMS: Final[Mapping[int, type[Problem]]] = {
    400: BadParameter,
    403: Forbidden,
    404: NotFound,
}


class PeerSilent(Exception):
    """A worker did not answer, or with something that is no answer."""


class PeerRefused(Exception):
    """A worker did not accept the cluster token."""


class Peers:
    """Calls of other workers' API, each for their own part alone.

    `headers` makes what says on whose behalf a call is (app.web.security.cluster).
    """

    def __init__(
        self, headers: Callable[[Viewer], Mapping[str, str]], client: httpx.AsyncClient | None = None
    ) -> None:
        self._headers = headers
        # No proxy of the environment, no redirect: a call goes where the group says, with the token.
        self._client = client or httpx.AsyncClient(trust_env=False, follow_redirects=False)
        # Streams stay open: in one pool with questions they would leave these no connection. Whoever lets
        # clients follow bounds their number.
        self._streams = client or httpx.AsyncClient(
            trust_env=False, follow_redirects=False, limits=httpx.Limits(max_connections=None)
        )

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()
        await self._streams.aclose()

    async def follow(self, member: Member, path: str, viewer: Viewer, model: type[M]) -> AsyncIterator[M]:
        """Yield what another worker sends as server-sent events, for as long as it does.

        Raises PeerSilent, PeerRefused or a Problem when there is no stream, PeerSilent when it breaks off.
        """
        try:
            async with self._streams.stream(
                "GET",
                f"{member.url.rstrip('/')}{path}",
                headers=dict(self._headers(viewer)),
                timeout=httpx.Timeout(PEER_TIMEOUT, read=_SILENT_STREAM),
            ) as response:
                if response.status_code != httpx.codes.OK:
                    await response.aread()
                    raise _problem(response)
                async for line in response.aiter_lines():
                    if line.startswith("data:"):
                        yield model.model_validate_json(line.removeprefix("data:"))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PeerSilent(_reason(error)) from None
        except ValidationError:
            raise PeerSilent("it answers in another form: is it of another version?") from None

    async def get(
        self, member: Member, path: str, parameters: Mapping[str, Any], viewer: Viewer, model: type[M]
    ) -> M:
        """Return the part of one worker; None among the parameters is left out.

        Raises:
            PeerSilent, PeerRefused: there is none.
            Problem: the worker's own answer is one: BadParameter, Forbidden, NotFound, NotReady or TooSlow.
        """
        try:
            response = await self._client.get(
                f"{member.url.rstrip('/')}{path}",
                params={name: _text(value) for name, value in parameters.items() if value is not None},
                headers=dict(self._headers(viewer)),
                timeout=PEER_TIMEOUT,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PeerSilent(_reason(error)) from None
        if response.status_code == httpx.codes.OK:
            try:
                return model.model_validate_json(response.content)
            except ValidationError:
                raise PeerSilent("it answers in another form: is it of another version?") from None
        raise _problem(response)


def _are_numbers(held: Any) -> bool:
    return isinstance(held, list) and all(isinstance(one, int) for one in held)


def _text(value: Any) -> str | list[str]:
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return f"it did not answer within {PEER_TIMEOUT:.0f} s"
    return "it cannot be reached"


def _problem(response: httpx.Response) -> Exception:
    status = response.status_code
    if status == httpx.codes.UNAUTHORIZED:
        return PeerRefused("it does not accept this worker's cluster token")
    try:
        told = response.json()
        detail, hint = str(told["detail"]), told.get("hint")
    except (ValueError, KeyError, TypeError, AttributeError):
        return PeerSilent(f"it answers with status {status}")
    if status == httpx.codes.SERVICE_UNAVAILABLE:
        kind: type[Problem] = TooSlow if told.get("title") == TooSlow.title else NotReady
        known = {name: told[name] for name in ("progress",) if name in told}
        wait = response.headers.get("Retry-After")
        return kind(detail, hint=hint, headers={"Retry-After": wait} if wait else None, **known)
    if status in _PROBLEMS:
        # Where it looked, and found nothing.
        held = told.get("partitions")
        return _PROBLEMS[status](detail, hint=hint, **({"partitions": held} if _are_numbers(held) else {}))
    return PeerSilent(f"it answers with status {status}")
