import logging
from pathlib import Path

import pytest

from app.state.errors import StateUnavailable
from app.state.folder import StateFiles


def test_moved_aside_with_all_its_parts_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = StateFiles(tmp_path / "mastery")
    for suffix in ("", "-wal"):
        files.path(3).with_name(f"3.db{suffix}").write_bytes(b"12345")
    files.path(4).touch()
    assert files.partitions() == [3, 4]
    with caplog.at_level(logging.WARNING):
        files.move_aside(3, "it is damaged")
    assert files.partitions() == [4]
    [aside] = files.aside()
    assert aside.bytes == 10
    assert "state of partition 3 was moved to" in caplog.text
    assert "it is damaged" in caplog.text


def test_the_old_ones_are_deleted_in_time(tmp_path: Path) -> None:
    files = StateFiles(tmp_path)
    for _ in range(2):
        files.path(3).write_bytes(b"12345")
        files.move_aside(3, "it is damaged")
    old, fresh = files.aside()
    old.path.rename(old.path.with_name("3-1000.db"))
    assert files.purge(older_than=3600) == 1
    assert [one.path for one in files.aside()] == [fresh.path]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateUnavailable, match="cannot be used"):
        StateFiles(tmp_path / "file" / "mastery")
