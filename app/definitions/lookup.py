"""The definitions in memory, and what each outcome's scores are computed with: one dict look-up a result."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from app.definitions.changes import ChangedOutcome, Changes
from app.definitions.store import OutcomeRow, ProficiencyRow
from app.mastery.definition import AccountScales, OutcomeDefinition, ProficiencyDefinition, scales_in_force
from app.mastery.resolve import Definition, resolve
from app.mastery.rules import MasteryRules
from app.mastery.scale import Level

__all__ = ["DefinitionCounts", "Lookup"]

_NO_SCALES: Final = AccountScales()


@dataclass(frozen=True, slots=True)
class DefinitionCounts:
    """What is known. Deleted ones are counted: they count on."""

    outcomes: int
    global_outcomes: int
    proficiencies: int
    unknown_outcomes: int
    """Outcomes of results, since the worker's start, that no event has told of."""
    accounts_with_unused_scales: tuple[str, ...]
    """Root accounts with active proficiencies, though account-level scales are off: that setting is probably
    wrong."""


class Lookup:
    """Look-ups from any thread; `apply` from one thread at a time.

    A look-up sees all of an `apply` or nothing of it, and never what was resolved before one that has ended.
    """

    def __init__(self, rules: MasteryRules) -> None:
        self._rules = rules
        self._lock = threading.Lock()
        self._resolved: dict[tuple[str, str], Definition] = {}
        self._outcomes: dict[tuple[str, str], OutcomeDefinition] = {}
        #: Of the few that are global: their ids, and which have an id.
        self._global_ids: dict[tuple[str, str], frozenset[str]] = {}
        self._by_global_id: dict[str, set[tuple[str, str]]] = {}
        self._proficiencies: dict[str, dict[str, ProficiencyDefinition]] = {}
        self._scales: dict[str, AccountScales] = {}
        #: Equal levels are kept once: an institution has a handful of them for all its outcomes.
        self._levels: dict[tuple[Level, ...], tuple[Level, ...]] = {}

    def resolve(self, root_account_uuid: str, learning_outcome_id: str) -> Definition:
        """What to compute the scores of an outcome with; the id as `app.mastery.ids.local_id` returns it.

        The outcome is that of the root account, else the global one of this id. The same object as before
        until something changes.
        """
        found = self._resolved.get((root_account_uuid, learning_outcome_id))
        return found if found is not None else self._resolve((root_account_uuid, learning_outcome_id))

    def outcome(self, root_account_uuid: str, learning_outcome_id: str) -> OutcomeDefinition | None:
        """The latest version of a root account's own outcome."""
        return self._outcomes.get((root_account_uuid, learning_outcome_id))

    def proficiency(
        self, root_account_uuid: str, outcome_proficiency_id: str
    ) -> ProficiencyDefinition | None:
        """The latest version of a proficiency."""
        return self._proficiencies.get(root_account_uuid, {}).get(outcome_proficiency_id)

    def apply(
        self, outcomes: Iterable[OutcomeRow], proficiencies: Iterable[ProficiencyRow]
    ) -> tuple[set[ChangedOutcome], set[str]]:
        """Replace versions; return the outcomes that changed, and the root accounts whose scales did."""
        with self._lock:
            changed: set[ChangedOutcome] = set()
            for row in outcomes:
                changed |= self._put(row)
            accounts = set()
            for one in proficiencies:
                definition = one.definition
                account = definition.root_account_uuid
                self._proficiencies.setdefault(account, {})[definition.outcome_proficiency_id] = definition
                accounts.add(account)
            for account in accounts:
                self._scales[account] = scales_in_force(self._proficiencies[account].values())
            used = {account for account in accounts if self._rules.of(account).account_level_scales}
            changed = self._everywhere(changed)
            self._forget(changed, used)
            return changed, used

    def narrowed(self, changes: Changes) -> Changes:
        """What was read of the changes in the file, without scales that are not used, and for all ids."""
        with self._lock:
            return Changes(
                frozenset(self._everywhere(changes.outcomes)),
                frozenset(one for one in changes.accounts if self._rules.of(one).account_level_scales),
                changes.vector,
            )

    def counts(self) -> DefinitionCounts:
        """Count. Takes a millisecond for 10,000 outcomes that were looked up."""
        with self._lock:
            return DefinitionCounts(
                outcomes=len(self._outcomes),
                global_outcomes=len(self._global_ids),
                proficiencies=sum(len(found) for found in self._proficiencies.values()),
                unknown_outcomes=sum(self._find(key) is None for key in self._resolved),
                accounts_with_unused_scales=tuple(
                    sorted(
                        account
                        for account, found in self._proficiencies.items()
                        if not self._rules.of(account).account_level_scales
                        and any(one.active for one in found.values())
                    )
                ),
            )

    def _put(self, row: OutcomeRow) -> set[ChangedOutcome]:
        definition = row.definition
        levels = self._levels.setdefault(definition.levels, definition.levels)
        if levels is not definition.levels:
            definition = msgspec.structs.replace(definition, levels=levels)
        key = definition.root_account_uuid, definition.learning_outcome_id
        before = self._outcomes.get(key)
        ids_before = self._global_ids.pop(key, frozenset())
        for one in ids_before:
            self._by_global_id[one].discard(key)
        self._outcomes[key] = definition
        if row.global_ids:
            self._global_ids[key] = row.global_ids
            for one in row.global_ids:
                self._by_global_id.setdefault(one, set()).add(key)
        if before is not None and before.version == definition.version:
            return set()
        return {ChangedOutcome(*key), *(ChangedOutcome(None, one) for one in ids_before | row.global_ids)}

    def _forget(self, changed: set[ChangedOutcome], accounts: set[str]) -> None:
        """Resolve anew what this touches."""
        anywhere = set()
        for one in changed:
            if one.root_account_uuid is None:
                anywhere.add(one.learning_outcome_id)
            else:
                self._resolved.pop((one.root_account_uuid, one.learning_outcome_id), None)
        if anywhere or accounts:
            for key in [key for key in self._resolved if key[0] in accounts or key[1] in anywhere]:
                del self._resolved[key]

    def _resolve(self, key: tuple[str, str]) -> Definition:
        # Under the lock, so that nothing is kept that was resolved before a change and arrives after it.
        with self._lock:
            account = key[0]
            definition = resolve(
                self._find(key), self._rules.of(account), self._scales.get(account, _NO_SCALES)
            )
            self._resolved[key] = definition
            return definition

    def _find(self, key: tuple[str, str]) -> OutcomeDefinition | None:
        """The root account's own, else the latest version of the global one, whoever told it."""
        own = self._outcomes.get(key)
        if own is not None and not own.is_global:
            return own
        told = [self._outcomes[one] for one in self._same(key[1])]
        return max(told, key=lambda one: one.version, default=None)

    def _same(self, global_id: str) -> set[tuple[str, str]]:
        """All that tell of a global outcome: root accounts of several shards write its id differently."""
        told = self._by_global_id.get(global_id)
        if not told:
            return set()
        return {key for one in told for other in self._global_ids[one] for key in self._by_global_id[other]}

    def _everywhere(self, changed: Iterable[ChangedOutcome]) -> set[ChangedOutcome]:
        """These, and by all their ids those of them that are global."""
        found = set(changed)
        for one in changed:
            if one.root_account_uuid is None:
                for key in self._same(one.learning_outcome_id):
                    found.update(ChangedOutcome(None, other) for other in self._global_ids[key])
        return found
