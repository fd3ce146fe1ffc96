"""What a refused request gets: a page for a person, problem details (RFC 9457) for a program."""

from html import escape
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Scope

from app.web.problems import Problem

__all__ = ["CHALLENGES", "refusal", "wants_page"]

# Every client can do one of them: browsers and Confluent's clients Basic, Prometheus either.
CHALLENGES = (b'Bearer realm="mastery-stream"', b'Basic realm="mastery-stream", charset="UTF-8"')

_UNAUTHORIZED = 401
_FOR_PROGRAMS = ("/api", "/registry", "/metrics", "/openapi.json", "/health")

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} - mastery-stream</title>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
{hint}</main>
</body>
</html>
"""


def wants_page(scope: Scope) -> bool:
    """Whether a browser asks for a page."""
    path = str(scope["path"])
    if any(path == start or path.startswith(f"{start}/") for start in _FOR_PROGRAMS):
        return path.startswith("/api/docs") and "text/html" in Headers(scope=scope).get("accept", "")
    return "text/html" in Headers(scope=scope).get("accept", "")


def refusal(scope: Scope, problem: Problem) -> Response:
    """Return the answer to a request that goes no further."""
    headers = {"Cache-Control": "no-store", **problem.headers}
    response: Response
    if wants_page(scope):
        hint = f"<p>{escape(problem.hint)}</p>\n" if problem.hint else ""
        page = _PAGE.format(title=escape(problem.title), text=escape(str(problem)), hint=hint)
        response = HTMLResponse(page, status_code=problem.status, headers=headers)
    else:
        details: dict[str, Any] = {
            "type": "about:blank",
            "title": problem.title,
            "status": problem.status,
            "detail": str(problem),
        }
        if problem.hint:
            details["hint"] = problem.hint
        if str(scope["path"]).startswith("/registry"):
            # The form of a schema registry's errors: its clients show the message.
            details |= {"error_code": problem.status, "message": str(problem)}
        response = JSONResponse(
            details | problem.more,
            status_code=problem.status,
            headers=headers,
            media_type="application/problem+json",
        )
    if problem.status == _UNAUTHORIZED:
        response.raw_headers += [(b"www-authenticate", challenge) for challenge in CHALLENGES]
    return response
