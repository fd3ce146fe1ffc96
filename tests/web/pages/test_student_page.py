from app.web.models.base import WorkerState
from app.web.models.mastery import CourseScoreDetail
from app.web.pages.students import timeline
from tests.web.fake_school import ACCOUNT
from tests.web.fakes import FakeAnswers
from tests.web.pages.html import Page
from tests.web.serve_fake import fake_site


def _page(client, answers):
    user = answers.first_student()
    response = client.get(f"/users/{user}")
    assert response.status_code == 200
    return Page(response.text)


def test_every_score_stands_beside_its_threshold_and_its_formula(client, answers):
    page = _page(client, answers)
    user = answers.first_student()
    outcomes = [answers.school.student_outcome(*key) for key in answers.school.rows if key[0] == user]
    texts = [one.text for one in page.elements if one.attributes.get("class") == "formula"]
    for outcome in outcomes:
        for score in outcome.courses:
            formula = score.formula.replace(" * ", " \N{MULTIPLICATION SIGN} ")
            assert any(formula in text for text in texts)
    assert "mastery at 3 of 5" in page.source
    assert any("Weighted Average (65/35)" in text for text in texts)
    assert any("reached" in text and "not reached" not in text for text in texts)


def test_no_evidence_is_told_and_not_0(client, answers):
    page = _page(client, answers)
    scores = [
        score.score
        for key in answers.school.rows
        if key[0] == answers.first_student()
        for score in answers.school.student_outcome(*key).courses
    ]
    lines = [
        one.text for one in page.all("summary") if "standing" not in one.text and "No evidence" in one.text
    ]
    assert scores.count(None) > 0
    assert len(lines) >= scores.count(None)


def test_a_result_that_does_not_count_says_why(client, answers):
    user, outcome = next(
        (user, outcome)
        for user, outcome in answers.school.rows
        if any(result.why_not for result in answers.school.student_outcome(user, outcome).overall.results)
    )
    page = Page(client.get(f"/users/{user}").text)
    rows = [one for one in page.all("tr") if one.attributes.get("class") == "left-out"]
    assert rows
    assert all(any(word in row.text for word in ("deleted", "superseded", "cleared")) for row in rows)
    assert answers.school.student_outcome(user, outcome)


def test_unknown_and_invalid_definitions_are_marked(client, answers):
    page = _page(client, answers)
    tags = [one.text for one in page.elements if "title" in one.attributes and one.tag == "span"]
    assert "unknown definition" in tags
    assert "invalid definition" in tags


def test_names_come_from_the_roster_else_the_id_is_whole_in_the_page(client, answers):
    named = next(user for user, name in answers.school.students.items() if name)
    nameless = next(user for user, name in answers.school.students.items() if not name)
    assert Page(client.get(f"/users/{named}").text).all("h1")[0].text == answers.school.students[named]
    page = Page(client.get(f"/users/{nameless}").text)
    assert page.all("h1")[0].text == f"Student {nameless[:8]}…"
    assert nameless in [one.attributes.get("data-copy") for one in page.all("button")]


def test_the_account_is_handed_on(client, answers):
    assert client.get(f"/users/{answers.first_student()}?account={ACCOUNT}").status_code == 200
    assert client.get(f"/users/{answers.first_student()}?account=other").status_code == 404


def test_links_to_canvas_are_there_only_where_it_is_known(client, answers):
    links = [link for link in _page(client, answers).links() if link.startswith("https:")]
    assert "https://canvas.school.example/courses/101/gradebook" in links
    from starlette.testclient import TestClient

    with TestClient(fake_site(answers, canvas_url=None)) as without:
        page = Page(without.get(f"/users/{answers.first_student()}").text)
    assert not [link for link in page.links() if link.startswith("http")]


def test_how_it_can_differ_from_canvas(client, answers):
    text = _page(client, answers).source
    for word in ("not yet posted", "New Quizzes", "assessed", "with a result"):
        assert word in text


def test_a_partial_answer_names_who_is_missing():
    from starlette.testclient import TestClient

    answers = FakeAnswers(count=2, states=(WorkerState.ANSWERED, WorkerState.SILENT, WorkerState.RESTORING))
    with TestClient(fake_site(answers)) as client:
        line = Page(client.get(f"/users/{answers.first_student()}").text).all("summary")[0].text
    assert "1 of 3 workers answered" in line
    assert "worker-2.school.example:6066 (silent)" in line
    assert "worker-3.school.example:6066 (restoring, 42 %)" in line


def test_the_line_over_time_has_the_results_that_count_the_latest_last(answers):
    for key in answers.school.rows:
        for score in answers.school.student_outcome(*key).courses:
            values = timeline(score)
            counted = [one for one in score.results if one.value is not None and not one.why_not]
            assert sorted(values) == sorted(one.value for one in counted)
            if counted:
                assert values[-1] == max(counted, key=lambda one: one.assessed_at).value


def test_a_course_with_a_scale_of_its_own_is_shown_with_it(answers, client, monkeypatch):
    original = answers.school.student_outcome

    def scaled(user, outcome):
        detail = original(user, outcome)
        own = {"mastery_points": 6.5, "points_possible": 8.0, "levels": ((6.5, "Met here", "00AA00"),)}
        courses = tuple(one.model_copy(update=own) for one in detail.courses)
        return detail.model_copy(update={"courses": courses})

    monkeypatch.setattr(answers.school, "student_outcome", scaled)
    page = _page(client, answers)
    assert "mastery at 6.5 of 8" in page.source
    assert any("Scale of the course" in one.text and "Met here" in one.text for one in page.all("ul"))


def test_the_line_in_the_list_leads_to_the_outcome_of_the_student(client, answers):
    user = answers.first_student()
    links = [link for link in Page(client.get(f"/mastery?user={user}").text).links() if "#outcome-" in link]
    ids = _page(client, answers).attribute("id")
    assert links
    assert {link.partition("#")[2] for link in links} <= set(ids)


def test_what_a_login_may_not_see_is_said(answers, client, monkeypatch):
    original = answers.school.student_outcome

    def hidden(user, outcome):
        detail = original(user, outcome)
        courses = tuple(
            CourseScoreDetail(
                course_id=one.course_id,
                score=None,
                mastery=None,
                rating=None,
                results_count=0,
                last_assessed_at=None,
                formula="",
                results=(),
                hidden=True,
            )
            for one in detail.courses
        )
        return detail.model_copy(update={"courses": courses})

    monkeypatch.setattr(answers.school, "student_outcome", hidden)
    assert "not for this login" in _page(client, answers).source
