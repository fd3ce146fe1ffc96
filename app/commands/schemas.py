"""`mastery schemas`: the Avro schemas of the typed topics, here and where they are kept."""

import json
from pathlib import Path

import click

from app.access import tasks
from app.commands.at_broker import at_broker
from app.commands.output import print_json, print_table
from app.errors import MasteryError
from app.schemas.compatibility import Incompatibility
from app.schemas.contract import load_contract
from app.schemas.registry import SubjectState, prepare_schemas, survey
from app.schemas.registry_errors import IncompatibleSchema
from app.schemas.released import check_released
from app.settings import load_settings

__all__ = ["schemas"]


@click.group()
def schemas() -> None:
    """List, check, register and export the Avro schemas of the typed topics.

    They are kept in the schema registry, if one is set, else in the topic of schemas.
    """


@schemas.command("list", short_help="Show the versions that are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
@at_broker(tasks.read_schemas)
def list_(as_json: bool) -> None:
    """Show every version that is kept of each subject, and whether this release's schema is among them."""
    mode, states = survey(load_settings(), load_contract())
    if as_json:
        print_json([_state(state) | {"mode": mode} for state in states])
        return
    rows: list[tuple[object, ...]] = []
    for state in states:
        current = state.found.version if state.found is not None else None
        rows += [
            (
                state.subject,
                known.version,
                known.schema_id,
                "current" if known.version == current else "other",
            )
            for known in state.versions
        ]
        if state.found is None:
            rows.append((state.subject, None, None, "incompatible" if state.problems else "not kept yet"))
    print_table(("SUBJECT", "VERSION", "ID", "STATE"), rows, right=("VERSION", "ID"))


@schemas.command(short_help="Look for incompatible changes.")
@click.option("--offline", is_flag=True, help="Compare with the released versions only; needs no broker.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array of what does not fit.")
@at_broker(tasks.read_schemas, when=lambda given: not given["offline"])
def check(offline: bool, as_json: bool) -> None:
    """Compare this release's schemas with all released versions, and with all that are kept.

    Exit status 1 when one could not read another's records, in either direction.
    """
    contract = load_contract()
    problems: list[Incompatibility] = list(check_released(contract))
    if not offline:
        _, states = survey(load_settings(), contract)
        problems += [problem for state in states for problem in state.problems]
    if as_json:
        print_json([_problem(problem) for problem in problems])
    if problems:
        if not as_json:
            for problem in problems:
                click.echo(str(problem))
        raise IncompatibleSchema(
            f"{len(problems)} incompatible changes",
            problems,
            hint="keep fields and types as they were; what is new must be nullable with default null",
        )
    if not as_json:
        click.echo(f"{len(contract.topics)} schemas fit")


@schemas.command(short_help="Register the schemas, as a worker does.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: event to id.")
@at_broker(tasks.register_schemas)
def register(as_json: bool) -> None:
    """Register the schemas, or write them to the topic of schemas, as a worker does at its start.

    With a registry: sets FULL_TRANSITIVE on the subjects. A worker then needs no permission to write there.
    """
    ids = prepare_schemas(load_settings(), load_contract())
    if as_json:
        print_json(dict(ids.by_name))
        return
    print_table(("EVENT", "ID"), list(ids.by_name.items()), right=("ID",))


@schemas.command(short_help="Write each event's schema to a file.")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def export(folder: Path) -> None:
    """Write each event's schema, complete in itself, to DIR/<event>.avsc. Needs no broker."""
    contract = load_contract()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for event in contract.topics.values():
            text = json.dumps(event.schema, indent=2, ensure_ascii=False) + "\n"
            (folder / f"{event.name}.avsc").write_text(text, encoding="utf-8")
    except OSError as error:
        raise MasteryError(
            f"cannot write to {folder}: {error.strerror}", hint="name a folder that can be written to"
        ) from None
    click.echo(f"{len(contract.topics)} schemas written to {folder}")


def _state(state: SubjectState) -> dict[str, object]:
    return {
        "event": state.schema.name,
        "subject": state.subject,
        "current": state.found.version if state.found is not None else None,
        "versions": [{"version": known.version, "id": known.schema_id} for known in state.versions],
        "problems": [_problem(problem) for problem in state.problems],
    }


def _problem(problem: Incompatibility) -> dict[str, str]:
    return {
        "subject": problem.subject,
        "reader": problem.reader,
        "writer": problem.writer,
        "path": problem.path,
        "rule": problem.rule,
        "detail": problem.detail,
    }
