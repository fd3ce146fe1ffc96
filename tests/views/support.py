"""Views made of changed rows, without a changelog."""

from app.partitioner import partition_of
from app.state.store import StoreIdentity
from app.views.files import ViewFiles
from app.views.questions import Questions
from app.views.store import ViewStore


def identity(partition=0, partitions=3, **other):
    return StoreIdentity(
        **{
            "topic": "changelog",
            "topic_id": "",
            "partition": partition,
            "partitions": partitions,
            "rows_format": 1,
        }
        | other
    )


class Made:
    """Stores of some partitions, and questions to them."""

    def __init__(self, folder, partitions=3):
        self.stores = {
            number: ViewStore(folder / f"{number}.db", identity(number, partitions))
            for number in range(partitions)
        }
        self.files = ViewFiles()
        self.ask = Questions(self.files, 10.0)
        self.rows = {}

    def finish(self):
        for number, store in self.stores.items():
            store.finish()
            self.files.serve(number, store.path)

    def apply(self, changes):
        """One batch: the last of each key."""
        last = {}
        for change in changes:
            last.pop(change.key, None)
            last[change.key] = change
        by_partition = {number: [] for number in self.stores}
        for key, change in last.items():
            self.rows.pop(key, None)
            if change.row is not None:
                self.rows[key] = (change.row, change.changed_at)
            place = partition_of(f"{key[0]}:{key[1]}".encode(), len(self.stores))
            by_partition[place].append(change)
        for number, some in by_partition.items():
            self.stores[number].apply(some, self.stores[number].position + len(some))

    def close(self):
        for number, store in self.stores.items():
            self.files.withdraw(number)
            store.close()
