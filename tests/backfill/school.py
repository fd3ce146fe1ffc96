"""A made-up school, and what its Canvas would export at a moment: tables of Canvas Data 2, or REST answers.

Made of what the school's generator knows of each event, with nothing of the code that reads exports.
"""

import csv
import gzip
import json
import random
from collections import defaultdict
from datetime import UTC, datetime
from itertools import islice

import msgspec

from app.events.decode import EventDecoder
from app.schemas.contract import load_contract
from app.schemas.models import build_models
from app.school.fates import Typed
from app.school.model import Generation
from app.school.stream import Plan, school_records

CONTRACT = load_contract()
DECODER = EventDecoder(CONTRACT, build_models(CONTRACT))
IDS = {
    "learning_outcome": "learning_outcome_id",
    "learning_outcome_group": "learning_outcome_group_id",
    "learning_outcome_link": "learning_outcome_link_id",
    "outcome_proficiency": "outcome_proficiency_id",
    "learning_outcome_result": "id",
}
DEFINING = [kind for kind in IDS if kind != "learning_outcome_result"]


def decoded(raw):
    """An event as a dict, as the oracle takes it."""
    record = DECODER(raw)
    return {**msgspec.to_builtins(record, builtin_types=(datetime,)), "event_id": record.event_id}


def made_school(seed=1, events=1500, accounts=2, students=20, days=30):
    """The deliveries of a school: (raw, event), in the order in which they arrive."""
    plan = Plan(seed, events, students, accounts, days=days, bad_share=0, huge=False)
    records = islice(school_records(plan), events)
    return [(record.raw, record.fate.event) for record in records if isinstance(record.fate, Typed)]


def kind_of(event):
    return event.name.removesuffix("_created").removesuffix("_updated")


def happened(event):
    """When, in milliseconds."""
    return event.metadata["event_time"]


def order(event):
    """Later states of a row are greater."""
    updated = event.body.get("updated_at")
    return (updated is not None, updated or 0, happened(event))


def text(moment):
    return (
        datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


class School:
    """The rows of one root account as they are at a moment (milliseconds); None for the end."""

    def __init__(self, deliveries, root, moment=None, seed=0):
        self.root = root
        self._dice = random.Random(seed)
        events = {id(event): event for _, event in deliveries if event.root is root}.values()
        known = [event for event in events if moment is None or happened(event) <= moment]
        #: The latest event of each row, and when it was created, by kind and identity.
        self.rows = defaultdict(dict)
        self.created = {}
        for event in sorted(known, key=order):
            if (kind := kind_of(event)) in IDS:
                key = self.identity(kind, event)
                self.rows[kind][key] = event
                if event.name.endswith("_created"):
                    self.created[kind, key] = happened(event)
        self.users = {}
        for event in self.rows["learning_outcome_result"].values():
            self.users.setdefault(event.body.get("user_uuid"), str(len(self.users) + 7000))
        self.courses = {
            event.body["result_context_id"]: event.body["result_context_uuid"]
            for event in self.rows["learning_outcome_result"].values()
            if "result_context_id" in event.body
        }
        for kind in DEFINING:
            for event in self.rows[kind].values():
                if event.body.get("context_type") == "Course" and "context_uuid" in event.body:
                    self.courses[event.body["context_id"]] = event.body["context_uuid"]

    def identity(self, kind, event):
        if IDS[kind] in event.body:
            return event.body[IDS[kind]]
        names = ("user_uuid", "learning_outcome_id", "artifact_type", "artifact_id")
        return tuple(
            event.body.get(name) for name in (*names, "associated_asset_type", "associated_asset_id")
        )

    def times(self, kind, key, event):
        """When the row was made and changed; an older Canvas keeps fractions that its events do not tell."""
        updated, created = event.body.get("updated_at"), event.body.get("created_at")
        if created is None:
            created = self.created.get((kind, key), happened(event) - 5000) - 50
        if updated is None:
            updated = created
        elif self.root.generation < Generation.NEWEST:
            updated += self._dice.randint(0, min(999, max(0, happened(event) - updated)))
        return {"created_at": text(created), "updated_at": text(updated)}

    # --- Canvas Data 2 ---

    def tables(self):
        """Rows of all tables, by name."""
        make = {
            "learning_outcome": ("learning_outcomes", self._outcome),
            "learning_outcome_group": ("learning_outcome_groups", self._group),
            "learning_outcome_link": ("content_tags", self._link),
            "outcome_proficiency": ("outcome_proficiencies", self._proficiency),
            "learning_outcome_result": ("learning_outcome_results", self._result),
        }
        found = {}
        for kind, (table, row) in make.items():
            found[table] = [
                {**row(event.body, number), **self.times(kind, key, event)}
                for number, (key, event) in enumerate(self.rows[kind].items(), 1)
            ]
        found["outcome_proficiency_ratings"] = [
            {
                "id": rating["outcome_proficiency_rating_id"],
                "outcome_proficiency_id": event.body["outcome_proficiency_id"],
                **{
                    name: rating[name]
                    for name in ("description", "points", "mastery", "color", "workflow_state")
                },
            }
            for event in self.rows["outcome_proficiency"].values()
            for rating in event.body["outcome_proficiency_ratings"]
        ]
        root = self.root
        found["users"] = [
            {"id": number, "uuid": uuid, "sortable_name": "Doe, Ann", "name": "Ann Doe"}
            for uuid, number in self.users.items()
        ]
        found["accounts"] = [
            {"id": "1", "uuid": root.uuid, "parent_account_id": None, "name": 'The "School", Ltd'},
            *[
                {"id": one.id, "uuid": one.uuid, "parent_account_id": "1", "name": "D"}
                for one in root.departments
            ],
        ]
        found["courses"] = [
            {"id": number, "uuid": uuid, "course_code": "C", "name": "Line\nbreak"}
            for number, uuid in self.courses.items()
        ]
        return {name: rows for name, rows in found.items() if rows}

    def _outcome(self, body, _number):
        names = ("description", "display_name", "vendor_guid", "calculation_method", "calculation_int")
        names += ("context_id", "context_type", "workflow_state")
        return {
            "id": body["learning_outcome_id"],
            "short_description": body["title"],
            "data": {"rubric_criterion": body["rubric_criterion"]},
            **{name: body.get(name) for name in names},
        }

    def _group(self, body, _number):
        names = ("title", "description", "vendor_guid", "context_id", "context_type", "workflow_state")
        return {
            "id": body["learning_outcome_group_id"],
            "learning_outcome_group_id": body.get("parent_outcome_group_id"),
            **{name: body.get(name) for name in names},
        }

    def _link(self, body, _number):
        return {
            "id": body["learning_outcome_link_id"],
            "tag_type": "learning_outcome_association",
            "content_type": "LearningOutcome",
            "content_id": body["learning_outcome_id"],
            "associated_asset_type": "LearningOutcomeGroup",
            "associated_asset_id": body["learning_outcome_group_id"],
            **{name: body.get(name) for name in ("context_id", "context_type", "workflow_state")},
        }

    def _proficiency(self, body, _number):
        names = ("context_id", "context_type", "workflow_state")
        return {"id": body["outcome_proficiency_id"], **{name: body[name] for name in names}}

    def _result(self, body, number):
        names = (
            "learning_outcome_id",
            "workflow_state",
            "score",
            "possible",
            "percent",
            "mastery",
            "attempt",
        )
        names += ("original_score", "original_possible", "original_mastery", "artifact_id", "artifact_type")
        names += ("associated_asset_id", "associated_asset_type")
        return {
            "id": body.get("id", str(number)),
            "user_id": self.users[body.get("user_uuid")],
            # Some rows are as before Canvas kept it there.
            "user_uuid": body.get("user_uuid") if number % 2 else None,
            "assessed_at": text(body["assessed_at"]),
            "context_id": body.get("result_context_id"),
            "context_type": body.get("result_context_type"),
            "hidden": False,
            **{name: body.get(name) for name in names},
        }

    def write_tables(self, folder, form="csv", only=None):
        """Write the tables as `dap snapshot` does; `form` is csv, tsv, jsonl or parquet, .gz or not."""
        folder.mkdir(parents=True, exist_ok=True)
        for table, rows in self.tables().items():
            if only is None or table in only:
                _WRITERS[form.removesuffix(".gz")](folder / f"{table}.{form}", rows)

    # --- REST ---

    def rest(self):
        """What the REST API answers, by name of a file: pages that are objects, lists and lists of lists."""
        outcomes = [self._rest_outcome(event.body) for event in self.rows["learning_outcome"].values()]
        groups = [self._rest_group(event.body) for event in self.rows["learning_outcome_group"].values()]
        scales = [self._rest_scale(event.body) for event in self.rows["outcome_proficiency"].values()]
        pages = defaultdict(list)
        for event in self.rows["learning_outcome_result"].values():
            if event.body["workflow_state"] == "active":
                pages[event.body.get("result_context_id")].append(self._rest_result(event.body))
        files = {
            "outcomes": [outcomes[:3], outcomes[3:]],
            "outcome_groups": groups,
            "users": [
                {"id": int(number), "uuid": uuid, "name": "Ann"} for uuid, number in self.users.items()
            ],
            "account": {"id": 1, "uuid": self.root.uuid, "parent_account_id": None},
            "courses": [
                {"id": int(one), "uuid": uuid, "course_code": "C"} for one, uuid in self.courses.items()
            ],
        }
        for number, scale in enumerate(scales):
            files[f"scale_{number}"] = scale
        for course, results in pages.items():
            files[f"results_{course}"] = {
                "course_id": course,
                "outcome_results": results,
                "linked": {"outcomes": outcomes[:2], "users": [{"id": "7000", "name": "Ann"}]},
            }
        return files

    def write_rest(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, answer in self.rest().items():
            (folder / f"{name}.json").write_text(json.dumps(answer, indent=1))

    def _rest_outcome(self, body):
        criterion = body["rubric_criterion"]
        names = ("description", "display_name", "vendor_guid", "calculation_int", "title", "context_type")
        return {
            "id": int(body["learning_outcome_id"]),
            "context_id": body.get("context_id") and int(body["context_id"]),
            "calculation_method": body.get("calculation_method", "highest"),
            "can_edit": False,
            "has_updateable_rubrics": False,
            **{name: body.get(name) for name in names},
            **{name: criterion.get(name) for name in ("mastery_points", "points_possible", "ratings")},
        }

    def _rest_group(self, body):
        parent = body.get("parent_outcome_group_id")
        return {
            "id": int(body["learning_outcome_group_id"]),
            "title": body["title"],
            "context_id": body.get("context_id"),
            "context_type": body.get("context_type"),
            "subgroups_url": "/",
            **({"parent_outcome_group": {"id": int(parent), "title": "Up"}} if parent else {}),
        }

    def _rest_scale(self, body):
        names = ("description", "points", "mastery", "color")
        ratings = body["outcome_proficiency_ratings"]
        return {
            "data": {
                "account": {
                    "outcomeProficiency": {
                        "_id": body["outcome_proficiency_id"],
                        "contextId": body["context_id"],
                        "contextType": body["context_type"],
                        "proficiencyRatingsConnection": {
                            "nodes": [
                                {
                                    "_id": one["outcome_proficiency_rating_id"],
                                    **{name: one[name] for name in names},
                                }
                                for one in ratings
                            ]
                        },
                    }
                }
            }
        }

    def _rest_result(self, body):
        return {
            "id": int(body["id"]),
            **{name: body.get(name) for name in ("score", "possible", "percent", "mastery")},
            "hidden": False,
            "submitted_or_assessed_at": text(body["assessed_at"]),
            "links": {
                "user": self.users[body["user_uuid"]],
                "learning_outcome": body["learning_outcome_id"],
                "alignment": "assignment_5",
            },
        }


def _open(path):
    return gzip.open(path, "wt", newline="") if path.suffix == ".gz" else path.open("w", newline="")


def _columns(rows):
    return list(dict.fromkeys(name for row in rows for name in row))


def _cell(value):
    if isinstance(value, dict):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else value


def _csv(path, rows):
    names = _columns(rows)
    with _open(path) as file:
        lines = csv.writer(file)
        lines.writerow(["meta.ts", *["key.id" if name == "id" else f"value.{name}" for name in names]])
        for row in rows:
            lines.writerow(["2026-01-01T00:00:00Z", *[_cell(row.get(name)) for name in names]])


def _tsv(path, rows):
    names = _columns(rows)
    with _open(path) as file:
        file.write("\t".join(names) + "\n")
        for row in rows:
            cells = [r"\N" if row.get(name) is None else str(_cell(row[name])) for name in names]
            escaped = [
                cell if cell == r"\N" else cell.replace("\\", r"\\").replace("\n", r"\n") for cell in cells
            ]
            file.write("\t".join(escaped) + "\n")


def _jsonl(path, rows):
    with _open(path) as file:
        for row in rows:
            value = {name: one for name, one in row.items() if name != "id" and one is not None}
            line = {"key": {"id": int(row["id"])}, "value": value, "meta": {"action": "U"}}
            file.write(json.dumps(line) + "\n")


def _parquet(path, rows):
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {}
    for name in _columns(rows):
        values = [row.get(name) for row in rows]
        if name.endswith("_at"):
            values = [value and datetime.fromisoformat(value) for value in values]
        elif any(isinstance(value, dict) for value in values):
            values = [value and json.dumps(value) for value in values]
        columns["key.id" if name == "id" else f"value.{name}"] = values
    pq.write_table(pa.table(columns), path)


_WRITERS = {"csv": _csv, "tsv": _tsv, "jsonl": _jsonl, "parquet": _parquet}
