"""Every setting of the project in one class, and the names that follow from them."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from app.settings.receive import ReceiveSettings
from app.settings.stream import MEBIBYTE, StreamSettings
from app.settings.variables import PREFIX
from app.settings.web import WebSettings

__all__ = ["Settings"]


# Fields come in the order of the last base first: so they are shown to people.
class Settings(ReceiveSettings, WebSettings, StreamSettings, BaseSettings):
    """All settings of one process, frozen. Each is read from `MASTERY_<NAME>`; empty counts as unset."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", hide_input_in_errors=True
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
