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
    """Run the checks for these settings, by default without waiting for anything."""

    def run(settings, *, deadline: float = 0.0, worker: str = "w1") -> CheckReport:
        return run_checks(
            settings,
            load_catalogue(settings),
            transactional_id=f"{settings.group_id}-{worker}",
            deadline=deadline,
            say=said,
        )

    return run
