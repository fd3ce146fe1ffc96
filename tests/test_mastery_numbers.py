from app.definitions.lookup import DefinitionCounts
from app.mastery_numbers import MasteryNumbers, NumbersOfWorker
from app.state.store import PartitionStore, StoreIdentity
from app.stream.progress import Phase, Progress

RESULTS, OTHER = "canvas.results", "canvas.live-events"
KNOWN = DefinitionCounts(1, 0, 0, 0, ())


def fill(folder, partition, rows):
    with PartitionStore(folder / f"{partition}.db", StoreIdentity("log", "id", partition, 4, 1)) as store:
        store.append([(f"a:b:{number}".encode(), b"x") for number in range(rows)], rows)
        store.finish_restore()


def test_rows_of_owned_partitions_are_counted_beside_the_stream(tmp_path):
    for partition, rows in enumerate((3, 5, 7)):
        fill(tmp_path, partition, rows)
    progress = Progress()
    assert NumbersOfWorker(tmp_path, RESULTS, progress.snapshot, lambda: KNOWN)() == MasteryNumbers(
        None, KNOWN
    )
    progress.assigned(1, {(RESULTS, 0): 0, (RESULTS, 2): 0, (OTHER, 1): 0})
    progress.enter(Phase.RUNNING)
    numbers = NumbersOfWorker(tmp_path, RESULTS, progress.snapshot, lambda: KNOWN)
    assert numbers().rows == 10
    fill(tmp_path, 3, 1)
    progress.assigned(2, {(RESULTS, 3): 0})
    assert numbers().rows == 10, "counted a moment ago"
    assert NumbersOfWorker(tmp_path, RESULTS, progress.snapshot, lambda: KNOWN)().rows == 1


def test_a_file_that_is_gone_is_no_error(tmp_path):
    progress = Progress()
    progress.assigned(1, {(RESULTS, 0): 0})
    progress.enter(Phase.RUNNING)
    assert NumbersOfWorker(tmp_path, RESULTS, progress.snapshot, lambda: KNOWN)().rows is None
