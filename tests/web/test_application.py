import pytest

from app import __version__


def test_the_index_names_what_is_there(client):
    body = client.get("/").json()
    assert body["name"] == "mastery-stream"
    assert body["version"] == __version__
    for path in body["paths"]:
        assert client.get(path).status_code in {200, 503}


@pytest.mark.parametrize("path", ["/", "/health/live", "/metrics"])
def test_only_reading_is_possible(client, path):
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert client.request(method, path).status_code == 405
