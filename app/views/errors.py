"""What can be wrong with views and questions to them."""

from app.errors import MasteryError

__all__ = ["CursorUnfit", "QueryTooSlow", "ViewError", "ViewUnavailable"]


class ViewError(MasteryError):
    """Base of the errors of views."""


class QueryTooSlow(ViewError):
    """A query did not end within its time limit."""


class CursorUnfit(ViewError):
    """A cursor that is none, or is of another list, order or search."""


class ViewUnavailable(ViewError):
    """A view's file cannot be read or written now."""
