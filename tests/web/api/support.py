"""Stands for the guard before the API."""

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
