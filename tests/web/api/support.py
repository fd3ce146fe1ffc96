"""Stands for the guard before the API, and for clients that ask anything."""

from contextlib import suppress

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from app.web.security.viewer import LOCAL


class LoggedIn:
    """Everybody is `viewer`; `local`: another worker that asks for this one's part."""

    def __init__(self, app, viewer=LOCAL, *, local=False):
        self._app = app
        self.viewer = viewer
        self.local = local

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            state = {**scope.get("state", {}), "viewer": self.viewer, "local": self.local}
            scope = {**scope, "state": state}
        await self._app(scope, receive, send)


def ask_whatever(schema, examples):
    """Ask each address of an OpenAPI document for things that fit it, and for things that do not."""
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def answered(case):
                # A cursor or an id of its own making need not be one.
                case.call_and_validate(excluded_checks=[positive_data_acceptance, negative_data_rejection])

            # An address without parameters cannot be asked wrongly.
            with suppress(Unsatisfiable):
                answered()
