"""What can keep a worker from knowing the definitions."""

from app.errors import MasteryError

__all__ = [
    "DefinitionTopicsChanged",
    "DefinitionUnreadable",
    "DefinitionsBehind",
    "DefinitionsError",
    "DefinitionsFailed",
]


class DefinitionsError(MasteryError):
    """Base of the errors of definitions."""


class DefinitionUnreadable(DefinitionsError):
    """A record of a definition topic is none. It is never skipped: scores would be wrong without a word."""


class DefinitionsBehind(DefinitionsError):
    """The end of the definition topics was not reached in time. Waiting may help."""


class DefinitionTopicsChanged(DefinitionsError):
    """A definition topic was deleted, made anew or cut off meanwhile. A new start reads it anew."""


class DefinitionsFailed(DefinitionsError):
    """The thread that follows the definitions ended by a mistake of ours."""
