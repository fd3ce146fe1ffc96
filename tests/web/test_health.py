import pytest

from app.stream.progress import Phase

READING = {("canvas.live-events", 1): 7, ("canvas.live-events", 0): None}


@pytest.mark.parametrize("phase", list(Phase))
def test_a_process_that_answers_is_alive_whatever_it_does(client, progress, phase):
    progress.enter(phase)
    answer = client.get("/health/live")
    assert answer.status_code == 200
    assert answer.json() == {"live": True, "phase": phase.value}


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.RUNNING])
def test_only_a_running_stream_is_ready(client, progress, phase):
    progress.assigned(1, {})
    progress.enter(phase, "why it waits")
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {
        "ready": False,
        "phase": phase.value,
        "detail": "why it waits",
        "partitions": [],
    }


def test_ready_says_what_it_works_on_and_how_far_it_is(client, progress):
    progress.assigned(3, READING)
    progress.ends({("canvas.live-events", 1): 12})
    progress.enter(Phase.RUNNING)
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert "Retry-After" not in answer.headers
    assert answer.json()["partitions"] == [
        {
            "topic": "canvas.live-events",
            "partition": 0,
            "read": None,
            "committed": None,
            "end": None,
            "lag": None,
        },
        {"topic": "canvas.live-events", "partition": 1, "read": 7, "committed": 7, "end": 12, "lag": 5},
    ]
    progress.enter(Phase.STOPPING)
    assert client.get("/health/ready").status_code == 503
