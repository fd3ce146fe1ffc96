from pathlib import Path

import pytest

from app.main import create_app
from app.settings import load_settings
from app.web.report import Group
from app.worker import Worker


@pytest.mark.parametrize("session_timeout", [6.0, 90.0, 600.0])
def test_every_session_timeout_that_is_allowed_can_be_used(session_timeout: float, tmp_path: Path) -> None:
    settings = load_settings(session_timeout=session_timeout, state_dir=tmp_path)
    conf = create_app(settings, Worker(settings)).conf
    assert conf.broker_session_timeout == session_timeout
    # Faust makes no consumer otherwise.
    assert conf.broker_request_timeout >= max(90.0, session_timeout)


def test_the_group_knows_a_worker_by_the_address_that_it_listens_on(tmp_path: Path) -> None:
    settings = load_settings(state_dir=tmp_path, web_port=0)
    worker = Worker(settings)
    app = create_app(settings, worker)
    url = "http://127.0.0.1:47111"
    worker.on_address(url)
    assert str(app.conf.canonical_url) == url
    assert worker.group is not None
    assert worker.group() == Group(url)
    app.assignor.external_topic_distribution = {url: {"canvas.live-events": [0, 2]}}  # type: ignore[attr-defined]
    assert worker.group() == Group(url, {url: {"canvas.live-events": (0, 2)}})
