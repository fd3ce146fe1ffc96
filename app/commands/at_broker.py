"""What all commands have in common that talk to Kafka: one line for a broker that does not let them."""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from app.access.explaining import explained
from app.access.tasks import Task
from app.connection import connect
from app.errors import MasteryError
from app.settings import Settings, load_settings
from app.topics import Catalogue, load_catalogue

__all__ = ["at_broker", "with_broker"]

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def with_broker(settings: Settings, task: Callable[[Settings, Catalogue], Task]) -> Iterator[None]:
    """Do within what `task` describes, only where a broker answers and lets this user in.

    The causes that a call is not told (a refused login or certificate, what speaks another protocol) are
    found out before, within a second. A refusal on the way becomes the list of what the task lacks.

    Raises BrokerUnreachable, LoginRefused, CertificateRefused, ClientRefused, PermissionMissing.
    """
    connect(settings)
    try:
        yield
    except MasteryError as failure:
        told = explained(settings, task(settings, load_catalogue(settings)), failure)
        if told is failure:
            raise
        raise told from failure


def at_broker(
    task: Callable[..., Task], *options: str, when: Callable[[Mapping[str, Any]], object] = lambda _: True
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Run a command as `with_broker` does.

    `options` of the command go to `task`, too; `when` tells from all of them whether it needs a broker.
    """

    def wrap(command: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(command)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            if not when(kwargs):
                return command(*args, **kwargs)
            wanted = {name: kwargs[name] for name in options}
            with with_broker(load_settings(), functools.partial(task, **wanted)):
                return command(*args, **kwargs)

        return wrapper

    return wrap
