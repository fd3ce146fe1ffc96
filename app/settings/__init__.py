"""The settings: read from `MASTERY_*` variables, described, checked before anything runs.

`types` has the kinds of values; `stream`, `web` and `receive` describe every setting, `model` puts them into
one class; `reading` is how they are read and shown.
"""

from app.settings.model import Settings
from app.settings.reading import SettingInfo, SettingsError, describe, load_settings, unknown_variables
from app.settings.types import SaslMechanism, SecurityProtocol, check_web_token
from app.settings.variables import PREFIX, variable

__all__ = [
    "PREFIX",
    "SaslMechanism",
    "SecurityProtocol",
    "SettingInfo",
    "Settings",
    "SettingsError",
    "check_web_token",
    "describe",
    "load_settings",
    "unknown_variables",
    "variable",
]
