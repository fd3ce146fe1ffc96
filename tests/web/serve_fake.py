"""Serve the pages with made-up answers: `python -m tests.web.serve_fake PORT [empty|partial]`."""

import sys
import time

import uvicorn
from starlette.applications import Starlette

from app.web.models.base import WorkerState
from app.web.pages.rendering import Pages
from app.web.pages.routes import page_routes
from app.web.security.viewer import LOCAL, Viewer
from tests.web.fakes import FakeAnswers

__all__ = ["fake_site"]


def fake_site(
    answers: FakeAnswers, canvas_url: str | None = "https://canvas.school.example", viewer: Viewer = LOCAL
) -> Starlette:
    """The pages over `answers`, at the time of the answers."""
    pages = Pages(
        answers_of=lambda _request: answers,
        viewer_of=lambda _request: viewer,
        canvas_url=canvas_url,
        clock=lambda: answers.now,
    )
    return Starlette(routes=page_routes(pages))


if __name__ == "__main__":
    kind = sys.argv[2] if len(sys.argv) > 2 else ""
    states = (WorkerState.ANSWERED, WorkerState.RESTORING, WorkerState.SILENT) if kind == "partial" else ()
    made = FakeAnswers(now=time.time(), states=states, empty=kind == "empty")
    uvicorn.run(fake_site(made), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
