"""Settings of the stream: Kafka, schemas, topics, what becomes of events, and how scores are computed."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    model_validator,
)

from app.events.envelopes import check_envelopes
from app.mastery.rules import AccountRules, MasteryRules, UnknownDefinition
from app.settings.types import (
    AccountSettings,
    HttpUrl,
    ReadableFile,
    SaslMechanism,
    SecurityProtocol,
    TopicPart,
    absolute,
    addresses,
    lower,
    upper,
    user_and_password,
)
from app.settings.variables import variable

__all__ = ["MEBIBYTE", "StreamSettings"]

MEBIBYTE = 1024 * 1024


class StreamSettings(BaseModel):
    """What workers and commands need of Kafka, and what they do with events."""

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
    raw_envelope: Annotated[str, AfterValidator(check_envelopes)] = Field(
        default="none",
        description="What is opened to take events out of that do not arrive plain: none (they become dead "
        "letters that name it), auto (all but jwt), or names such as sqs,sns: docs/envelopes.md.",
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
    def _check_connection(self) -> Self:
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
        registry_tls = (self.schema_registry_url or "").startswith("https://")
        if self.tls_ca_file is not None and not (self.security_protocol.tls or registry_tls):
            message = f"{variable('tls_ca_file')} is set, but {variable('security_protocol')} has no SSL"
            raise ValueError(message)
        return self

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
