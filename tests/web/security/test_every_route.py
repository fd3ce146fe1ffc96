"""Every route of the web server, asked by every kind of login: a route without a stated expectation fails."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.routing import BaseRoute, Mount
from starlette.testclient import TestClient

from app.settings import load_settings
from app.stream.progress import Progress
from app.web.application import build_application
from app.web.models.stream import DeadLetterQuery
from app.web.security.tokens import hash_token
from app.web.security.viewer import LOCAL
from app.web.site import Site
from tests.web.fake_school import ACCOUNT, COURSES
from tests.web.fakes import FakeAnswers
from tests.web.security.asking import TOKEN, bearer, users_file

COURSE, OTHER = sorted(COURSES)[:2]

#: Logins, and what each may see.
LOGINS = {
    "nobody": None,
    "aggregate": 'role = "aggregate"',
    "aggregate of a course": f'role = "aggregate"\ncourses = ["{COURSE}"]',
    "viewer": 'role = "viewer"',
    "viewer of a course": f'role = "viewer"\ncourses = ["{COURSE}"]',
    "viewer of another account": 'role = "viewer"\naccounts = ["another"]',
    "admin": 'role = "admin"',
}
ALL = dict.fromkeys(LOGINS, 200)
LOGGED_IN = ALL | {"nobody": 401}
STUDENTS = LOGGED_IN | {"aggregate": 403, "aggregate of a course": 403}
NOT_ANOTHERS = {"viewer of another account": 404}
COURSE_LISTS = LOGGED_IN | {"aggregate": 403}

#: By the address of each page, which is also the API's behind /api.
PAGES = {
    "/mastery": STUDENTS,
    "/users/{}": STUDENTS | NOT_ANOTHERS,
    "/outcomes": LOGGED_IN,
    "/outcomes/{}": LOGGED_IN | NOT_ANOTHERS,
    "/courses": COURSE_LISTS,
    "/courses/{}": COURSE_LISTS | NOT_ANOTHERS,
    "/dead-letters": LOGGED_IN,
    "/dead-letters/{}/{}": STUDENTS,
    "/topics": LOGGED_IN,
    "/topics/{}": LOGGED_IN,
    "/status": LOGGED_IN,
}
EXPECTED = {
    "/": LOGGED_IN,
    **PAGES,
    "/api/overview": LOGGED_IN,
    **{f"/api{path}": statuses for path, statuses in PAGES.items()},
    "/api/events": STUDENTS,
    "/api/docs": LOGGED_IN,
    "/openapi.json": LOGGED_IN,
    "/static/{}": ALL,
    "/health/live": ALL,
    "/health/ready": ALL,
    "/metrics": LOGGED_IN,
    **dict.fromkeys(
        (
            "/registry/",
            "/registry/schemas/types",
            "/registry/schemas/ids/{}",
            "/registry/schemas/ids/{}/schema",
            "/registry/subjects",
            "/registry/subjects/{}",
            "/registry/subjects/{}/versions",
            "/registry/subjects/{}/versions/{}",
            "/registry/subjects/{}/versions/{}/schema",
            "/registry/config",
            "/registry/mode",
        ),
        LOGGED_IN,
    ),
}


@pytest.fixture(scope="module")
def fake() -> FakeAnswers:
    return FakeAnswers(count=60)


@pytest.fixture(scope="module")
def site(tmp_path_factory, fake) -> Site:
    entries = [
        f'[users."{name}"]\n{entry}\ntoken_hash = "{hash_token(token_of(name))}"\n'
        for name, entry in LOGINS.items()
        if entry is not None
    ]
    file = users_file(tmp_path_factory.mktemp("access"), *entries)
    settings = load_settings(web_users_file=file, web_token=TOKEN, web_rate_limit=0)
    site = Site(settings, Progress(), answers=fake, changes=no_changes)
    yield site
    site.close()


async def no_changes(viewer: Any, *, local: bool) -> Any:
    """A stream of changes that ends at once."""
    for nothing in ():
        yield nothing


@pytest.fixture(scope="module")
def app(site):
    return build_application(site)


@pytest.fixture(scope="module")
def client(app) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://127.0.0.1", follow_redirects=False) as client:
        yield client


def token_of(name: str) -> str:
    return f"token-of-{name.replace(' ', '-')}-xxxxxxxx"


def headers_of(login: str) -> dict[str, str]:
    return {} if login == "nobody" else bearer(token_of(login))


def paths_of(routes: list[BaseRoute], before: str = "") -> Iterator[str]:
    """Every path that is routed, its parameters as {}."""
    for route in routes:
        if isinstance(route, Mount):
            yield from paths_of(route.routes, before + route.path)
        elif (inner := getattr(route, "_app", None)) is not None:
            yield from paths_of(inner.routes, before)
        elif (path := getattr(route, "path", None)) is not None:
            yield re.sub(r"\{[^}]*\}", "{}", before + path)
        elif (router := getattr(route, "original_router", None)) is not None:
            yield from paths_of(router.routes, before)
        else:
            pytest.fail(f"cannot tell which addresses {route!r} answers")


def test_every_route_has_an_expectation_and_every_expectation_a_route(app):
    inner = app._app
    while not hasattr(inner, "routes"):
        inner = inner.app
    routed = set(paths_of(inner.routes))
    assert routed == set(EXPECTED)


@pytest.fixture(scope="module")
def filled(fake):
    """Values for the parameters of addresses, of what there is."""
    import asyncio

    letter = asyncio.run(fake.dead_letters(LOCAL, DeadLetterQuery())).letters[0]
    topic = asyncio.run(fake.topics(LOCAL)).topics[0]
    in_course = next(row.user_uuid for row in fake.rows() if row.course_id == COURSE)
    outcome = next(iter(fake.school.outcomes))
    return {
        "/users/{}": [in_course],
        "/outcomes/{}": [outcome],
        "/courses/{}": [COURSE],
        "/dead-letters/{}/{}": [letter.partition, letter.offset],
        "/topics/{}": [topic.name],
        "/static/{}": ["style.css"],
    }


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("path", EXPECTED)
def test_the_route_answers_the_login_as_expected(client, filled, path, login):
    values = filled.get(path.removeprefix("/api"), [1, 1])
    answer = client.get(path.format(*values), headers=headers_of(login))
    expected = EXPECTED[path][login]
    if expected != 200 or not path.startswith(("/registry", "/health")):
        assert answer.status_code == expected
    else:
        # There is no catalogue of schemas and no stream here; what matters is that the question came through.
        assert answer.status_code in {200, 404, 405, 503}
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    if expected in {401, 403, 404} and path.startswith("/api/"):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == expected


@pytest.mark.parametrize("login", [name for name in LOGINS if name.startswith("aggregate")])
def test_no_answer_names_a_student_to_who_sees_groups(client, fake, filled, login):
    for path in EXPECTED:
        values = filled.get(path.removeprefix("/api"), [1, 1])
        if path.removeprefix("/api") == "/users/{}":
            continue  # refused, and a page may repeat its own address
        answer = client.get(path.format(*values), headers=headers_of(login))
        for uuid, name in fake.school.students.items():
            assert uuid not in answer.text, path
            assert name is None or name not in answer.text, path


def test_no_answer_tells_a_teacher_of_other_courses(client, fake, filled):
    rows = fake.rows()
    elsewhere = {row.user_uuid for row in rows} - {row.user_uuid for row in rows if row.course_id == COURSE}
    assert elsewhere
    assert client.get(f"/api/courses/{OTHER}", headers=headers_of("viewer of a course")).status_code == 403
    for path in EXPECTED:
        values = filled.get(path.removeprefix("/api"), [1, 1])
        answer = client.get(path.format(*values), headers=headers_of("viewer of a course"))
        assert not [uuid for uuid in elsewhere if uuid in answer.text], path


def test_the_other_accounts_viewer_finds_nothing_of_this_one(client, fake):
    for path in ("/api/mastery", "/api/outcomes", "/api/courses", "/api/overview"):
        text = client.get(path, headers=headers_of("viewer of another account")).text
        assert ACCOUNT not in text, path


@pytest.mark.parametrize("login", [name for name in LOGINS if name != "nobody"])
def test_asking_for_one_workers_part_gives_nobody_more(client, login):
    for path in ("/api/outcomes", "/api/overview", "/api/status"):
        plain, marked = (
            client.get(path, headers=headers_of(login) | more).json() for more in ({}, {"Mastery-Local": "1"})
        )
        assert plain == marked


def test_a_browser_without_a_login_gets_a_page_of_the_site(client):
    page = client.get("/users/someone", headers={"Accept": "text/html"})
    assert page.status_code == 401
    assert "Please log in" in page.text
    assert "/static/style.css" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert len(page.headers.get_list("www-authenticate")) == 2
