"""State files that are damaged, cut off or of somebody else: found, put aside, restored."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from tests.chaos.mastery_run import MasteryRun
from tests.chaos.run import WatchedWorker
from tests.chaos.scenario import rounds, scenario, times

_LOG = "-wal"


def _flip(path: Path, rng: random.Random, *, bytes_: int) -> None:
    """Change so many bytes of a file, each somewhere else."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        for _ in range(bytes_ if size else 0):
            at = rng.randrange(size)
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ rng.randint(1, 255)]))


def _flip_rows(rows: Path, rng: random.Random) -> None:
    for path in rows.glob("[0-9].db"):
        _flip_all(path, rng)


def _flip_all(path: Path, rng: random.Random) -> None:
    """Flip bytes of a file that nothing in its log covers."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()
    _flip(path, rng, bytes_=20)


def _flip_logs(rows: Path, rng: random.Random) -> None:
    for path in rows.glob("*.db-wal"):
        _flip(path, rng, bytes_=1)


def _cut(rows: Path, rng: random.Random) -> None:
    for path in [*rows.glob("*.db"), *rows.glob("*.db-wal")]:
        with path.open("r+b") as file:
            file.truncate(rng.randrange(max(1, path.stat().st_size)))


def _scores(rows: Path, _: random.Random) -> None:
    """Change a byte of each row, and nothing that SQLite could see: pages stay as they were."""
    for path in rows.glob("[0-9].db"):
        with sqlite3.connect(path) as db:
            found = db.execute("SELECT id, value FROM rows").fetchall()
            changed = [(value[:-1] + bytes([value[-1] ^ 1]), number) for number, value in found]
            db.executemany("UPDATE rows SET value = ? WHERE id = ?", changed)
        db.close()


def _positions(rows: Path, _: random.Random) -> None:
    """Say that more of the changelog was read than is in the file; its index is without some rows."""
    for path in rows.glob("[0-9].db"):
        with sqlite3.connect(path) as db:
            db.execute("UPDATE meta SET value = value + 1 WHERE name = 'position'")
        db.close()


def _swapped(rows: Path, _: random.Random) -> None:
    """Each partition has another one's file."""
    numbers = sorted(int(path.stem) for path in rows.glob("[0-9].db"))
    for number in numbers:
        for suffix in ("", _LOG, "-shm"):
            if (part := rows / f"{number}.db{suffix}").exists():
                part.rename(rows / f"moving-{number}.db{suffix}")
    for number, other in zip(numbers, [*numbers[1:], numbers[0]], strict=True):
        for suffix in ("", _LOG, "-shm"):
            if (part := rows / f"moving-{number}.db{suffix}").exists():
                part.rename(rows / f"{other}.db{suffix}")


def _no_database(rows: Path, rng: random.Random) -> None:
    for path in rows.glob("*.db"):
        for suffix in (_LOG, "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.write_bytes(rng.randbytes(50_000))


def _definitions(rows: Path, rng: random.Random) -> None:
    _flip_all(rows / "definitions.db", rng)


def _stale_lock(rows: Path, _: random.Random) -> None:
    """What a worker leaves that is killed: a lock file with its number; and half a name of its own."""
    folder = rows.parent
    (folder / "worker.lock").write_text("1\n")
    (folder / "worker-id").write_text("half")
    (folder / "wal-probe.db").write_text("left over")


#: What is done, and whether files must be put aside for it: a cut or flipped log may leave an earlier state.
DAMAGES: tuple[tuple[str, Callable[[Path, random.Random], None], bool], ...] = (
    ("20 bytes of each file flipped", _flip_rows, True),
    ("a byte of each log flipped", _flip_logs, False),
    ("a byte of each row changed", _scores, True),
    ("files and logs cut off", _cut, False),
    ("positions ahead of the rows", _positions, True),
    ("files of other partitions", _swapped, True),
    ("no databases at all", _no_database, True),
    ("20 bytes of the definitions flipped", _definitions, True),
    ("a stale lock and half a worker's name", _stale_lock, False),
)


def _aside(run: MasteryRun) -> int:
    return len(list((run.state_folder("worker") / "mastery" / "aside").glob("*.db")))


def _damage_and_start(
    run: MasteryRun, worker: WatchedWorker, damage: tuple[str, Callable[..., None], bool], rng: random.Random
) -> None:
    name, do, must_be_found = damage
    with run.fault(f"kill -9; {name}", left="now"):
        worker.kill()
        before = _aside(run)
        do(run.state_folder("worker") / "mastery", rng)
    worker.start()
    worker.wait_ready(90.0)
    moved = _aside(run) - before
    run.note(f"{moved} files were put aside")
    run.record.count(files_aside=moved)
    told = worker.log_file.read_text().count("was moved to")
    assert told == _aside(run), "files were put aside without a word, or the other way round"
    assert moved or not must_be_found, f"{name}: no file was put aside\n{worker.log}"
    run.wait_for_rows(30, timeout=90.0)


@scenario("corrupt-state", ci=True, seconds=times(480, ci=300))
def test_damaged_state_files(mastery_run) -> None:
    """kill -9, then the state files are damaged: bytes flipped, cut off, exchanged, replaced, values changed.

    Each is found when the worker starts, put aside with a line in the log, and restored from the changelog;
    it is ready again, and every row is the oracle's. In CI three ways, else all nine.
    """
    for seed, rng in rounds("corrupt-state"):
        run = mastery_run(seed=seed)
        worker = run.worker("worker")
        worker.start()
        run.wait_for_rows(300, timeout=90.0)
        damages = list(DAMAGES)
        rng.shuffle(damages)
        for damage in damages[: times(len(damages), ci=3)]:
            _damage_and_start(run, worker, damage, rng)
        run.finish(timeout=120.0)


@scenario("foreign-state", seconds=300)
def test_state_of_another_cluster(mastery_run) -> None:
    """A worker is given the state folder of one that worked for other topics, with more rows in them.

    Nothing of it may be used: all files are put aside, and every row is the oracle's.
    """
    for seed, _ in rounds("foreign-state"):
        other = mastery_run(seed=seed, part="other")
        worker = other.worker("worker")
        worker.start()
        other.wait_for_rows(600, timeout=90.0)
        worker.kill()
        kept = other.folder.parent / "kept"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(other.state_folder("worker"), kept)
        run = mastery_run(seed=seed)
        shutil.copytree(kept, run.state_folder("worker"))
        worker = run.worker("worker")
        worker.start()
        worker.wait_ready(90.0)
        # Six of rows, one of definitions.
        assert _aside(run) == 7, worker.log
        run.wait_for_rows(100, timeout=90.0)
        run.finish(timeout=120.0)
