import time
from collections.abc import Callable

import pytest

from app.checks import CheckReport, run_checks
from app.topics import load_catalogue


class Said(list):
    """Takes the lines of a wait."""

    def __call__(self, line: str) -> None:
        self.append(line)


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def check(said) -> Callable[..., CheckReport]:
    """Run the checks for these settings, waiting `wait` seconds at most for what is not up."""

    def run(settings, *, wait: float = 30.0) -> CheckReport:
        return run_checks(
            settings,
            load_catalogue(settings),
            transactional_id=f"{settings.group_id}-w1",
            deadline=time.monotonic() + wait,
            say=said,
        )

    return run
