"""The reference of the topics, `docs/topics.md`: `python -m app.reference.topics > docs/topics.md`."""

import sys
import textwrap
from typing import Any

from app.events.errors import ErrorKind
from app.reference.derived import MASTERY, WHEN_DERIVED, derived_examples
from app.reference.examples import dead_letter_example, examples, laid_out
from app.reference.fields import body_table, escaped, metadata_table, value_table
from app.reference.texts import FAMILIES, INTRODUCTION, READING, WHEN, Family
from app.schemas.contract import NAMESPACE, Contract, load_contract
from app.settings import Settings
from app.topics import TopicSpec, load_catalogue

__all__ = ["render"]

_DAY_MS = 24 * 60 * 60 * 1000
_LAST_LINE = """\
---
Made from `avro/`, `topics/`, Canvas's examples and the code; to bring it up to date:
`python -m app.reference.topics > docs/topics.md`."""


def render() -> str:
    """The whole page in Markdown, for the contract of this installation and settings that nobody changed."""
    return _Page(load_contract(), Settings.model_construct()).text()


class _Page:
    def __init__(self, contract: Contract, settings: Settings) -> None:
        self._contract = contract
        self._settings = settings
        self._topics = load_catalogue(settings).topics
        self._examples = examples(contract, settings)
        self._derived = derived_examples(contract, settings)

    def text(self) -> str:
        events = self._contract.events
        told_of = [name for family in FAMILIES for name in family.events.values()]
        if sorted(told_of) != sorted(events) or sorted(WHEN) != sorted(events):
            raise AssertionError("app/reference/texts.py does not tell of the contract's events")
        parts = [INTRODUCTION, self._contents(), READING, self._kept(), self._common()]
        parts += [self._family(family) for family in FAMILIES]
        parts.append(self._mastery())
        parts += [self._others(), self._dead_letters(), _LAST_LINE]
        return "\n\n".join(parts) + "\n"

    def _contents(self) -> str:
        lines = ["| topic | a record appears when … |", "|---|---|"]
        for family in FAMILIES:
            anchor = _anchor(family.title)
            lines += [
                f"| [`{self._topic(name)}`](#{anchor}) | {escaped(WHEN[name])} |"
                for name in family.events.values()
            ]
        lines += [
            f"| [`{self._topic(name)}`](#{_anchor(MASTERY)}) | {escaped(text)} |"
            for name, text in WHEN_DERIVED.items()
        ]
        return "\n".join(lines)

    def _kept(self) -> str:
        settings = self._settings
        text = (
            f"By default every topic of an event has {settings.partitions} partitions (`MASTERY_PARTITIONS`) "
            "and is cleaned up by age, never compacted: all versions are there. Results and definitions "
            "(outcomes, groups, links, scales) are kept for ever (`MASTERY_STATE_RETENTION_DAYS`), the "
            f"other two topics for {settings.typed_retention_days} days (`MASTERY_TYPED_RETENTION_DAYS`). "
            "`mastery topics list` shows what holds where you are."
        )
        return f"### How long records stay\n\n{_wrapped(text)}"

    def _common(self) -> str:
        event = next(iter(self._contract.events.values()))
        about = escaped(event.schema["fields"][1]["type"]["doc"])
        text = f"Three fields: `event_id`, `metadata` and `body`. Metadata: {about}"
        return f"## In every record\n\n{_wrapped(text)}\n\n{metadata_table(event)}"

    def _family(self, family: Family) -> str:
        events = {short: self._contract.events[name] for short, name in family.events.items()}
        lines = [f"## {family.title}", "", "| topic | record | |", "|---|---|---|"]
        for event in events.values():
            record = f"`{NAMESPACE}.{event.record_name}`"
            lines.append(f"| `{self._topic(event.name)}` | {record} | {escaped(event.schema['doc'])} |")
        lines += ["", *(f"* {fact}" for fact in self._facts(family)), "", body_table(events), ""]
        for name in family.events.values():
            lines += [_folded(f"A record of {self._topic(name)}", self._examples[name]), ""]
        return "\n".join(lines).rstrip()

    def _mastery(self) -> str:
        text = (
            "What the stream makes of the results: how each student stands on each outcome, computed as "
            "Canvas does (how, and where it can differ from Canvas: [mastery.md](mastery.md)). The records "
            "have no `event_id` and no `metadata`."
        )
        lines = [f"## {MASTERY}", "", _wrapped(text)]
        for name, schema in self._contract.derived.items():
            topic, (template,) = self._topic(name), schema.schema["mastery.key"]
            lines += [
                "",
                f"### {topic}",
                "",
                escaped(schema.schema["doc"]),
                "",
                f"* record: `{NAMESPACE}.{schema.record_name}`",
                f"* key: `{template}`",
                f"* subject: `{self._settings.subject(topic)}`",
                f"* {_stay(self._topics[topic])}",
                "",
                value_table(schema),
                "",
                _folded(f"A record of {topic}", self._derived[name]),
            ]
        return "\n".join(lines)

    def _facts(self, family: Family) -> list[str]:
        names = list(family.events.values())
        templates = self._contract.events[names[0]].schema["mastery.key"]
        subjects = [self._settings.subject(self._topic(name)) for name in names]
        stays = {_stay(self._topics[self._topic(name)]) for name in names}
        if len(stays) > 1:
            raise AssertionError(f"{family.title}: topics that are kept differently cannot share a section")
        facts = [
            "key: " + ", else ".join(f"`{template}`" for template in templates),
            "subject: " + ", ".join(f"`{subject}`" for subject in subjects),
            *stays,
        ]
        if family.row_id is not None:
            facts.append(f"row: `metadata.root_account_uuid` and `body.{family.row_id}`")
        return [*facts, *family.notes]

    def _others(self) -> str:
        derived = {self._topic(name) for name in self._contract.derived}
        lines = ["## Other topics", "", "| topic | key | value | kept |", "|---|---|---|---|"]
        for spec in self._topics.values():
            if spec.event is None and spec.name not in derived:
                about = f"`{spec.name}`: {escaped(spec.description.strip())}"
                lines.append(f"| {about} | {escaped(spec.key)} | {escaped(spec.value)} | {_stay(spec)} |")
        text = (
            "A consumer without a schema registry gets the schemas from a worker's `/registry`, or from "
            f"`{self._settings.schemas_topic}` itself."
        )
        return "\n".join([*lines, "", _wrapped(text)])

    def _dead_letters(self) -> str:
        text = (
            f"A record of `{self._settings.dead_letter_topic}` has the raw record's bytes, key, timestamp "
            "and headers, and besides these headers, all UTF-8 text. Of several with one name the last "
            "counts: a record that was replayed and failed again has both."
        )
        headers = dead_letter_example(self._contract, self._settings)
        table = [
            "| header | example |",
            "|---|---|",
            *(f"| `{name}` | `{value}` |" for name, value in headers),
        ]
        kinds = f"Kinds of errors: {', '.join(f'`{kind}`' for kind in ErrorKind)}."
        return "\n".join(["## Dead letters", "", _wrapped(text), "", *table, "", _wrapped(kinds)])

    def _topic(self, event_name: str) -> str:
        return self._settings.typed_topic(event_name)


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_on_hyphens=False, break_long_words=False)


def _stay(spec: TopicSpec) -> str:
    """How long a topic's records stay, and in how many partitions."""
    partitions = "1 partition" if spec.partitions == 1 else f"{spec.partitions} partitions"
    if spec.group is not None:
        partitions += " (a number that never changes)"
    if spec.config["cleanup.policy"] == "compact":
        return f"{partitions}, compacted: the last record of each key stays"
    age = int(spec.config["retention.ms"])
    return f"{partitions}, kept {'for ever' if age < 0 else f'for {age // _DAY_MS} days'}"


def _folded(title: str, example: dict[str, Any]) -> str:
    return (
        f"<details><summary>{title}, as <code>mastery tail</code> shows key and value</summary>\n\n"
        f"```json\n{laid_out(example)}\n```\n\n</details>"
    )


if __name__ == "__main__":
    sys.stdout.write(render())
