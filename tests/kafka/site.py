"""An installation at the Kafka with a login: who may do all there, and a user with what a test grants."""

from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from app.cli import cli
from app.errors import MasteryError
from app.settings import Settings, load_settings
from tests.kafka.secured import Authority, SecuredKafka
from tests.support.worker import command_environment

__all__ = ["Site", "changed", "mastery"]


@dataclass(frozen=True)
class Site:
    """Settings of one installation: the `administrator` needs no login, the `user` TLS and a login."""

    administrator: Settings
    user: Settings

    @classmethod
    def at(cls, secured: SecuredKafka, authority: Authority, prefix: str, folder: Path) -> "Site":
        """Return settings for topics that begin with `prefix`; none is made."""
        administrator = load_settings(
            broker=secured.bootstrap, topic_prefix=prefix, partitions=2, state_dir=folder, web_port=0
        )
        user = changed(
            administrator,
            broker=secured.tls,
            security_protocol="SASL_SSL",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_username=secured.user,
            sasl_password=secured.password,
            tls_ca_file=authority.certificate,
            session_timeout=6.0,
        )
        return cls(administrator, user)


def changed(settings: Settings, **values: object) -> Settings:
    """Return the settings with other values; None unsets one."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    return load_settings(**{name: value for name, value in (given | values).items() if value is not None})


def mastery(
    settings: Settings,
    *arguments: str,
    given: bytes | None = None,
    expected: tuple[type[MasteryError], ...] = (),
) -> str:
    """Call a command in this process, with these settings; return all that it printed.

    Raises the MasteryError that it ends with, unless it is an `expected` one; an exit status may be what it
    will.
    """
    environment = command_environment(settings)
    done = CliRunner().invoke(
        cli,
        arguments,
        env={name: environment[name] for name in environment if name[:8] == "MASTERY_"},
        input=given,
    )
    if done.exception is not None and not isinstance(done.exception, (SystemExit, *expected)):
        raise done.exception
    return done.output
