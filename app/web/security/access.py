"""All that stands between what the state holds and whoever asks, made of the settings in one place."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final, Protocol

from app.settings import Settings
from app.web.answers import Answers
from app.web.models.mastery import MasteryQuery, Sort
from app.web.models.stream import Change
from app.web.problems import TooSlow
from app.web.security.audit import Audit
from app.web.security.audited import AuditedAnswers
from app.web.security.cluster import ClusterIdentity
from app.web.security.guard import cluster_identity
from app.web.security.guarded import GuardedAnswers, require
from app.web.security.pseudonymous import PseudonymousAnswers
from app.web.security.pseudonyms import Pseudonyms, key_of
from app.web.security.viewer import Role, Viewer
from app.web.security.visible import visible_changes

__all__ = ["Access", "LiveChanges", "students_of"]

#: Who looks for the student that a pseudonym stands for. What is found is narrowed for whoever asked.
_SEEKER: Final = Viewer("pseudonyms", Role.ADMIN)
_PAGE: Final = 500
_PATIENCE: Final = 10.0


class LiveChanges(Protocol):
    """Changes of rows from now on; `local`: of this worker's own partitions alone."""

    def __call__(self, viewer: Viewer, *, local: bool) -> AsyncIterator[Change]:
        """Follow them."""
        ...


class Access:
    """Wraps answers and changes for whoever asks: narrowed, told to the audit log, with pseudonyms if set.

    Raises AuditFileUnusable, KeyUnusable, UsersFileUnusable or WebTokenUnusable. `stop()` writes out the last
    lines of the audit log.
    """

    def __init__(self, settings: Settings) -> None:
        self._audit = Audit(settings.web_audit_file)
        self._pseudonyms = Pseudonyms(key_of(settings)) if settings.web_pseudonyms else None
        self.cluster: ClusterIdentity = cluster_identity(settings)
        """How workers know each other."""

    def over(self, answers: Answers) -> Answers:
        """Return what API and pages are to ask in place of `answers`."""
        audited = AuditedAnswers(GuardedAnswers(answers), self._audit)
        if self._pseudonyms is None:
            return audited
        return PseudonymousAnswers(audited, self._pseudonyms, lambda: students_of(answers))

    def live(self, source: LiveChanges) -> LiveChanges:
        """Return `source`, narrowed as answers are. Called for who sees no students, it raises Forbidden."""

        def follow(viewer: Viewer, *, local: bool) -> AsyncIterator[Change]:
            require(viewer, Role.VIEWER)
            if not local:
                self._audit.students(viewer, 0, ["live"])
            return self._narrowed(source(viewer, local=local), viewer, local=local)

        return follow

    async def _narrowed(
        self, changes: AsyncIterator[Change], viewer: Viewer, *, local: bool
    ) -> AsyncGenerator[Change, None]:
        pseudonyms = None if local else self._pseudonyms
        try:
            async for change in changes:
                for seen in visible_changes(viewer, [change]):
                    yield seen if pseudonyms is None else pseudonyms.change(seen)
        finally:
            if isinstance(changes, AsyncGenerator):
                await changes.aclose()

    def stop(self) -> None:
        """Write what the audit log still waits for."""
        self._audit.stop()


async def students_of(
    answers: Answers, *, patience: float = _PATIENCE, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[str]:
    """Yield the uuid of each student with a row, in order. Raises TooSlow after `patience` seconds."""
    until = clock() + patience
    query = MasteryQuery(sort=Sort.STUDENT, limit=_PAGE)
    last = None
    while True:
        page = await answers.mastery(_SEEKER, query)
        for row in page.rows:
            if row.user_uuid != last:
                last = row.user_uuid
                yield last
        if page.next is None:
            return
        if clock() > until:
            raise TooSlow(
                "The student of this pseudonym was not found in time.",
                hint="Open the student from a list: that pseudonym is known then.",
                headers={"Retry-After": "10"},
            )
        query = query.model_copy(update={"cursor": page.next})
