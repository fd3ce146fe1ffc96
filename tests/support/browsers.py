"""Which browser this machine has: Debian's, or the system's own. None is fetched."""

import shutil

__all__ = ["chromium_path", "why_no_browser"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium_path() -> str | None:
    """Return where a Chromium is."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


def why_no_browser() -> str | None:
    """Return why no browser can run on this machine, None when one can."""
    return None if chromium_path() else "chromium not found on the PATH"
