"""The examples that Canvas's documentation gives of the twelve events, one JSON file each (see README.md)."""

import json
from dataclasses import dataclass
from importlib import resources

__all__ = ["Sample", "sample_events"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One example: `name` is `<document>-<event name>`, `raw` the JSON as Canvas would deliver it."""

    name: str
    event_name: str
    raw: bytes


def sample_events() -> list[Sample]:
    """All examples, in the order of their names."""
    files = sorted(resources.files(__name__).iterdir(), key=lambda file: file.name)
    return [_sample(file.name, file.read_bytes()) for file in files if file.name.endswith(".json")]


def _sample(file_name: str, raw: bytes) -> Sample:
    return Sample(file_name.removesuffix(".json"), json.loads(raw)["metadata"]["event_name"], raw)
