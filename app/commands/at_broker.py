"""What all commands have in common that talk to Kafka: one line for a broker that does not let them."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from app.access.explaining import explained
from app.access.tasks import Task
from app.connection import connect
from app.errors import MasteryError
from app.settings import load_settings
from app.topics import load_catalogue

__all__ = ["at_broker"]

P = ParamSpec("P")
R = TypeVar("R")


def at_broker(
    task: Callable[..., Task], *options: str, unless: str = ""
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Run a command that does `task` only where a broker answers and lets this user in.

    The causes that a call is not told (a refused login or certificate, what speaks another protocol) are
    found out before, within a second. A refusal on the way becomes the list of what the task lacks;
    `options` of the command go to `task`, too. With the option `unless` the command needs no broker.

    Raises BrokerUnreachable, LoginRefused, CertificateRefused, ClientRefused, PermissionMissing.
    """

    def wrap(command: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(command)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            if unless and kwargs[unless]:
                return command(*args, **kwargs)
            settings = load_settings()
            connect(settings)
            try:
                return command(*args, **kwargs)
            except MasteryError as failure:
                wanted = {name: kwargs[name] for name in options}
                done = task(settings, load_catalogue(settings), **wanted)
                told = explained(settings, done, failure)
                if told is failure:
                    raise
                raise told from failure

        return wrapper

    return wrap
