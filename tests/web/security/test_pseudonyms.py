import asyncio
import re
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.settings import load_settings
from app.web.models.mastery import MasteryQuery
from app.web.models.stream import DeadLetterQuery
from app.web.problems import BadParameter, Forbidden, NotFound, TooSlow
from app.web.security import pseudonyms as module
from app.web.security.access import Access, students_of
from app.web.security.cluster import ClusterIdentity
from app.web.security.guard import cluster_identity
from app.web.security.pseudonyms import KeyUnusable, Pseudonyms, key_of
from app.web.security.viewer import LOCAL, Role, Viewer
from tests.web.fake_school import COURSES
from tests.web.fakes import FakeAnswers

TOKEN = "the-workers-own-token"
FORM = re.compile(r"student-[0-9a-f]{12}")


def run(coroutine):
    return asyncio.run(coroutine)


@pytest.fixture
def fake():
    return FakeAnswers(count=30)


def shown(fake, **settings):
    """Answers with pseudonyms."""
    return Access(load_settings(web_pseudonyms=True, cluster_token=TOKEN, **settings)).over(fake)


def test_the_same_student_has_the_same_name_on_every_worker_and_another_elsewhere():
    one, same = (Pseudonyms(key_of(load_settings(cluster_token=TOKEN))) for _ in range(2))
    other = Pseudonyms(key_of(load_settings(cluster_token=TOKEN + "2")))
    assert one.of("u1") == same.of("u1") != other.of("u1")
    assert FORM.fullmatch(one.of("u1"))
    assert one.of("u1") != one.of("u2")


def test_without_a_token_the_key_is_a_file_of_the_state_folder(tmp_path):
    settings = load_settings(state_dir=tmp_path / "state")
    key = key_of(settings)
    file = tmp_path / "state" / "pseudonym.key"
    assert key_of(settings) == key == file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    file.write_bytes(b"short")
    with pytest.raises(KeyUnusable, match="not 32 bytes"):
        key_of(settings)


def everything(answers, fake):
    """All answers, as text, for an admin."""
    names = [one.name for one in run(fake.topics(LOCAL)).topics]
    letters = run(fake.dead_letters(LOCAL, DeadLetterQuery())).letters
    asked = [
        answers.overview(LOCAL),
        answers.mastery(LOCAL, MasteryQuery(limit=500)),
        answers.outcomes(LOCAL),
        *(answers.outcome(LOCAL, one) for one in fake.school.outcomes),
        answers.courses(LOCAL),
        *(answers.course(LOCAL, one, limit=500) for one in COURSES),
        answers.dead_letters(LOCAL, DeadLetterQuery()),
        *(answers.dead_letter(LOCAL, one.partition, one.offset) for one in letters),
        answers.topics(LOCAL),
        *(answers.topic(LOCAL, name) for name in names),
        answers.status(LOCAL),
    ]
    return "\n".join(run(one).model_dump_json() for one in asked)


def test_no_id_and_no_name_of_a_student_is_in_any_answer(fake):
    plain, hidden = everything(fake, fake), everything(shown(fake), fake)
    for uuid, name in fake.school.students.items():
        assert uuid in plain
        assert uuid not in hidden
        assert name is None or name not in hidden
    assert FORM.search(hidden)


def test_pseudonyms_lead_to_the_student(fake):
    answers = shown(fake)
    row = run(answers.mastery(LOCAL, MasteryQuery(limit=1))).rows[0]
    student = run(answers.student(LOCAL, row.user_uuid))
    assert (student.user_uuid, student.user_name) == (row.user_uuid, None)
    own = run(answers.mastery(LOCAL, MasteryQuery(user=row.user_uuid))).rows
    assert {each.user_uuid for each in own} == {row.user_uuid}
    assert run(answers.overview(LOCAL)).examples["user"].startswith("/users/student-")


def test_a_pseudonym_that_was_not_shown_here_is_found(fake):
    last = list(fake.school.students)[-1]
    pseudonym = Pseudonyms(key_of(load_settings(cluster_token=TOKEN))).of(last)
    assert run(shown(fake).student(LOCAL, pseudonym)).user_uuid == pseudonym


@pytest.mark.parametrize("asked", ["student-000000000000", "student-", "", "../x"])
def test_nobody_has_this_pseudonym(fake, asked):
    with pytest.raises(NotFound):
        run(shown(fake).student(LOCAL, asked))
    assert run(shown(fake).mastery(LOCAL, MasteryQuery(user=asked))).rows == ()


def test_who_may_see_no_students_is_not_told_which_pseudonyms_there_are(fake):
    answers, aggregate = shown(fake), Viewer("numbers", Role.AGGREGATE)
    there = run(answers.mastery(LOCAL, MasteryQuery(limit=1))).rows[0].user_uuid
    for asked in (there, "student-000000000000", "x"):
        with pytest.raises(Forbidden):
            run(answers.student(aggregate, asked))
        with pytest.raises(Forbidden):
            run(answers.mastery(aggregate, MasteryQuery(user=asked)))


def test_a_student_of_others_and_nobody_look_the_same(fake):
    answers, elsewhere = shown(fake), Viewer("ann", Role.VIEWER, accounts=frozenset({"another"}))
    there = run(answers.mastery(LOCAL, MasteryQuery(limit=1))).rows[0].user_uuid
    told = set()
    for asked in (there, "student-000000000000"):
        with pytest.raises(NotFound) as problem:
            run(answers.student(elsewhere, asked))
        told.add((str(problem.value), problem.value.hint))
    assert len(told) == 1


def test_many_pseudonyms_are_looked_for_at_once():
    looks = 0

    async def students():
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)
        for number in range(50):
            yield f"u{number}"

    async def find(pseudonyms):
        other = Pseudonyms(b"k" * 32)
        wanted = [other.of("u3"), other.of("u9"), *(f"student-{number:012x}" for number in range(98))]
        return await pseudonyms.find(wanted, students)

    found = run(find(Pseudonyms(b"k" * 32)))
    assert sorted(found.values()) == ["u3", "u9"]
    assert looks == 1


def test_looks_for_students_wait_for_each_other(monkeypatch):
    at_once = most = 0

    async def students():
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        for number in range(3):
            yield f"u{number}"

    async def all_of(pseudonyms):
        asked = [pseudonyms.find([f"student-{number:012x}"], students) for number in range(5)]
        return await asyncio.gather(*asked, return_exceptions=True)

    assert run(all_of(Pseudonyms(b"k" * 32))) == [{}] * 5
    assert most == 1
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    assert sum(isinstance(one, TooSlow) for one in run(all_of(Pseudonyms(b"k" * 32)))) == 4


@pytest.mark.parametrize("settings", [{}, {"web_token": TOKEN}])
def test_ids_that_workers_tell_each_other_want_a_token_of_their_own(tmp_path, settings):
    """Who is logged in by the web token, or is on this machine, sees pseudonyms and can make none."""
    identity = cluster_identity(load_settings(web_pseudonyms=True, state_dir=tmp_path, **settings))
    assert not identity.usable
    assert identity.peer_viewer(ClusterIdentity(SecretStr(TOKEN)).peer_headers(LOCAL), "127.0.0.1") is None
    key_of(load_settings(web_pseudonyms=True, state_dir=tmp_path, **settings))
    assert (tmp_path / "pseudonym.key").exists()


def test_an_id_does_not_lead_to_the_pseudonym(fake):
    student = fake.first_student()
    with pytest.raises(NotFound) as caught:
        run(shown(fake).student(LOCAL, student))
    assert student not in caught.value.report
    assert run(shown(fake).mastery(LOCAL, MasteryQuery(user=student))).rows == ()


def test_a_name_of_the_roster_does_not_lead_to_the_pseudonym(fake):
    fake.asked.clear()
    run(shown(fake).mastery(LOCAL, MasteryQuery(user="Ada Lovelace")))
    ((_, query),) = fake.asked
    run(shown(fake).mastery(LOCAL, MasteryQuery(users=(fake.first_student(), "student-000000000000"))))
    assert not {fake.first_student(), "student-000000000000"} & set(fake.asked[-1][1].users)
    assert not {"ada", "lovelace"} & set(re.split(r"\W+", query.user.lower()))


def test_a_pseudonym_opens_nothing_that_the_login_may_not_see(fake):
    answers = shown(fake)
    pseudonym = run(answers.mastery(LOCAL, MasteryQuery(limit=1))).rows[0].user_uuid
    with pytest.raises(NotFound):
        run(answers.student(Viewer("x", Role.VIEWER, accounts=frozenset({"none"})), pseudonym))
    with pytest.raises(Forbidden):
        run(answers.student(Viewer("x", Role.AGGREGATE), pseudonym))


def test_another_worker_gets_ids_to_merge_by(fake):
    answers, student = shown(fake), fake.first_student()
    assert run(answers.student(LOCAL, student, local=True)) == run(fake.student(LOCAL, student))
    query = MasteryQuery(user=student)
    assert run(answers.mastery(LOCAL, query, local=True)) == run(fake.mastery(LOCAL, query))


def test_pages_follow_each_other_by_sealed_cursors(fake):
    answers, cursor, seen = shown(fake), None, []
    while True:
        page = run(answers.mastery(LOCAL, MasteryQuery(limit=7, cursor=cursor)))
        seen += page.rows
        if page.next is None:
            break
        cursor = page.next
        assert not cursor.startswith("at")
    assert len(seen) == len(fake.rows())
    with pytest.raises(BadParameter):
        run(answers.mastery(LOCAL, MasteryQuery(cursor="at7")))


def test_a_grid_goes_on_by_sealed_cursors(fake):
    answers, course = shown(fake), next(iter(COURSES))
    first = run(answers.course(LOCAL, course, limit=3))
    second = run(answers.course(LOCAL, course, cursor=first.next, limit=3))
    assert not first.next.startswith("at")
    assert not second.previous.startswith("at")
    assert not {one.user_uuid for one in first.students} & {one.user_uuid for one in second.students}


@given(st.text(max_size=100))
def test_a_cursor_comes_back_as_it_was(text):
    one, other = Pseudonyms(b"k" * 32), Pseudonyms(b"x" * 32)
    sealed = one.seal(text)
    assert one.unseal(sealed) == text
    assert re.fullmatch(r"[A-Za-z0-9_-]+", sealed)
    with pytest.raises(BadParameter):
        other.unseal(sealed)
    changed = ("B" if sealed[0] == "A" else "A") + sealed[1:]
    with pytest.raises(BadParameter):
        one.unseal(changed)


@pytest.mark.parametrize("cursor", ["", "x", "é" * 9, "=", "A" * 1024, "%00"])
def test_what_was_never_sealed_is_refused(cursor):
    with pytest.raises(BadParameter):
        Pseudonyms(b"k" * 32).unseal(cursor)


def test_what_is_remembered_is_bounded():
    pseudonyms = Pseudonyms(b"k" * 32, most=10)
    for number in range(50):
        pseudonyms.of(str(number))
    assert len(pseudonyms._shown) == 10


def test_looking_for_a_student_ends(fake):
    async def all_of(patience):
        times = iter(range(1_000))
        return [one async for one in students_of(fake, patience=patience, clock=lambda: next(times))]

    fake.count = 700
    assert run(all_of(1e9)) == sorted({row.user_uuid for row in fake.rows()})
    big = FakeAnswers(count=400)
    assert len(big.rows()) > 1000, "or this shows nothing"

    async def in_no_time():
        times = iter(range(1_000))
        return [one async for one in students_of(big, patience=0.5, clock=lambda: next(times))]

    with pytest.raises(TooSlow):
        run(in_no_time())


# --- changes as they happen ---


def test_changes_are_narrowed_translated_and_ended(fake, caplog):
    caplog.set_level("INFO", "mastery.audit")
    changes = run(fake.overview(LOCAL)).changes
    ended = []

    async def source(viewer, *, local):
        try:
            for change in changes:
                yield change
        finally:
            ended.append(True)

    access = Access(load_settings(web_pseudonyms=True, cluster_token=TOKEN))
    live = access.live(source)

    async def seen(viewer, *, local=False):
        return [change async for change in live(viewer, local=local)]

    async def first():
        following = live(LOCAL, local=False)
        change = await anext(following)
        await following.aclose()
        return change

    assert all(FORM.fullmatch(change.user_uuid) for change in run(seen(LOCAL)))
    assert run(seen(LOCAL, local=True)) == list(changes)
    assert run(seen(Viewer("x", Role.VIEWER, accounts=frozenset({"none"})))) == []
    assert run(seen(Viewer("x", Role.VIEWER, courses=frozenset({"7"})))) == []
    assert FORM.fullmatch(run(first()).user_uuid)
    assert len(ended) == 5
    with pytest.raises(Forbidden):
        live(Viewer("x", Role.AGGREGATE), local=False)
    access.stop()
    assert len(caplog.messages) == 4
