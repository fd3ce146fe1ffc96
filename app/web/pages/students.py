"""`/users/{uuid}`: one student, each score down to the results behind it."""

from starlette.requests import Request
from starlette.responses import Response

from app.web.models.mastery import CourseScoreDetail, StudentAnswer
from app.web.pages.rendering import Pages, href

__all__ = ["student", "timeline"]


async def student(pages: Pages, request: Request) -> Response:
    """The page."""
    account = request.query_params.get("account") or None
    answer = await pages.answers_of(request).student(
        pages.viewer_of(request), request.path_params["uuid"], account
    )
    return pages.page(
        request,
        "student.html",
        answer,
        account=account,
        accounts=list(dict.fromkeys(one.root_account_uuid for one in answer.outcomes)),
        mastered=sum(_mastered(answer)),
        scored=len(_mastered(answer)),
        timeline=timeline,
        api_json=href("/api/users", answer.user_uuid, account=account),
    )


def timeline(score: CourseScoreDetail) -> list[float]:
    """Values of the results that count, the latest last."""
    timed = [
        (result.assessed_at or 0, result.value)
        for result in score.results
        if result.value is not None and result.why_not is None
    ]
    timed.sort(key=lambda each: each[0])
    return [value for _, value in timed]


def _mastered(answer: StudentAnswer) -> list[bool]:
    """Of each score of a course, or of an outcome without a course, whether it is mastered."""
    scores = [score for outcome in answer.outcomes for score in (outcome.courses or (outcome.overall,))]
    return [score.mastery for score in scores if score.mastery is not None]
