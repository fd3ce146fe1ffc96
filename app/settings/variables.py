"""How settings are called in the environment."""

__all__ = ["PREFIX", "variable"]

PREFIX = "MASTERY_"


def variable(name: str) -> str:
    """Name of the environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"
