"""What else happens in a term: definitions change, courses are copied, Canvas tells of other things."""

from collections.abc import Iterator
from typing import Any

from app.school.circumstances import Circumstances
from app.school.definitions import Definitions
from app.school.dice import Dice
from app.school.model import Course, Event, RootAccount
from app.school.term import SECOND

__all__ = ["OTHER_EVENTS", "Upkeep"]

#: Events that Canvas documents and the fan-out ignores, with fields of their bodies.
OTHER_EVENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("logged_in", {"redirect_url": "https://school.example/"}),
    ("asset_accessed", {"asset_name": "Home", "category": "home", "role": "StudentEnrollment"}),
    ("submission_created", {"submission_id": "118", "assignment_id": "22", "attempt": 1, "late": False}),
    ("submission_updated", {"submission_id": "118", "assignment_id": "22", "attempt": 1, "score": 4.5}),
    ("grade_change", {"submission_id": "118", "grade": "4.5", "old_grade": None, "score": 4.5}),
    ("quiz_submitted", {"quiz_id": "12", "submission_id": "118"}),
    ("enrollment_created", {"enrollment_id": "31", "type": "StudentEnrollment", "workflow_state": "active"}),
    ("course_updated", {"course_id": "5", "name": "Biology 1", "workflow_state": "available"}),
    ("assignment_created", {"assignment_id": "22", "title": "Lab report 1", "points_possible": 10}),
    ("user_created", {"user_id": "9000002", "uuid": "a" * 40}),
    ("outcome_calculation_method_created", {"calculation_method": "highest", "calculation_int": None}),
    ("outcome_calculation_method_updated", {"calculation_method": "n_mastery", "calculation_int": 3}),
    ("outcome_friendly_description_created", {"learning_outcome_id": "1", "description": "Reads"}),
    ("logged_out", {}),
)
_STATES = ("active", "archived", "retired", "active", "deleted", "active")


class Upkeep:
    """Each method yields the events of one doing that begins at `time`."""

    def __init__(self, dice: Dice, circumstances: Circumstances, definitions: Definitions) -> None:
        self._dice = dice
        self._circumstances = circumstances
        self._definitions = definitions
        self._changes = 0
        self._others = 0

    def outcome(self, root: RootAccount, _course: Course, time: int) -> Iterator[Event]:
        """Change an outcome of the account: method, threshold, or state, up to deleted and back again."""
        dice = self._dice
        outcome = dice.pick(root.outcomes)
        self._changes += 1
        if self._changes % 3 == 0:
            model = dice.pick(root.outcomes)
            outcome.method, outcome.number = model.method, model.number
        elif self._changes % 3 == 1:
            possible, _ = outcome.scale
            outcome.mastery_points = possible * dice.between(2, 4) / 4
        else:
            outcome.state = _STATES[self._changes // 3 % len(_STATES)]
        yield self._definitions.outcome(root, outcome, time, created=False)

    def group(self, root: RootAccount, course: Course, time: int) -> Iterator[Event]:
        """Rename a group, or delete one and bring it back."""
        group = self._dice.pick(root.groups)
        if self._dice.chance(0.3):
            group.state = "active" if group.state == "deleted" else "deleted"
        else:
            group.title = f"{group.title.partition(' (')[0]} ({course.title})"
        yield self._definitions.group(root, group, time, created=False)

    def link(self, root: RootAccount, course: Course, time: int) -> Iterator[Event]:
        """Take an outcome out of a group, or put it back."""
        own = self._dice.chance(0.5)
        link = self._dice.pick(course.links if own else root.links)
        link.state = "active" if link.state == "deleted" else "deleted"
        yield self._definitions.link(root, link, time, course if own else None, created=False)

    def scale(self, root: RootAccount, _course: Course, time: int) -> Iterator[Event]:
        """Save a mastery scale: often nothing has changed; at times it is deleted, or the threshold moves."""
        dice = self._dice
        scale = dice.pick(root.proficiencies)
        if dice.chance(0.3):
            scale.state = "active" if scale.state == "deleted" else "deleted"
        elif dice.chance(0.5):
            threshold = dice.between(1, 2)
            scale.ratings = [
                (number, text, points, place == threshold, color)
                for place, (number, text, points, _, color) in enumerate(scale.ratings)
            ]
        yield self._definitions.proficiency(root, scale, time, created=False)

    def clone(self, root: RootAccount, course: Course, time: int) -> Iterator[Event]:
        """Copy a course whose alignments have to follow; one event does not name the new assignment."""
        name = "outcomes.retry_outcome_alignment_clone"
        new_course = root.next_id("course")
        for named in (True, True, False):
            number = root.next_id("resource link")
            body = {
                "original_course_uuid": course.context.uuid,
                "new_course_uuid": root.identifier("course", new_course),
                "new_course_resource_link_id": root.identifier("course link", new_course),
                "domain": root.host,
                "original_assignment_resource_link_id": root.identifier("original link", number),
                "status": "outcome_alignment_cloning",
            }
            key = None
            if named:
                body["new_assignment_resource_link_id"] = root.identifier("new link", number)
                key = f"{root.uuid}:{body['new_assignment_resource_link_id']}"
            path = f"courses/{new_course}/assignments"
            yield Event(name, self._circumstances.request(root, name, time, path, course), body, key, root)
            time += SECOND

    def other(self, root: RootAccount, course: Course, time: int) -> Iterator[Event]:
        """Tell of things that are none of this project's business."""
        for _ in range(3):
            name, body = OTHER_EVENTS[self._others % len(OTHER_EVENTS)]
            self._others += 1
            metadata = self._circumstances.request(root, name, time, "", course)
            yield Event(name, metadata, {**body, "context_uuid": course.context.uuid}, None, root)
            time += SECOND
