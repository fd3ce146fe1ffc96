import threading

from app.mastery.rules import AccountRules, MasteryRules
from tests.definitions.support import ACCOUNT, LEVELS, OTHER, LocalCopy
from tests.mastery.events import outcome, proficiency


def test_readers_never_keep_what_was_replaced(tmp_path):
    """Whoever looks up after a change has been applied sees it, however many look up meanwhile."""
    applied = 0
    wrong: list[tuple[int, int]] = []
    over = threading.Event()
    with LocalCopy(tmp_path) as copy:
        copy.add(outcome("n_mastery", 1, sent=1))
        resolve = copy.lookup.resolve

        def read():
            while not over.is_set():
                before = applied
                seen = resolve(ACCOUNT, "7").basis.n
                if seen < before:
                    wrong.append((before, seen))
                resolve(OTHER, "7")

        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(2, 30):
            copy.add(outcome("decaying_average", number, updated=number))
            applied = number
        over.set()
        for thread in threads:
            thread.join()
        assert resolve(ACCOUNT, "7").basis.n == 29
    assert wrong == []


def test_levels_that_are_alike_are_kept_once(tmp_path):
    with LocalCopy(tmp_path) as copy:
        for outcome_id in ("7", "8"):
            copy.add(outcome(learning_outcome_id=outcome_id, ratings=((5.0, "High"), (1.0, "Low"))))
        first, second = (copy.lookup.outcome(ACCOUNT, outcome_id) for outcome_id in ("7", "8"))
        assert first.levels is second.levels


def test_rules_of_each_account(tmp_path):
    rules = MasteryRules(
        AccountRules(new_decaying_average=False), {OTHER: AccountRules(account_level_scales=True)}
    )
    with LocalCopy(tmp_path, rules) as copy:
        copy.add(outcome("standard_decaying_average", 60), proficiency(*LEVELS))
        basis = copy.lookup.resolve(ACCOUNT, "7").basis
        assert (basis.method, basis.source) == ("decaying_average", "outcome")
