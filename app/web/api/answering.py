"""From an answer to a response: JSON with a tag, so that who asks again hears whether something changed.

An answer says how fresh it is, which differs each time. So the tag is weak: it stands for everything but the
times and offsets of the freshness, and those are in headers too, which a 304 brings up to date.
"""

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from app.web.models.base import Answer

__all__ = ["HEADERS", "answered", "iso_time", "tagged"]

#: Headers of every answer, and what they say.
HEADERS: Final = {
    "ETag": "Changes with everything in the answer but the times and offsets of its freshness.",
    "Mastery-As-Of": "When the oldest part of the answer was true.",
    "Mastery-Complete": "false where a worker's part is missing: `freshness.workers` says which, and why.",
    "Cache-Control": "private, no-cache: ask again, with If-None-Match.",
    "Link": 'Of lists: addresses with rel="next" and rel="prev".',
}


def answered(request: Request, answer: Answer) -> Response:
    """Return the answer as JSON; 304 without it to who has it."""
    body = answer.model_dump_json().encode()
    fresh = answer.freshness.model_dump_json().encode()
    # What is left is the answer without it, and need not be written once more for the tag.
    return tagged(request, answer, body, "application/json", tagged_part=body.replace(fresh, b"", 1))


def tagged(
    request: Request, answer: Answer, body: bytes, media_type: str, *, tagged_part: bytes | None = None
) -> Response:
    """Return a body that shows `answer`, with its headers. The tag is of `tagged_part`, else of the body."""
    tag = _tag(answer, body if tagged_part is None else tagged_part)
    headers = {
        "ETag": tag,
        "Mastery-As-Of": iso_time(answer.freshness.as_of),
        "Mastery-Complete": str(answer.freshness.complete).lower(),
        "Cache-Control": "private, no-cache",
    }
    if links := _links(request, answer):
        headers["Link"] = links
    if _has(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


def iso_time(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _tag(answer: Answer, content: bytes) -> str:
    digest = blake2b(content, digest_size=12)
    for worker in answer.freshness.workers:
        digest.update(f"{worker.name} {worker.state}".encode())
    return f'W/"{digest.hexdigest()}"'


def _has(request: Request, tag: str) -> bool:
    given = request.headers.get("if-none-match", "")
    held = [one.strip().removeprefix("W/") for one in given.split(",")]
    return tag.removeprefix("W/") in held or "*" in held


def _links(request: Request, answer: Answer) -> str:
    links = []
    for name, relation in (("next", "next"), ("previous", "prev")):
        cursor = getattr(answer, name, None)
        if cursor is not None:
            query = [(key, value) for key, value in request.query_params.multi_items() if key != "cursor"]
            address = f"{request.url.path}?{urlencode([*query, ('cursor', cursor)])}"
            links.append(f'<{address}>; rel="{relation}"')
    return ", ".join(links)
