"""What the stream does not tell about an institution's Canvas, and someone who knows it has to say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["AccountRules", "MasteryRules", "UnknownDefinition"]


class UnknownDefinition(StrEnum):
    """What to do with results of an outcome never seen: it was made before the stream began."""

    NO_SCORE = "no-score"
    """Keep the results, show no score."""
    CANVAS_DEFAULT = "canvas-default"
    """Compute with what Canvas gives to a new outcome: highest, mastery at 3 of 5; marked as assumed."""


@dataclass(frozen=True, slots=True)
class AccountRules:
    """The rules of one root account."""

    new_decaying_average: bool = True
    """Canvas's feature flag `outcomes_new_decaying_average_calculation`: standard_decaying_average is itself.
    Off, it is computed like decaying_average."""
    account_level_scales: bool = False
    """Canvas's feature flag `account_level_mastery_scales`: proficiencies replace outcomes' own scales."""
    unknown_definition: UnknownDefinition = UnknownDefinition.NO_SCORE


@dataclass(frozen=True, slots=True)
class MasteryRules:
    """The rules of all root accounts: of most, and of those named by their uuid."""

    default: AccountRules = AccountRules()
    accounts: Mapping[str, AccountRules] = field(default_factory=dict)

    def of(self, root_account_uuid: str) -> AccountRules:
        """The rules of a root account."""
        return self.accounts.get(root_account_uuid, self.default)
