"""What a web process answers from, put together: this worker's own rows, then all workers' answers."""

from collections.abc import AsyncIterator, Callable

from app.definitions.definitions import FILE_NAME
from app.definitions.reader import DefinitionReader
from app.views.views import Views
from app.web.answers import Changes
from app.web.cluster.answers import ClusterAnswers
from app.web.cluster.changes import ClusterChanges
from app.web.cluster.members import Membership, membership_of
from app.web.cluster.peers import Peers
from app.web.local.answers import LocalAnswers
from app.web.local.changes import LocalChanges
from app.web.local.ground import Ground
from app.web.models.stream import Change
from app.web.named_answers import NamedAnswers
from app.web.report import WorkerReport
from app.web.security.viewer import Viewer
from app.web.site import Site

__all__ = ["assemble"]


def assemble(site: Site) -> None:
    """Give a site its answers, and have them follow the worker from its next report on."""
    settings = site.settings
    views = Views(settings, share=site.pace.share)
    definitions = DefinitionReader(settings.rows_folder / FILE_NAME, settings.mastery_rules)
    ground = Ground(settings, views, definitions, site.report, executor=site.executor)
    local = LocalAnswers(ground, lambda: site.schemas)
    topic = settings.result_topics[0]

    def membership() -> Membership:
        report = site.report()
        return Membership("") if report is None else membership_of(report.group, topic)

    def follow(report: WorkerReport) -> None:
        # As soon as the group has given it a partition, and as long as no other has it: a view is read while
        # the worker restores.
        views.own(report.group.distribution.get(report.group.url, {}).get(topic, ()))
        local.take(report)

    # Calls are made as the workers of this installation know each other, and to nobody else.
    peers = Peers(site.access.cluster.peer_headers)
    site.answers = NamedAnswers(ClusterAnswers(local, membership, peers), site.roster)
    site.changes = _changes(LocalChanges(views), membership, peers)
    site.followers.append(follow)
    views.start()
    site.closing.callback(views.close)


def _changes(local: LocalChanges, membership: Callable[[], Membership], peers: Peers) -> Changes:
    everywhere = ClusterChanges(local.changes, membership, peers)

    def changes(viewer: Viewer, *, local: bool) -> AsyncIterator[Change]:
        return own(viewer) if local else everywhere.changes(viewer)

    own = local.changes
    return changes
