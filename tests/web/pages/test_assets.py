import re

from app.web.pages.assets import Assets


def test_each_is_kept_for_ever_under_the_address_of_its_content(client):
    for name in ("style.css", "app.js", "icon.svg"):
        response = client.get(Assets().url(name))
        assert response.status_code == 200
        assert "immutable" in response.headers["Cache-Control"]
        assert response.headers["Content-Type"].split(";")[0] in {
            "text/css",
            "text/javascript",
            "image/svg+xml",
        }


def test_under_any_other_address_it_is_asked_for_again(client):
    for address in ("/static/style.css", "/static/style.css?v=old"):
        response = client.get(address)
        assert response.headers["Cache-Control"] == "no-cache"
        again = client.get(address, headers={"If-None-Match": response.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_no_other_file_can_be_had(client):
    for name in ("none.css", "..%2Fassets.py", "%2e%2e/assets.py", "assets.py"):
        assert client.get(f"/static/{name}").status_code == 404


def test_style_and_script_load_nothing(client):
    for name in ("style.css", "app.js", "charts.css"):
        text = client.get(f"/static/{name}").text
        assert not re.search(r"https?://|@import|url\(|eval|innerHTML|document\.write", text), name


def test_pages_name_them_by_content(client):
    assert Assets().url("style.css") in client.get("/").text
