"""A site over a real socket, in a thread of the tests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from app.web.application import build_application
from app.web.listen import listen, url_of
from app.web.site import Site
from tests.support.waiting import wait_until

__all__ = ["served"]


@contextmanager
def served(site: Site) -> Iterator[str]:
    """Serve it where its settings say, and give the address."""
    listener = listen(site.settings)
    server = uvicorn.Server(
        uvicorn.Config(
            build_application(site), loop="asyncio", lifespan="off", log_config=None, log_level="warning"
        )
    )
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    wait_until(lambda: server.started, timeout=10, what="the site to be served")
    try:
        yield url_of(listener)
    finally:
        server.should_exit = True
        thread.join(5)
