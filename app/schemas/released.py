"""What consumers of the typed topics rely on: `avro/released/<event>/<version>.avsc`.

A released file is a copy of a self-contained schema and is never changed. The contract may only grow in ways
in which every released version and the present one read each other's data (FULL_TRANSITIVE); `check_released`
says where that does not hold, and `unreleased` which events have changed since their newest release.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.schemas.compatibility import Incompatibility, Rule, full_incompatibilities
from app.schemas.contract import Contract, ContractError, contract_root, load_contract, local_schema_id

__all__ = ["check_released", "load_released", "release", "unreleased"]

CURRENT = "current"


def load_released(root: Path | None = None) -> Mapping[str, Mapping[int, dict[str, Any]]]:
    """Event name -> version (from 1, without gaps) -> self-contained schema; `root` as in `load_contract`.

    Raises ContractError, naming the file, when one is unreadable or out of place.
    """
    folder = _folder(root)
    return {place.name: _load_versions(place) for place in sorted(folder.glob("*")) if place.is_dir()}


def check_released(contract: Contract, root: Path | None = None) -> list[Incompatibility]:
    """What breaks consumers: between any two of an event's released versions and its present schema.

    Besides Avro's rules, an event must stay, and so must its record key.
    """
    found: list[Incompatibility] = []
    for event_name, released in load_released(root).items():
        versions: dict[str, Any] = {f"version {number}": schema for number, schema in released.items()}
        if event_name not in contract.topics:
            newest = list(versions)[-1]
            detail = "it was released and is gone"
            found.append(Incompatibility(event_name, CURRENT, newest, "", Rule.EVENT_REMOVED, detail))
            continue
        versions[CURRENT] = contract.topics[event_name].schema
        found += full_incompatibilities(event_name, versions)
        found += _key_changes(event_name, versions)
    return found


def unreleased(contract: Contract, root: Path | None = None) -> list[str]:
    """Events whose present schema differs from the newest released one by more than its docs."""
    released = load_released(root)
    return [
        name
        for name, event in contract.topics.items()
        if name not in released or local_schema_id(list(released[name].values())[-1]) != event.local_id
    ]


def release(contract: Contract, root: Path | None = None) -> list[Path]:
    """Write the next version of every event that changed; returns the new files.

    Raises ContractError when that would break consumers; then nothing is written.
    """
    if found := check_released(contract, root):
        raise ContractError(
            f"not released, {len(found)} incompatible changes; the first: {found[0]}",
            hint="keep fields, types and keys as they were; what is new must be nullable with default null",
        )
    released = load_released(root)
    written = []
    for name in unreleased(contract, root):
        path = _folder(root) / name / f"{len(released.get(name, ())) + 1}.avsc"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps(contract.topics[name].schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        written.append(path)
    return written


def _folder(root: Path | None) -> Path:
    return (contract_root() if root is None else root) / "avro" / "released"


def _load_versions(place: Path) -> dict[int, dict[str, Any]]:
    files = {path.name: path for path in place.glob("*.avsc")}
    versions = {}
    for number in range(1, len(files) + 1):
        path = files.get(f"{number}.avsc")
        if path is None:
            raise ContractError(f"{place.name}: released versions must be numbered from 1 without gaps")
        try:
            versions[number] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ContractError(f"{place.name}/{path.name}: not readable as JSON") from error
    if not versions:
        raise ContractError(f"{place.name}: a folder of released versions without any")
    return versions


def _key_changes(event_name: str, versions: Mapping[str, Any]) -> list[Incompatibility]:
    (first, first_schema), *others = versions.items()
    return [
        Incompatibility(event_name, label, first, "", Rule.RECORD_KEY, "the record key changed")
        for label, schema in others
        if schema.get("mastery.key") != first_schema.get("mastery.key")
    ]


if __name__ == "__main__":
    for path in release(load_contract()):
        sys.stdout.write(f"{path}\n")
