"""What a query asks the views for."""

from app.views.answers import Order, Scope, Search
from app.web.models.mastery import MasteryQuery
from app.web.security.viewer import Viewer

__all__ = ["scope_of", "search_of"]


def scope_of(viewer: Viewer) -> Scope:
    """Return what of the rows a viewer may see."""
    return Scope(viewer.accounts, viewer.courses)


def search_of(query: MasteryQuery) -> Search:
    """Return the search that a query stands for. Cursors of a list are bound to it."""
    users = query.users
    if query.user is not None:
        users = (query.user,) if users is None or query.user in users else ()
    return Search(
        account=query.account,
        users=users,
        outcome=query.outcome,
        course=query.course,
        mastered=query.mastered,
        score_from=query.score_from,
        score_to=query.score_to,
        order=Order(query.sort.value),
        limit=query.limit,
        cursor=query.cursor,
    )
