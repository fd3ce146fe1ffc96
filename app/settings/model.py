"""Every setting of the project, described."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.mastery.rules import AccountRules, MasteryRules, UnknownDefinition
from app.settings.types import (
    AccountSettings,
    HeaderName,
    HttpUrl,
    ReadableFile,
    SaslMechanism,
    SecurityProtocol,
    SiteUrl,
    TopicPart,
    absolute,
    addresses,
    check_web_token,
    lower,
    networks,
    stripped,
    upper,
    user_and_password,
)

__all__ = ["PREFIX", "Settings", "variable"]

PREFIX = "MASTERY_"
MEBIBYTE = 1024 * 1024


def variable(name: str) -> str:
    """Name of the environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


class Settings(BaseSettings):
    """All settings of one process, frozen. Each is read from `MASTERY_<NAME>`; empty counts as unset."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    broker: Annotated[str, AfterValidator(addresses)] = Field(
        default="127.0.0.1:9092",
        description="Kafka brokers to start from, for example kafka-1:9092,kafka-2:9092.",
    )
    app_id: TopicPart = Field(
        default="mastery-stream",
        description="Name of this application; after the topic prefix, of consumer group and transactions.",
    )
    topic_prefix: TopicPart = Field(
        default="canvas.",
        description="Put before every topic, subject and group name, for example canvas. or school.canvas.",
    )
    raw_topic: TopicPart | None = Field(
        default=None,
        description="Topic that holds the raw Live Events, if it is not <prefix>live-events.",
    )
    schema_registry_url: HttpUrl | None = Field(
        default=None,
        description="Confluent-compatible schema registry, for example http://registry:8081. Unset: workers "
        "serve the schemas themselves.",
    )
    schema_registry_auth: Annotated[SecretStr, AfterValidator(user_and_password)] | None = Field(
        default=None, description="Login at the schema registry as USER:PASSWORD."
    )
    state_dir: Annotated[Path, AfterValidator(absolute)] = Field(
        default=Path(".mastery"),
        validate_default=True,
        description="Folder on a local disk for the state of one worker alone, for example /var/lib/mastery.",
    )
    aside_days: PositiveInt = Field(
        default=7,
        description="Days that state files are kept which could not be used and were moved aside.",
    )
    web_host: str = Field(default="127.0.0.1", description="Address the worker's web server listens on.")
    web_port: int = Field(
        default=6066,
        ge=0,
        le=65535,
        description="Port of the worker's web server; 0 takes any free one. Unset and in use: the next one.",
    )
    web_view: bool = Field(
        default=True,
        description="Whether the worker shows its state in a browser and by an API. Only then it keeps what "
        "that needs, copies of its rows to search in; health, metrics and schemas it serves in any case.",
    )
    web_advertised_url: HttpUrl | None = Field(
        default=None,
        description="Address under which the other workers reach this one's web server, for example "
        "http://worker-1:6066. Unset: the one it listens on; for all addresses, the machine's name.",
    )
    web_token: Annotated[SecretStr, BeforeValidator(stripped), AfterValidator(check_web_token)] | None = (
        Field(
            default=None,
            description="Token that guards the worker's web server apart from /health; needed where other "
            "machines reach it. Sent as `Authorization: Bearer`, or as the password of a login.",
        )
    )
    web_token_file: Annotated[Path, AfterValidator(absolute)] | None = Field(
        default=None,
        description="File that holds that token instead, read when a worker starts; `mastery web-token` "
        "makes one.",
    )
    web_roster: ReadableFile | None = Field(
        default=None,
        description="CSV file with columns kind (user or course), id and name: names for ids on the pages. "
        "Held in memory alone.",
    )
    canvas_url: SiteUrl | None = Field(
        default=None,
        description="Address of Canvas, for example https://canvas.school.example: pages link to courses, "
        "gradebooks and outcomes there. Unset: no links.",
    )
    web_users_file: Annotated[Path, AfterValidator(absolute)] | None = Field(
        default=None,
        description="TOML file with the logins of the web server and what each may see, read again when it "
        "changes; `mastery web-user` makes its entries.",
    )
    web_trusted_proxies: Annotated[str, AfterValidator(networks)] = Field(
        default="",
        description="Addresses or networks of the reverse proxies whose login headers are believed, for "
        "example 127.0.0.1,10.0.0.0/8.",
    )
    web_proxy_user_header: HeaderName | None = Field(
        default=None,
        description="Header in which a trusted proxy names who is logged in, for example X-Remote-User.",
    )
    web_proxy_role_header: HeaderName | None = Field(
        default=None,
        description="Header in which a trusted proxy gives the role: aggregate, viewer or admin. Unset: the "
        "users file tells it.",
    )
    web_proxy_secret: (
        Annotated[SecretStr, BeforeValidator(stripped), AfterValidator(check_web_token)] | None
    ) = Field(
        default=None,
        description="What a trusted proxy must send in X-Mastery-Proxy-Secret as well. Unset: its address "
        "is enough.",
    )
    web_rate_limit: NonNegativeFloat = Field(
        default=50.0,
        description="Requests a second that one client may make for long, four times as many at once; 0 sets "
        "no limit.",
    )
    web_audit_file: Annotated[Path, AfterValidator(absolute)] | None = Field(
        default=None,
        description="File for one line about each look at a student in the web view. Unset: in the log.",
    )
    web_pseudonyms: bool = Field(
        default=False,
        description="Whether the web view shows pseudonyms in place of students' ids and names.",
    )
    cluster_token: Annotated[SecretStr, BeforeValidator(stripped), AfterValidator(check_web_token)] | None = (
        Field(
            default=None,
            description="Token by which the workers know each other's calls, the same for all. Unset: the "
            "web token.",
        )
    )
    cluster_token_file: Annotated[Path, AfterValidator(absolute)] | None = Field(
        default=None, description="File that holds that token instead, read when a worker starts."
    )
    security_protocol: Annotated[SecurityProtocol, BeforeValidator(upper)] = Field(
        default=SecurityProtocol.PLAINTEXT,
        description="How to talk to the broker: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.",
    )
    sasl_mechanism: Annotated[SaslMechanism, BeforeValidator(upper)] = Field(
        default=SaslMechanism.SCRAM_SHA_512,
        description="Login mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.",
    )
    sasl_username: str | None = Field(default=None, description="User name at the broker.")
    sasl_password: SecretStr | None = Field(default=None, description="Password at the broker.")
    tls_ca_file: ReadableFile | None = Field(
        default=None,
        description="PEM file with the authorities that sign the certificates of broker and schema registry. "
        "Unset: the system's.",
    )
    tls_certificate_file: ReadableFile | None = Field(
        default=None, description="PEM file with this client's certificate, where the broker asks for one."
    )
    tls_key_file: ReadableFile | None = Field(
        default=None, description="PEM file with the private key of this client's certificate."
    )
    tls_key_password: SecretStr | None = Field(default=None, description="Password of the private key.")
    session_timeout: float = Field(
        default=15.0,
        ge=1.0,
        # Kafka's own most, group.max.session.timeout.ms, by default.
        le=1800.0,
        description="Seconds after which a silent worker is given up and its partitions go to another.",
    )
    startup_timeout: PositiveFloat = Field(
        default=60.0, description="Seconds a starting worker waits for broker and schema registry to answer."
    )
    other_events: Annotated[Literal["ignore", "dead-letter"], BeforeValidator(lower)] = Field(
        default="ignore",
        description="What becomes of documented events outside the twelve: ignore (counted) or dead-letter.",
    )
    pii: Annotated[Literal["keep", "drop"], BeforeValidator(lower)] = Field(
        default="keep",
        description="Whether fields marked as personal data are written (keep) or nulled (drop).",
    )
    unknown_definition: UnknownDefinition = Field(
        default=UnknownDefinition.NO_SCORE,
        description="Results of an outcome that no event told of: no-score, or canvas-default (highest,"
        " mastery at 3 of 5, marked as assumed).",
    )
    new_decaying_average: bool = Field(
        default=True,
        description="Whether Canvas's feature flag outcomes_new_decaying_average_calculation is on.",
    )
    account_level_scales: bool = Field(
        default=False,
        description="Whether Canvas's feature flag account_level_mastery_scales is on: proficiencies replace"
        " the outcomes' own scales.",
    )
    accounts: dict[str, AccountSettings] = Field(
        default={},
        description="The three settings above for single root accounts, as JSON by their uuid, for example"
        ' {"7a91b2": {"account_level_scales": true}}.',
    )
    partitions: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=12, description="Partitions of every topic that is made; of the result topics for life."
    )
    replication_factor: Annotated[int, Field(ge=1, le=32)] | None = Field(
        default=None,
        description="Copies of every topic that is made, for example 3. Unset: the broker's default.",
    )
    min_insync_replicas: Annotated[int, Field(ge=1, le=32)] | None = Field(
        default=None, description="min.insync.replicas of topics that are made. Unset: the broker's default."
    )
    raw_retention_days: PositiveInt = Field(default=14, description="Days the raw topic keeps events.")
    dead_letter_retention_days: PositiveInt = Field(default=30, description="Days dead letters are kept.")
    typed_retention_days: PositiveInt = Field(
        default=400, description="Days typed topics are kept, apart from result and definition topics."
    )
    state_retention_days: PositiveInt | None = Field(
        default=None,
        description="Days result and definition topics are kept; unset: for ever. State is made from them.",
    )
    max_message_bytes: int = Field(
        default=MEBIBYTE,
        ge=16 * 1024,
        le=512 * MEBIBYTE,
        description="Largest record of raw and typed topics; the dead-letter topic takes 1 MiB more.",
    )
    checkpoint_interval: float = Field(
        default=0.025,
        gt=0,
        le=1,
        description="Shortest time in seconds between two checkpoints, at most 1; more gathers more in each.",
    )
    fetch_max_records: PositiveInt = Field(
        default=4_000, description="Most records of one partition that are worked on at a time."
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(upper)] = Field(
        default="INFO", description="Least severe log line that is written: DEBUG, INFO, WARNING or ERROR."
    )
    log_format: Annotated[Literal["text", "json"], BeforeValidator(lower)] = Field(
        default="text", description="Form of a worker's log on stderr: text, or json (one object a line)."
    )

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        """Refuse halves of settings that only make sense together; the message names what is missing."""
        if self.security_protocol.sasl:
            for name in ("sasl_username", "sasl_password"):
                if getattr(self, name) is None:
                    message = f"{variable(name)} is needed with {self.security_protocol}"
                    raise ValueError(message)
        elif self.sasl_password is not None:
            # Otherwise the login would be left out without a word, and the broker's answer would not tell.
            message = f"{variable('sasl_password')} is set, but {variable('security_protocol')} is not SASL_*"
            raise ValueError(message)
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            message = f"{variable('tls_certificate_file')} and {variable('tls_key_file')} are needed together"
            raise ValueError(message)
        for name in ("web_token", "cluster_token"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                message = f"{variable(name)} and {variable(f'{name}_file')} are both set: keep one"
                raise ValueError(message)
        self._check_proxy()
        registry_tls = (self.schema_registry_url or "").startswith("https://")
        if self.tls_ca_file is not None and not (self.security_protocol.tls or registry_tls):
            message = f"{variable('tls_ca_file')} is set, but {variable('security_protocol')} has no SSL"
            raise ValueError(message)
        return self

    def _check_proxy(self) -> None:
        """A header that nobody is trusted with, or no header from the trusted, would let nobody in."""
        if (self.web_proxy_user_header is None) != (not self.web_trusted_proxies):
            first, second = variable("web_proxy_user_header"), variable("web_trusted_proxies")
            message = f"{first} and {second} are needed together"
            raise ValueError(message)
        for name in ("web_proxy_role_header", "web_proxy_secret"):
            if getattr(self, name) is not None and self.web_proxy_user_header is None:
                message = f"{variable(name)} is set, but {variable('web_proxy_user_header')} is not"
                raise ValueError(message)

    @property
    def mastery_rules(self) -> MasteryRules:
        """How scores are computed, as far as events do not tell."""
        default = AccountRules(
            new_decaying_average=self.new_decaying_average,
            account_level_scales=self.account_level_scales,
            unknown_definition=self.unknown_definition,
        )
        return MasteryRules(
            default,
            {
                uuid: replace(default, **account.model_dump(exclude_none=True))
                for uuid, account in self.accounts.items()
            },
        )

    @property
    def group_id(self) -> str:
        """Consumer group of the workers, and the beginning of their transactional ids."""
        return f"{self.topic_prefix}{self.app_id}"

    @property
    def raw_topic_name(self) -> str:
        """Topic that the raw events come in on."""
        return self.raw_topic or f"{self.topic_prefix}live-events"

    @property
    def dead_letter_topic(self) -> str:
        """Topic of the records that could not be understood."""
        return f"{self.topic_prefix}dead-letter"

    @property
    def replays_topic(self) -> str:
        """Compacted topic with a mark for each dead letter that was sent to the raw topic again."""
        return f"{self.topic_prefix}dead-letter-replays"

    @property
    def max_dead_letter_bytes(self) -> int:
        """Largest record of the dead-letter topic: it holds a raw record and the headers that are added."""
        return self.max_message_bytes + MEBIBYTE

    @property
    def result_topics(self) -> tuple[str, str]:
        """Topics that the mastery rows are made from."""
        return (
            self.typed_topic("learning_outcome_result_created"),
            self.typed_topic("learning_outcome_result_updated"),
        )

    @property
    def changelog_topic(self) -> str:
        """Compacted topic that the state of mastery is restored from."""
        return f"{self.topic_prefix}mastery-changelog"

    @property
    def rows_folder(self) -> Path:
        """Where a worker keeps the rows and definitions of mastery, below its state folder."""
        return self.state_dir / "mastery"

    @property
    def commands_topic(self) -> str:
        """Topic of what is to be done with a student's rows: forget them."""
        return f"{self.topic_prefix}mastery-commands"

    @property
    def row_topics(self) -> tuple[str, ...]:
        """All topics that change the mastery rows: partition by partition, they have one reader."""
        return (*self.result_topics, self.commands_topic)

    @property
    def input_topics(self) -> tuple[str, ...]:
        """All topics that the group reads and commits."""
        return (self.raw_topic_name, *self.row_topics)

    @property
    def schemas_topic(self) -> str:
        """Compacted topic with the schemas and the mode (registry or local) of the typed topics."""
        return f"{self.topic_prefix}schemas"

    def typed_topic(self, name: str) -> str:
        """Topic of one event, named by Canvas's own event name; or a derived topic."""
        return f"{self.topic_prefix}{name}"

    def subject(self, topic: str) -> str:
        """Registry subject of a topic's values (TopicNameStrategy)."""
        return f"{topic}-value"
