"""Builds the Faust app: wiring only. `faust -A app.main worker` finds it as `app.main.app`."""

import sys
from typing import TYPE_CHECKING, Any, cast

from yarl import URL

from app.agents.mastery import add_mastery
from app.agents.router import add_router
from app.kafka import faust_broker_options
from app.settings import Settings, SettingsError, load_settings
from app.stream.application import StreamApp
from app.web.report import Group
from app.worker import Worker

if TYPE_CHECKING:
    from faust.assignor.partition_assignor import PartitionAssignor

    app: StreamApp

__all__ = ["create_app"]

#: Heartbeats in one session time-out. Kafka's own advice is no less than three.
_HEARTBEATS = 5

_METADATA_AGE_MS = 30_000

#: Seconds. Faust's own default.
_REQUEST_TIMEOUT = 90.0


def create_app(settings: Settings, worker: Worker) -> StreamApp:
    """Return the app of one worker. Nothing is connected before it is started or `prepare_now` is called."""
    app = StreamApp(
        settings.group_id,
        progress=worker.progress,
        prepare=worker.prepare,
        checkpoint_interval=settings.checkpoint_interval,
        options=faust_broker_options(settings)
        | {
            "broker_session_timeout": settings.session_timeout,
            # Faust refuses a session time-out above this one, which is 90 s by default.
            "broker_request_timeout": max(_REQUEST_TIMEOUT, settings.session_timeout + 10.0),
            "broker_heartbeat_interval": settings.session_timeout / _HEARTBEATS,
            "broker_max_poll_records": settings.fetch_max_records,
            "broker_client_id": settings.app_id,
            # Faust's default of 5 minutes is how long a topic that was made anew would go unnoticed.
            "consumer_metadata_max_age_ms": _METADATA_AGE_MS,
            "datadir": str(settings.state_dir / "faust"),
        },
    )
    add_router(app, settings.raw_topic_name, lambda: worker.router)
    add_mastery(app, settings.row_topics, lambda: worker.mastery.apply)
    app.task(lambda: worker.mastery.recomputation(app, settings).run())
    worker.on_failure = app.fail_soon

    def know_address(url: str) -> None:
        # Faust keys its maps of members by this, and the workers find each other by them.
        app.conf.canonical_url = URL(url)

    def group() -> Group:
        found = cast("PartitionAssignor", app.assignor).external_topics_metadata()
        return Group(
            str(app.conf.canonical_url),
            {
                url: {topic: tuple(partitions) for topic, partitions in topics.items()}
                for url, topics in found.items()
            },
        )

    worker.on_address = know_address
    worker.group = group
    return app


def __getattr__(name: str) -> Any:
    """Build `app` when Faust asks for it: importing this module must not read settings."""
    if name != "app":
        raise AttributeError(name)
    try:
        settings = load_settings()
    except SettingsError as error:
        # Faust's command would show a traceback.
        print(error.report, file=sys.stderr)  # noqa: T201 - as mastery does
        sys.exit(error.exit_code)
    built = create_app(settings, Worker(settings, say=lambda line: print(line, file=sys.stderr)))  # noqa: T201 - as mastery
    globals()["app"] = built
    return built
