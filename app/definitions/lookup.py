"""The definitions in memory, and what each outcome's scores are computed with: one dict look-up a result."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import msgspec

from app.definitions.changes import ChangedOutcome, Changes
from app.definitions.store import OutcomeRow, ProficiencyRow
from app.mastery.definition import AccountScales, OutcomeDefinition, ProficiencyDefinition, scales_in_force
from app.mastery.resolve import Basis, Definition, resolve
from app.mastery.rules import MasteryRules
from app.mastery.scale import Level

__all__ = ["DefinitionCounts", "Lookup"]

_NO_SCALES: Final = AccountScales()
_NO_COURSES: Final[Mapping[str, Basis]] = MappingProxyType({})


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
        #: By root account and outcome id, as everything here.
        self._resolved: dict[str, dict[str, Definition]] = {}
        self._outcomes: dict[str, dict[str, OutcomeDefinition]] = {}
        #: Of the few that are global: their ids, and which have an id.
        self._global_ids: dict[tuple[str, str], frozenset[str]] = {}
        self._by_global_id: dict[str, set[tuple[str, str]]] = {}
        self._proficiencies: dict[str, dict[str, ProficiencyDefinition]] = {}
        self._scales: dict[str, AccountScales] = {}
        self._shared = _Shared()

    def resolve(self, root_account_uuid: str, learning_outcome_id: str) -> Definition:
        """What to compute the scores of an outcome with; the id as `app.mastery.ids.local_id` returns it.

        The outcome is that of the root account, else the global one of this id. The same object as before
        until something changes.
        """
        try:
            return self._resolved[root_account_uuid][learning_outcome_id]
        except KeyError:
            return self._resolve(root_account_uuid, learning_outcome_id)

    def outcome(self, root_account_uuid: str, learning_outcome_id: str) -> OutcomeDefinition | None:
        """The latest version of a root account's own outcome."""
        return self._outcomes.get(root_account_uuid, {}).get(learning_outcome_id)

    def proficiency(
        self, root_account_uuid: str, outcome_proficiency_id: str
    ) -> ProficiencyDefinition | None:
        """The latest version of a proficiency."""
        return self._proficiencies.get(root_account_uuid, {}).get(outcome_proficiency_id)

    def find(self, root_account_uuid: str, learning_outcome_id: str) -> OutcomeDefinition | None:
        """What `resolve` resolves: the root account's own outcome, else the global one of this id."""
        with self._lock:
            return self._find(root_account_uuid, learning_outcome_id)

    def outcomes(self) -> list[OutcomeDefinition]:
        """The latest version of every root account's own outcomes."""
        with self._lock:
            return [one for found in self._outcomes.values() for one in found.values()]

    def accounts(self) -> list[str]:
        """Root accounts that told of outcomes."""
        with self._lock:
            return sorted(self._outcomes)

    def scales(self, root_account_uuid: str) -> AccountScales:
        """The scales in force in a root account, whether they are used or not."""
        return self._scales.get(root_account_uuid, _NO_SCALES)

    def apply(
        self, outcomes: Iterable[OutcomeRow], proficiencies: Iterable[ProficiencyRow]
    ) -> tuple[set[ChangedOutcome], set[str]]:
        """Replace versions; return the outcomes that changed, and the root accounts whose scales did."""
        with self._lock:
            changed: set[ChangedOutcome] = set()
            for row in outcomes:
                changed |= self._put(row)
            touched = set()
            for one in proficiencies:
                definition = one.definition
                account = definition.root_account_uuid
                self._proficiencies.setdefault(account, {})[definition.outcome_proficiency_id] = definition
                touched.add(account)
            used = {
                account
                for account in touched
                if self._scaled_anew(account) and self._rules.of(account).account_level_scales
            }
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
                outcomes=sum(len(found) for found in self._outcomes.values()),
                global_outcomes=len(self._global_ids),
                proficiencies=sum(len(found) for found in self._proficiencies.values()),
                unknown_outcomes=sum(
                    self._find(account, outcome_id) is None
                    for account, found in self._resolved.items()
                    for outcome_id in found
                ),
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
        definition = self._shared.outcome(row.definition)
        key = definition.root_account_uuid, definition.learning_outcome_id
        before = self.outcome(*key)
        ids_before = self._global_ids.pop(key, frozenset())
        for one in ids_before:
            self._by_global_id[one].discard(key)
        self._outcomes.setdefault(key[0], {})[key[1]] = definition
        if row.global_ids:
            self._global_ids[key] = row.global_ids
            for one in row.global_ids:
                self._by_global_id.setdefault(one, set()).add(key)
        if before is not None and before.version == definition.version:
            return set()
        return {ChangedOutcome(*key), *(ChangedOutcome(None, one) for one in ids_before | row.global_ids)}

    def _scaled_anew(self, account: str) -> bool:
        before = self._scales.get(account, _NO_SCALES)
        self._scales[account] = scales_in_force(self._proficiencies[account].values())
        return self._scales[account] != before

    def _forget(self, changed: set[ChangedOutcome], accounts: set[str]) -> None:
        """Resolve anew what this touches."""
        for account in accounts:
            self._resolved.pop(account, None)
        for one in changed:
            own = one.root_account_uuid
            for found in self._resolved.values() if own is None else [self._resolved.get(own, {})]:
                found.pop(one.learning_outcome_id, None)

    def _resolve(self, account: str, outcome_id: str) -> Definition:
        # Under the lock, so that nothing is kept that was resolved before a change and arrives after it.
        with self._lock:
            scales = self._scales.get(account, _NO_SCALES)
            definition = resolve(self._find(account, outcome_id), self._rules.of(account), scales)
            definition = self._shared.definition(definition)
            self._resolved.setdefault(account, {})[outcome_id] = definition
            return definition

    def _find(self, account: str, outcome_id: str) -> OutcomeDefinition | None:
        """The root account's own, else the latest version of the global one, whoever told it."""
        own = self.outcome(account, outcome_id)
        if own is not None and not own.is_global:
            return own
        told = [self._outcomes[teller][name] for teller, name in self._same(outcome_id)]
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


class _Shared:
    """Keeps once what many definitions have alike: an institution has a handful of scales and methods."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._numbers: dict[float, float] = {}
        #: By their bytes: 0.0 and -0.0 are equal, but not alike.
        self._levels: dict[bytes, tuple[Level, ...]] = {}
        self._bases: dict[str, Basis] = {}

    def outcome(self, outcome: OutcomeDefinition) -> OutcomeDefinition:
        """The same, in less memory."""
        account, levels = outcome.root_account_uuid, outcome.levels
        return msgspec.structs.replace(
            outcome,
            root_account_uuid=self._texts.setdefault(account, account),
            method=self._texts.setdefault(outcome.method, outcome.method)
            if outcome.method
            else outcome.method,
            mastery_points=self._number(outcome.mastery_points),
            points_possible=self._number(outcome.points_possible),
            levels=self._levels.setdefault(msgspec.msgpack.encode(levels), levels),
        )

    def definition(self, definition: Definition) -> Definition:
        """The same, in less memory."""
        basis = definition.basis
        if basis is None or definition.courses:
            return definition
        held = self._bases.setdefault(basis.version, basis)
        if held.scale == basis.scale:
            basis = msgspec.structs.replace(basis, scale=held.scale, version=held.version)
        return Definition(definition.title, basis, _NO_COURSES)

    def _number(self, number: float | None) -> float | None:
        return self._numbers.setdefault(number, number) if number else number
