from pathlib import Path

import pytest

from app.main import create_app
from app.settings import load_settings
from app.worker import Worker


@pytest.mark.parametrize("session_timeout", [6.0, 90.0, 600.0])
def test_every_session_timeout_that_is_allowed_can_be_used(session_timeout: float, tmp_path: Path) -> None:
    settings = load_settings(session_timeout=session_timeout, state_dir=tmp_path)
    conf = create_app(settings, Worker(settings)).conf
    assert conf.broker_session_timeout == session_timeout
    # Faust makes no consumer otherwise.
    assert conf.broker_request_timeout >= max(90.0, session_timeout)
