"""The parts of `docs/operating.md` that are made from the code: `python -m app.reference.operating`."""

import sys
from pathlib import Path

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from app.reference.fields import escaped
from app.reference.permissions import kafka_acls, roles
from app.schemas.contract import contract_root
from app.settings import Settings, variable
from app.topics import load_catalogue

__all__ = ["PAGE", "brought_up_to_date"]

PAGE = contract_root() / "docs" / "operating.md"


def brought_up_to_date(page: str) -> str:
    """Return the page with the text between each pair of marks made anew.

    Raises ValueError when a pair is not there.
    """
    for name, text in (("settings", _settings()), ("permissions", _permissions())):
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, found, rest = page.partition(begin)
        _, found_end, after = rest.partition(end)
        if not found or not found_end:
            raise ValueError(f"the page has no part between {begin} and {end}")
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


def _settings() -> str:
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default
        if default is PydanticUndefined or isinstance(default, SecretStr):
            raise AssertionError(f"the setting {name} has no default that can be shown")
        shown = "" if default is None else f"`{default}`"
        lines.append(f"| `{variable(name)}` | {shown} | {_text(field.description or '')} |")
    return "\n".join(lines)


def _text(description: str) -> str:
    """A description in a table; it may name a command in backticks."""
    return escaped(description).replace("\\`", "`")


def _permissions() -> str:
    settings = Settings.model_construct()
    parts = []
    for role in roles(settings, load_catalogue(settings)):
        commands = "\n".join(kafka_acls(role))
        parts.append(f"{role.name}:\n\n```bash\n{commands}\n```" + (role.note and f"\n\n{role.note}"))
    return "\n\n".join(parts)


def _main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    path.write_text(brought_up_to_date(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    _main()
