"""The steps of `mastery state rebuild`, for whoever asks for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from app.agents.publication import Publication
from app.rebuild.changelog import ChangelogPlan, ChangelogRebuild
from app.rebuild.hold import GroupHold, WorkersAlive, require_stopped
from app.rebuild.results import ResultsPlan, ResultsRebuild
from app.rebuild.writing import require_offsets, write
from app.schemas.contract import Contract
from app.schemas.decoder import AvroDecoder
from app.schemas.encoder import compile_encoder
from app.schemas.registry import SchemaIds, prepare_schemas, schema_lookup
from app.settings import Settings
from app.verify.compare import COURSES, ROWS
from app.verify.offsets import Place, committed_positions, places_of
from app.verify.records import Workspace

__all__ = ["Rebuild", "prepared"]

Heard = Callable[[int], None]


@dataclass(slots=True)
class Rebuild:
    """A rebuild whose plan is made. `run` does it; nothing was changed before."""

    plan: ResultsPlan | ChangelogPlan
    run: Callable[[Heard], int]


@contextmanager
def prepared(
    settings: Settings, contract: Contract, *, from_changelog: bool, heard: Heard
) -> Iterator[Rebuild]:
    """Look at everything, and plan. The workers must be stopped, then and until `run` is done.

    Raises:
        WorkersAlive: a worker is in the group, or was since the plan was made.
        ResultsGone: results are needed that are no longer there.
        OffsetsForgotten: the group's offsets of the raw topic are gone.
        RebuildInterrupted: from `run`. What is committed then is good, and the same command goes on.
    """
    require_stopped(settings)
    require_offsets(settings)
    with Workspace() as workspace:
        decode = AvroDecoder(schema_lookup(settings, contract)).decode
        known = _committed(settings)
        way: ChangelogRebuild | ResultsRebuild
        if from_changelog:
            way = ChangelogRebuild(settings, contract, workspace, decode)
        else:
            way = ResultsRebuild(settings, workspace, decode)
        plan = way.plan(heard)

        def run(heard: Heard) -> int:
            with GroupHold(settings) as hold:
                if way.tables.advance() or _committed(settings) != known:
                    raise WorkersAlive("a worker ran meanwhile", hint="stop all workers, then run this again")
                if isinstance(way, ResultsRebuild):
                    return write(settings, hold, way.chunks(), way.positions, heard)
                publication = _publication(settings, contract, prepare_schemas(settings, contract))
                positions = {place: at for place, at in known.items() if at is not None}
                return write(settings, hold, way.chunks(publication), positions, heard)

        yield Rebuild(plan, run)


def _committed(settings: Settings) -> dict[Place, int | None]:
    return committed_positions(settings, places_of(settings, settings.result_topics))


def _publication(settings: Settings, contract: Contract, ids: SchemaIds) -> Publication:
    def encoder(name: str) -> Callable[[Any], bytes]:
        return compile_encoder(contract.derived[name].schema, ids.by_name[name], plain_times=True).encode

    return Publication(
        row_topic=settings.typed_topic(ROWS),
        course_topic=settings.typed_topic(COURSES),
        encode_row=encoder(ROWS),
        encode_course=encoder(COURSES),
    )
