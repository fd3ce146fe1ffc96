"""The settings: read from `MASTERY_*` variables, described, checked before anything runs.

`types` has the kinds of values, `model` every setting, `reading` how they are read and shown.
"""

from app.settings.model import PREFIX, Settings, variable
from app.settings.reading import SettingInfo, SettingsError, describe, load_settings, unknown_variables
from app.settings.types import SaslMechanism, SecurityProtocol, check_web_token

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
