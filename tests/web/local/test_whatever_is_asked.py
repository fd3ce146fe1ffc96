"""Whatever is asked of a worker's own rows is answered as the OpenAPI document says, never by a failure."""

from schemathesis.openapi import from_asgi

from app.web.api.application import api_app
from tests.web.api.support import LoggedIn, ask_whatever


def test_whatever_is_asked_is_answered(worker):
    app = LoggedIn(api_app(lambda: worker.answers))
    # What Kafka alone knows is not there without one: 503.
    schema = (
        from_asgi("/openapi.json", app)
        .exclude(path="/api/events")
        .exclude(path_regex="/api/(dead-letters|topics).*")
    )
    ask_whatever(schema, examples=5)
