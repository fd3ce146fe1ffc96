"""Settings read from the environment, and shown to people."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import SecretStr, ValidationError

from app.errors import MasteryError
from app.settings.model import Settings
from app.settings.variables import PREFIX, variable

__all__ = ["SettingInfo", "SettingsError", "describe", "load_settings", "unknown_variables"]

HIDDEN = "******"


class SettingsError(MasteryError):
    """A setting that cannot be used. The message names the variable, never a secret's value."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class SettingInfo:
    """One setting as a person sees it. `source` is `environment`, `argument` or `default`."""

    name: str
    env: str
    value_shown: str
    source: Literal["environment", "argument", "default"]
    description: str


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment; `overrides` (by field name) win over it.

    Raises `SettingsError` with one line that names the variable.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = [_problem(detail["loc"], detail["msg"]) for detail in error.errors(include_input=False)]
        raise SettingsError(
            "; ".join(dict.fromkeys(problems)), hint="`mastery settings` explains every variable"
        ) from None


def _problem(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    if not location:
        return text
    text = text[:1].lower() + text[1:]
    return f"{variable(str(location[0]))}: {text}"


def describe(settings: Settings) -> list[SettingInfo]:
    """Return every setting with its value and where that came from; secrets are shown as `******`."""
    infos = []
    for name, field in Settings.model_fields.items():
        source: Literal["environment", "argument", "default"] = "default"
        if name in settings.model_fields_set:
            # Not case-sensitive, like pydantic-settings itself.
            given = {key.upper() for key, value in os.environ.items() if value}
            source = "environment" if variable(name) in given else "argument"
        infos.append(
            SettingInfo(
                name, variable(name), _shown(getattr(settings, name)), source, field.description or ""
            )
        )
    return infos


def _shown(value: object) -> str:
    if value is None:
        return ""
    return HIDDEN if isinstance(value, SecretStr) else str(value)


def unknown_variables(environ: Mapping[str, str]) -> dict[str, str | None]:
    """Return the `MASTERY_*` variables that are no setting, each with the setting that was probably meant."""
    known = list(Settings.model_fields)
    names = {key: key[len(PREFIX) :].lower() for key in sorted(environ) if key.upper().startswith(PREFIX)}
    unknown = {key: name for key, name in names.items() if name not in known}
    # The prefix is left out of the comparison: it would make every name look like every other.
    meant = {key: next(iter(get_close_matches(name, known, n=1)), None) for key, name in unknown.items()}
    return {key: variable(name) if name else None for key, name in meant.items()}
