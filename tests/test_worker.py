from pathlib import Path

from app.settings import load_settings
from app.state.folder import StateFiles
from app.worker import Worker


def test_what_was_moved_aside_goes_after_a_time_that_is_set(tmp_path: Path) -> None:
    files = StateFiles(load_settings(state_dir=tmp_path).rows_folder)
    for _ in range(2):
        files.path(3).write_bytes(b"damaged")
        files.move_aside(3, "it is damaged")
    old, fresh = files.aside()
    (fresh.path.parent / "somebody's.db").touch()
    two_days_ago = int((fresh.moved_at - 2 * 86_400) * 1e9)
    old.path.rename(old.path.with_name(f"3-{two_days_ago}.db"))
    for days, left in ((3, 2), (1, 1)):
        Worker(load_settings(state_dir=tmp_path, aside_days=days))._purge()
        assert len(files.aside()) == left
    assert files.aside()[0].path == fresh.path
