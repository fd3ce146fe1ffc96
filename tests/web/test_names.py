from app.web.names import Names
from tests.support.waiting import wait_until


def test_without_a_roster_there_are_no_names():
    names = Names(None)
    names.start()
    assert names().user_name("1") is None


def test_a_wrong_roster_is_told_once_and_read_when_it_is_mended(tmp_path, caplog):
    file = tmp_path / "roster.csv"
    file.write_text("nonsense\n")
    names = Names(file, again=0.02)
    assert names().user_name("u-1") is None
    names.start()
    wait_until(lambda: caplog.messages, timeout=5, what="the error")
    file.write_text("kind,id,name\nuser,u-1,Ada\n")
    wait_until(lambda: names().user_name("u-1") == "Ada", timeout=5, what="the name")
    assert len(caplog.messages) == 1
