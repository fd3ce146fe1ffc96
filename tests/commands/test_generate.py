import json
import os
import subprocess
import sys
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from app.reader import TopicReader, topic_partitions
from tests.support.worker import CHECKOUT

SIZE = ("--events", "400", "--bad-share", "0.1")


def everything(settings, topic):
    with TopicReader.whole(settings, [topic], topic_partitions(settings)) as reader:
        records = []
        while not reader.at_end:
            records += reader.read(0.5)
    return [record.value for record in records]


@pytest.fixture
def generate(monkeypatch, capfdbinary):
    """Run the command without a broker: `status, out, err = generate("--out", file)`."""
    from app import cli

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(["generate", *map(str, arguments)])
        return ended.value.code, *capfdbinary.readouterr()

    return run


def test_a_file_and_the_truth_about_it(generate, tmp_path):
    out, truth = tmp_path / "school.jsonl", tmp_path / "truth.jsonl"
    status, printed, err = generate(*SIZE, "--out", out, "--truth", truth)
    assert (status, err) == (0, b"")
    raws = out.read_bytes().split(b"\n")
    assert raws.pop() == b""
    first, *lines, last = map(json.loads, truth.read_bytes().splitlines())
    assert (first["type"], first["records"], last["type"]) == ("stream", 400, "totals")
    assert [line["n"] for line in lines] == list(range(400))
    for raw, line in zip(raws, lines, strict=True):
        assert line["event_id"] == (sha256(raw).hexdigest()[:32] if raw else None)
    assert {line["to"] for line in lines} == {"typed", "dead-letter", "ignored"}
    table = printed.decode().splitlines()
    assert table[0].split() == ["TO", "EVENT", "OR", "KIND", "RECORDS"]
    assert sum(int(row.split()[-1]) for row in table[1:-1]) == 400
    assert table[-1].startswith("400 records of 12 students and 3 root accounts, seed 1: ")


def test_standard_output_has_the_records_alone(generate, tmp_path):
    generate(*SIZE, "--out", tmp_path / "school.jsonl")
    status, printed, err = generate(*SIZE, "--out", "-")
    assert status == 0
    assert printed == (tmp_path / "school.jsonl").read_bytes()
    assert err.startswith(b"400 records of ")
    assert err.count(b"\n") == 1


def test_json(generate, tmp_path):
    _, printed, _ = generate(*SIZE, "--out", os.devnull, "--json", "--truth", tmp_path / "truth")
    counts = json.loads(printed)
    *_, last = map(json.loads, (tmp_path / "truth").read_bytes().splitlines())
    assert counts.pop("seconds") > 0
    assert counts | {"type": "totals"} == last


def test_other_options_other_schools(generate):
    streams = {
        generate("--events", "60", "--out", "-", *options)[1]
        for options in [(), ("--seed", 2), ("--students", 30), ("--days", 14), ("--start", "2026-01-12")]
    }
    assert len(streams) == 5


def test_the_bytes_do_not_depend_on_the_process(tmp_path):
    def run(seed):
        return subprocess.run(
            [sys.executable, "-m", "app.cli", "generate", *SIZE, "--out", "-", "--truth", tmp_path / seed],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=CHECKOUT,
            capture_output=True,
            timeout=60,
            check=True,
        ).stdout

    assert run("1") == run("2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nowhere to put the records"),
        (("--out", "x", "--truth", "x"), "are the same file"),
        (("--out", "x", "--rate", "5"), "--rate goes with --send"),
        (("--out", "x", "--bad-share", "1.5"), "--bad-share"),
        (("--out", "x", "--bad-share", "nan"), "--bad-share"),
        (("--send", "--rate", "inf"), "--rate"),
        (("--out", "x", "--events", "9" * 30), "--events"),
        (("--out", "x", "--start", "9999-12-30"), "--start"),
        (("--out", "/no/such/folder/x"), "/no/such/folder"),
    ],
)
def test_wrong_calls(generate, arguments, said):
    status, printed, err = generate(*arguments)
    assert status == 2
    assert printed == b""
    assert said in err.decode()
    assert "Traceback" not in err.decode()


@pytest.mark.parametrize("link", ["symbolic", "symbolic to nothing", "hard"])
def test_one_file_under_two_names(generate, tmp_path, link):
    out, truth = tmp_path / "out", tmp_path / "truth"
    if link != "symbolic to nothing":
        out.write_text("what was there")
    if link == "hard":
        truth.hardlink_to(out)
    else:
        truth.symlink_to(out)
    status, _, err = generate("--events", "50", "--out", str(out), "--truth", str(truth))
    assert (status, "are the same file" in err.decode()) == (2, True)
    assert not out.exists() or out.read_text() == "what was there"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("option", ["--out", "--truth"])
def test_a_full_disk(generate, tmp_path, option):
    other = "--truth" if option == "--out" else "--out"
    status, _, err = generate("--events", "50", option, "/dev/full", other, str(tmp_path / "file"))
    assert status == 1
    assert err.decode() == "error: cannot write: No space left on device\n"


def test_what_is_sent_is_what_a_file_has_and_send_sends_a_file_whole(some_topics, mastery, tmp_path):
    file = tmp_path / "school.jsonl"
    done = mastery("generate", *SIZE, "--send", "--out", file)
    assert (done.status, done.err) == (0, "")
    topic = some_topics.raw_topic_name
    assert f"400 records sent to {topic}\n" in done.out
    written = Counter(line or None for line in file.read_bytes().split(b"\n")[:-1])
    assert written.total() == 400
    assert None in written
    assert Counter(everything(some_topics, topic)) == written

    done = mastery("send", "--lines", file)
    assert (done.status, done.out, done.err) == (0, f"400 events sent to {topic}\n", "")
    assert Counter(everything(some_topics, topic)) == written + written


def test_a_rate(some_topics, mastery):
    began = time.monotonic()
    done = mastery("generate", "--events", 60, "--send", "--rate", 100, "--json")
    assert time.monotonic() - began >= 0.59
    assert json.loads(done.out)["records"] == 60
    assert done.err == f"60 records sent to {some_topics.raw_topic_name}\n"


def test_no_topic(mastery, settings):
    done = mastery("generate", "--send")
    assert done.status == 1
    assert f"has no topic {settings.raw_topic_name}\n  -> `mastery topics apply`" in done.err
