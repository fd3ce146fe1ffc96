"""One worker: everything it holds besides the stream itself, opened in order and closed in reverse."""

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from app import __version__
from app.agents.router import Route, Router
from app.checks import lock_state_dir, retry_until, run_checks
from app.embedded.broker import is_embedded
from app.embedded.offsets import commit_again
from app.errors import MasteryError
from app.events.decode import EventDecoder
from app.events.envelopes import Unwrapper
from app.events.errors import ErrorKind
from app.events.keys import key_function
from app.events.names import DOCUMENTED_EVENTS
from app.kafka import BrokerUnreachable, client_config
from app.logs import fields
from app.mastery_part import MasteryPart
from app.schemas.contract import Contract, load_contract
from app.schemas.encoder import compile_encoder
from app.schemas.models import build_models
from app.schemas.registry import SchemaIds, prepare_schemas
from app.schemas.registry_errors import RegistryUnavailable
from app.settings import Settings
from app.state.folder import StateFiles
from app.stream.batch import StateSink
from app.stream.group_metadata import verify_layout
from app.stream.offsets import StableOffsets
from app.stream.producer import TransactionalProducer
from app.stream.progress import Phase, Progress
from app.topics import Catalogue, TopicAdmin, load_catalogue
from app.web.process import WebProcess
from app.web.report import Group

__all__ = ["FrameIds", "Worker", "build_router"]

log = logging.getLogger(__name__)

#: Seconds.
_DAY = 86_400.0


@dataclass(frozen=True)
class _Delivery:
    producer: TransactionalProducer
    stable_offsets: StableOffsets
    state: StateSink | None = None


class Worker:
    """Opens, in this order: web process, state folder, checks of the broker, schemas, router, producer.

    `prepare` is what StreamApp runs before its first record; `close` may be called at any time, once.
    """

    def __init__(self, settings: Settings, *, say: Callable[[str], None] | None = None) -> None:
        self.settings = settings
        self.progress = Progress()
        self._say = say or log.warning
        self._stack = contextlib.ExitStack()
        self._router: Router | None = None
        self._mastery: MasteryPart | None = None
        #: Told of what fails in a thread, beside the stream.
        self.on_failure: Callable[[MasteryError], None] = lambda error: log.error("%s", error)
        #: Told of the address for other workers, before the group is joined.
        self.on_address: Callable[[str], None] = lambda _url: None
        #: Asked, from a thread, for the group as it was last assigned.
        self.group: Callable[[], Group] | None = None

    @property
    def mastery(self) -> MasteryPart:
        """What computes mastery; made by `prepare`."""
        if self._mastery is None:
            raise RuntimeError("the worker is not prepared")
        return self._mastery

    @property
    def router(self) -> Router:
        """The router; made by `prepare`."""
        if self._router is None:
            raise RuntimeError("the worker is not prepared")
        return self._router

    def prepare(self) -> _Delivery:
        """Check everything that the stream rests on, and make what it needs. Blocks.

        Raises:
            MasteryError: something is missing or wrong, or did not answer within `startup_timeout`.
        """
        try:
            return self._prepare()
        except MasteryError as error:
            self.progress.enter(Phase.FAILED, str(error))
            raise

    def close(self) -> None:
        """Stop the web process and let the state folder go."""
        self._stack.close()

    def _prepare(self) -> _Delivery:
        settings = self.settings
        deadline = time.monotonic() + settings.startup_timeout
        contract, catalogue = load_contract(), load_catalogue(settings)
        web = WebProcess(settings, self.progress, expected=_label_values(contract))
        web.start()
        self._stack.callback(web.stop)
        self.on_address(web.advertised_url)
        if self.group is not None:
            web.tell_group(self.group)
        self.progress.enter(Phase.CHECKING, "checking broker, topics and schemas")
        lock = lock_state_dir(settings.state_dir)
        self._stack.callback(lock.release)
        transactional_id = f"{settings.group_id}.{lock.worker_id}"
        run_checks(
            settings,
            catalogue,
            transactional_id=transactional_id,
            deadline=deadline,
            say=self._say,
        )
        verify_layout(client_config(settings), settings.group_id)
        ids = retry_until(
            deadline,
            lambda: prepare_schemas(settings, contract),
            self._say,
            on=(BrokerUnreachable, RegistryUnavailable),
        )
        web.serve_schemas(ids.catalogue)
        self._router = build_router(settings, contract, ids)
        self._mastery = self._open_mastery(contract, catalogue, ids, deadline)
        web.tell_definitions(self._mastery.definitions.counts)
        producer = TransactionalProducer(
            client_config(settings),
            transactional_id,
            max_batch_bytes=settings.max_message_bytes,
            commit_again=commit_again(settings) if is_embedded(TopicAdmin(settings).cluster_id()) else None,
            tags=self._mastery.tags,
        )
        producer.init()
        log.info(
            "mastery-stream %s: group %s, raw topic %s, transactional id %s, schemas: %s, web server on %s",
            __version__,
            settings.group_id,
            settings.raw_topic_name,
            transactional_id,
            ids.mode,
            web.url,
            extra=fields(version=__version__, group=settings.group_id, transactional_id=transactional_id),
        )
        offsets = _stable_offsets(settings, contract, self._mastery.tags)
        return _Delivery(producer, offsets, self._mastery.rows)

    def _purge(self) -> None:
        """Delete what was moved aside long ago."""
        days = self.settings.aside_days
        if gone := StateFiles(self.settings.rows_folder).purge(older_than=days * _DAY):
            log.info("%d state files that were moved aside over %d days ago are deleted", gone, days)

    def _open_mastery(
        self, contract: Contract, catalogue: Catalogue, ids: SchemaIds, deadline: float
    ) -> MasteryPart:
        self._purge()
        part = MasteryPart.build(self.settings, contract, catalogue, ids, self.progress, self.on_failure)
        self._stack.callback(part.close)
        retry_until(deadline, part.definitions.start, self._say, on=(BrokerUnreachable,))
        return part


class FrameIds(Protocol):
    """The schema ids that frame typed records."""

    @property
    def by_name(self) -> Mapping[str, int]:
        """By the event's name."""


def build_router(settings: Settings, contract: Contract, ids: FrameIds) -> Router:
    """Return a router whose decoder and encoders are made from the contract."""
    models = build_models(contract)
    routes = {}
    for name, event in contract.events.items():
        encoder = compile_encoder(event.schema, ids.by_name[name], drop_pii=settings.pii == "drop")
        routes[models[name]] = Route(
            name, settings.typed_topic(name), key_function(event), encoder.encode, encoder.encode_ascii
        )
    return Router(
        EventDecoder(contract, models, other_events=settings.other_events),
        routes,
        dead_letter_topic=settings.dead_letter_topic,
        max_message_bytes=settings.max_message_bytes,
        unwrap=Unwrapper(settings.raw_envelope),
    )


def _stable_offsets(settings: Settings, contract: Contract, tags: Mapping[str, str]) -> StableOffsets:
    typed = [settings.typed_topic(name) for name in contract.topics]
    return StableOffsets(
        client_config(settings),
        settings.group_id,
        inputs=settings.input_topics,
        outputs=[*typed, settings.dead_letter_topic],
        tags=tags,
    )


def _label_values(contract: Contract) -> dict[str, list[str]]:
    return {
        "events": list(contract.events),
        "dead_letters": [kind.value for kind in ErrorKind],
        "ignored": sorted(DOCUMENTED_EVENTS),
    }
