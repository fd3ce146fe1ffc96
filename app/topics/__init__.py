"""The topics: the catalogue of what should be, and the broker's state compared with it."""

from app.topics.admin import ExistingTopic, TopicAdmin
from app.topics.apply import (
    Applied,
    PartitionMismatch,
    TopicDrift,
    TopicsMissing,
    TopicsNotMade,
    apply,
    check,
    require_usable,
)
from app.topics.catalogue import Catalogue, CatalogueError, TopicSpec, load_catalogue
from app.topics.state import Difference, TopicState, plan

__all__ = [
    "Applied",
    "Catalogue",
    "CatalogueError",
    "Difference",
    "ExistingTopic",
    "PartitionMismatch",
    "TopicAdmin",
    "TopicDrift",
    "TopicSpec",
    "TopicState",
    "TopicsMissing",
    "TopicsNotMade",
    "apply",
    "check",
    "load_catalogue",
    "plan",
    "require_usable",
]
