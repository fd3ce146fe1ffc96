"""This project's worker with its router alone: what `mastery worker` does, but for mastery, checks and pages.

The peers of bench/fanout.py only fan out, so this is what is held against them; the whole worker is what
bench/mastery.py measures. The parts are those of the worker: consumer, router, transactions.
"""

import time
from dataclasses import dataclass

from app.agents.router import add_router
from app.checks import retry_until
from app.embedded.broker import is_embedded
from app.embedded.offsets import commit_again
from app.kafka import BrokerUnreachable, client_config, faust_broker_options
from app.logs import log_to_stderr
from app.schemas.contract import load_contract
from app.schemas.registry import prepare_schemas
from app.settings import Settings, load_settings
from app.stream.application import StreamApp
from app.stream.group_metadata import verify_layout
from app.stream.offsets import StableOffsets
from app.stream.producer import TransactionalProducer
from app.stream.progress import Progress
from app.stream.runner import StreamWorker
from app.topics import TopicAdmin
from app.worker import build_router

__all__ = ["main"]


@dataclass(frozen=True)
class _Delivery:
    producer: TransactionalProducer
    stable_offsets: StableOffsets
    state: None = None


class _Runner(StreamWorker):
    def _setup_logging(self) -> None:
        self.spinner = None


def _deliver(settings: Settings) -> _Delivery:
    contract = load_contract()
    verify_layout(client_config(settings), settings.group_id)
    producer = TransactionalProducer(
        client_config(settings),
        f"{settings.group_id}.bench",
        max_batch_bytes=settings.max_message_bytes,
        commit_again=commit_again(settings) if is_embedded(TopicAdmin(settings).cluster_id()) else None,
    )
    producer.init()
    outputs = [settings.typed_topic(name) for name in contract.topics]
    offsets = StableOffsets(
        client_config(settings),
        settings.group_id,
        inputs=[settings.raw_topic_name],
        outputs=[*outputs, settings.dead_letter_topic],
    )
    return _Delivery(producer, offsets)


def main() -> None:
    """Run until SIGTERM."""
    settings = load_settings()
    log_to_stderr(settings.log_level, settings.log_format)
    contract = load_contract()
    ids = retry_until(
        time.monotonic() + settings.startup_timeout,
        lambda: prepare_schemas(settings, contract),
        print,
        on=(BrokerUnreachable,),
    )
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    router = build_router(settings, contract, ids)
    app = StreamApp(
        settings.group_id,
        progress=Progress(),
        prepare=lambda: _deliver(settings),
        checkpoint_interval=settings.checkpoint_interval,
        options=faust_broker_options(settings)
        | {
            "broker_session_timeout": settings.session_timeout,
            "broker_heartbeat_interval": settings.session_timeout / 5,
            "broker_max_poll_records": settings.fetch_max_records,
            "datadir": str(settings.state_dir / "faust"),
        },
    )
    add_router(app, settings.raw_topic_name, lambda: router)
    app.prepare_now()
    _Runner(app, redirect_stdouts=False, quiet=True).execute_from_commandline()


if __name__ == "__main__":
    main()
