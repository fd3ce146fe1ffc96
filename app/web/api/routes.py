"""The addresses of the API: what is asked goes to `Answers`, what it says comes back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.web.answers import Answers, Changes
from app.web.api.answering import answered, tagged
from app.web.api.asked import (
    AccountQuery,
    CourseId,
    EventsQuery,
    ListQuery,
    MasteryRequest,
    NoQuery,
    Offset,
    OutcomeId,
    Partition,
    SearchQuery,
    TopicName,
    UserUuid,
)
from app.web.api.events import EventStreams
from app.web.api.table import rows_as_csv
from app.web.models.groups import CourseAnswer, CourseList, OutcomeAnswer, OutcomeList
from app.web.models.mastery import MasteryPage, StudentAnswer
from app.web.models.stream import (
    DeadLetterAnswer,
    DeadLetterPage,
    DeadLetterQuery,
    Overview,
    StatusAnswer,
    TopicAnswer,
    TopicList,
)
from app.web.problems import BadParameter, Forbidden, NotReady, Unauthorized
from app.web.security.viewer import LOCAL, Viewer

__all__ = ["ApiSource", "api_router", "viewer_of"]

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class ApiSource:
    """Where the API has its answers from; None while the worker starts."""

    answers: Callable[[], Answers | None]
    changes: Callable[[], Changes | None]
    streams: EventStreams


def api_router(source: ApiSource) -> APIRouter:
    """Return all addresses below /api that give data."""
    router = APIRouter(prefix="/api")

    def ask(request: Request) -> "_Asker":
        _require_each_once(request)
        return _Asker(_there(source.answers()), viewer_of(request), _is_local(request))

    _add_mastery(router, ask)
    _add_groups(router, ask)
    _add_stream(router, ask)

    @router.get("/events", response_model=None, tags=["Stream"], responses=_EVENTS)
    async def events(request: Request, query: Annotated[EventsQuery, Query()]) -> Response:
        """Changes of rows as they happen, as server-sent events.

        An event `change` has a Change as JSON. A comment comes every 15 seconds without one. Nothing that
        happened before is sent. A client that reads too slowly is let go, and may ask again.
        """
        _require_each_once(request)
        viewer = viewer_of(request)
        if not viewer.sees_students:
            raise Forbidden("changes tell of single students", hint="/api/outcomes has numbers of groups")
        changes = _there(source.changes())
        local = _is_local(request)
        # Where nobody logs in, an address stands for who asks.
        login = "" if local else f"{viewer.name} {viewer.client if viewer == LOCAL else ''}"
        return source.streams.response(changes(viewer, local=local), query, login=login)

    return router


def viewer_of(request: Request) -> Viewer:
    """Return who asks, as the guard before all addresses found out. Raises Unauthorized."""
    viewer = getattr(request.state, "viewer", None)
    if not isinstance(viewer, Viewer):
        raise Unauthorized("nobody has logged in")
    return viewer


class _Asker(NamedTuple):
    """The answers, and on whose behalf they are asked for."""

    answers: Answers
    viewer: Viewer
    local: bool


_Ask = Callable[[Request], _Asker]


def _add_mastery(router: APIRouter, ask: _Ask) -> None:
    @router.get("/mastery", response_model=MasteryPage, tags=["Mastery"], responses=_CSV)
    async def mastery(request: Request, query: Annotated[MasteryRequest, Query()]) -> Response:
        """Rows, one for each student, outcome and course: by page, in a given order, without gaps."""
        asker = ask(request)
        page = await asker.answers.mastery(asker.viewer, query.query, local=asker.local)
        if query.format == "json":
            return answered(request, page)
        response = tagged(request, page, rows_as_csv(page.rows), "text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = 'attachment; filename="mastery.csv"'
        return response

    @router.get("/users/{uuid}", response_model=StudentAnswer, tags=["Mastery"])
    async def student(request: Request, uuid: UserUuid, query: Annotated[AccountQuery, Query()]) -> Response:
        """One student: each outcome with its scores, and every result behind them."""
        asker = ask(request)
        answer = await asker.answers.student(asker.viewer, uuid, query.account or None, local=asker.local)
        return answered(request, answer)


def _add_groups(router: APIRouter, ask: _Ask) -> None:
    @router.get("/outcomes", response_model=OutcomeList, tags=["Groups"])
    async def outcomes(request: Request, query: Annotated[SearchQuery, Query()]) -> Response:
        """Outcomes with rows or a definition."""
        asker = ask(request)
        answer = await asker.answers.outcomes(
            asker.viewer,
            query.text or None,
            query.account or None,
            query.cursor or None,
            query.limit,
            local=asker.local,
        )
        return answered(request, answer)

    @router.get("/outcomes/{id}", response_model=OutcomeAnswer, tags=["Groups"])
    async def outcome(request: Request, id: OutcomeId, query: Annotated[AccountQuery, Query()]) -> Response:  # noqa: A002
        """One outcome: its definition and what it was before, and how students stand."""
        asker = ask(request)
        answer = await asker.answers.outcome(asker.viewer, id, query.account or None, local=asker.local)
        return answered(request, answer)

    @router.get("/courses", response_model=CourseList, tags=["Groups"])
    async def courses(request: Request, query: Annotated[ListQuery, Query()]) -> Response:
        """Courses with rows."""
        asker = ask(request)
        answer = await asker.answers.courses(
            asker.viewer, query.account or None, query.cursor or None, query.limit, local=asker.local
        )
        return answered(request, answer)

    @router.get("/courses/{id}", response_model=CourseAnswer, tags=["Groups"])
    async def course(request: Request, id: CourseId, query: Annotated[ListQuery, Query()]) -> Response:  # noqa: A002
        """One course: students by outcomes, a page of students at a time."""
        asker = ask(request)
        answer = await asker.answers.course(
            asker.viewer, id, query.account or None, query.cursor or None, query.limit, local=asker.local
        )
        return answered(request, answer)


def _add_stream(router: APIRouter, ask: _Ask) -> None:
    @router.get("/overview", response_model=Overview, tags=["Stream"])
    async def overview(request: Request, _query: Annotated[NoQuery, Query()]) -> Response:
        """What needs attention, and the flow from raw events to rows."""
        asker = ask(request)
        return answered(request, await asker.answers.overview(asker.viewer, local=asker.local))

    @router.get("/dead-letters", response_model=DeadLetterPage, tags=["Stream"])
    async def dead_letters(request: Request, query: Annotated[DeadLetterQuery, Query()]) -> Response:
        """Records that could not be understood, the newest first, and their counts."""
        asker = ask(request)
        return answered(request, await asker.answers.dead_letters(asker.viewer, query))

    @router.get("/dead-letters/{partition}/{offset}", response_model=DeadLetterAnswer, tags=["Stream"])
    async def dead_letter(
        request: Request, partition: Partition, offset: Offset, _query: Annotated[NoQuery, Query()]
    ) -> Response:
        """One dead letter with its bytes, what is wrong with it, and how to send it again."""
        asker = ask(request)
        return answered(request, await asker.answers.dead_letter(asker.viewer, partition, offset))

    @router.get("/topics", response_model=TopicList, tags=["Stream"])
    async def topics(request: Request, _query: Annotated[NoQuery, Query()]) -> Response:
        """The topics that this application reads and writes."""
        asker = ask(request)
        return answered(request, await asker.answers.topics(asker.viewer))

    @router.get("/topics/{name}", response_model=TopicAnswer, tags=["Stream"])
    async def topic(request: Request, name: TopicName, _query: Annotated[NoQuery, Query()]) -> Response:
        """One topic: schema, newest records, and code that consumes it."""
        asker = ask(request)
        return answered(request, await asker.answers.topic(asker.viewer, name))

    @router.get("/status", response_model=StatusAnswer, tags=["Stream"])
    async def status(request: Request, _query: Annotated[NoQuery, Query()]) -> Response:
        """Workers with their partitions and positions; settings and versions."""
        asker = ask(request)
        return answered(request, await asker.answers.status(asker.viewer, local=asker.local))


def _require_each_once(request: Request) -> None:
    """Raise BadParameter for a parameter that is given several times: only one of them would count."""
    names = [name for name, _ in request.query_params.multi_items() if name not in _LISTS]
    for name in names:
        if names.count(name) > 1:
            raise BadParameter(f"{name}: given several times", parameter=name)


def _is_local(request: Request) -> bool:
    """Whether another worker asks for this one's part: the guard has believed it."""
    return getattr(request.state, "local", False) is True


def _there(found: A | None) -> A:
    if found is None:
        raise NotReady(
            "the worker has just started", hint="ask again in a moment", headers={"Retry-After": "2"}
        )
    return found


#: Parameters that may be given several times.
_LISTS: Final = frozenset({"users"})

_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "root_account_uuid,user_uuid,user_name,learning_outcome_id,...\r\n",
            }
        }
    }
}
_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The stream.",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": "event: change\nid: 1-1\ndata: {}\n\n",
            }
        },
    }
}
