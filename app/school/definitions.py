"""Events of what results rest on: outcomes, groups, links and mastery scales, each a snapshot of a row."""

from typing import Any

from app.school.circumstances import Circumstances
from app.school.dice import Dice
from app.school.model import Course, Event, Group, Link, Outcome, Proficiency, RootAccount

__all__ = ["Definitions"]


class Definitions:
    """Makes the events. `created` says which of the two, `course` whose teacher did it (None: an admin)."""

    def __init__(self, dice: Dice, circumstances: Circumstances) -> None:
        self._dice = dice
        self._circumstances = circumstances

    def outcome(
        self, root: RootAccount, outcome: Outcome, time: int, course: Course | None = None, *, created: bool
    ) -> Event:
        """An outcome, with whatever its method and scale are."""
        criterion: dict[str, Any] = {"description": outcome.title}
        if outcome.mastery_points is not None:
            criterion["mastery_points"] = outcome.mastery_points
        if outcome.points_possible is not None:
            criterion["points_possible"] = outcome.points_possible
        criterion["ratings"] = [{"description": text, "points": points} for text, points in outcome.ratings]
        body: dict[str, Any] = {
            "learning_outcome_id": outcome.id,
            "title": outcome.title,
            "short_description": outcome.title,
            # Both may be empty, which is not the same as null.
            "display_name": "",
            "description": f"<p>The student {outcome.title.lower()}.</p>",
            "workflow_state": outcome.state,
            "rubric_criterion": criterion,
        }
        optional = {
            "vendor_guid": outcome.vendor_guid,
            "calculation_method": outcome.method,
            "calculation_int": outcome.number,
            "copied_from_outcome_id": outcome.copied_from,
            "original_outcome_root_account_uuid": outcome.copied_from_root,
        }
        body |= {name: value for name, value in optional.items() if value is not None}
        if outcome.context is not None:
            kind, local, uuid = outcome.context
            body |= {"context_id": local, "context_type": kind, "context_uuid": uuid}
        return self._event(root, "learning_outcome", outcome.id, body, time, course, created=created)

    def group(
        self, root: RootAccount, group: Group, time: int, course: Course | None = None, *, created: bool
    ) -> Event:
        """A group of outcomes."""
        body: dict[str, Any] = {
            "learning_outcome_group_id": group.id,
            "title": group.title,
            "workflow_state": group.state,
        }
        if group.context is not None:
            kind, local, uuid = group.context
            body |= {"context_id": local, "context_type": kind, "context_uuid": uuid}
        if group.parent is not None:
            body["description"] = f"All of {group.title}"
            body["parent_outcome_group_id"] = group.parent.id
            if group.parent.context is not None:
                body["parent_outcome_group_context_uuid"] = group.parent.context.uuid
        return self._event(root, "learning_outcome_group", group.id, body, time, course, created=created)

    def link(
        self, root: RootAccount, link: Link, time: int, course: Course | None = None, *, created: bool
    ) -> Event:
        """An outcome that is put into a group, or taken out of it."""
        body: dict[str, Any] = {
            "learning_outcome_link_id": link.id,
            "learning_outcome_id": link.outcome.id,
            "learning_outcome_group_id": link.group.id,
            "context_id": link.context.id if link.context else link.group.id,
            "context_type": link.context.type if link.context else "LearningOutcomeGroup",
            "workflow_state": link.state,
        }
        if link.outcome.context is not None:
            body["learning_outcome_context_uuid"] = link.outcome.context.uuid
        if link.group.context is not None:
            body["learning_outcome_group_context_uuid"] = link.group.context.uuid
        return self._event(root, "learning_outcome_link", link.id, body, time, course, created=created)

    def proficiency(
        self, root: RootAccount, scale: Proficiency, time: int, course: Course | None = None, *, created: bool
    ) -> Event:
        """A mastery scale; a deleted one has no ratings left."""
        ratings = [
            {
                "outcome_proficiency_rating_id": number,
                "description": text,
                "points": points,
                "mastery": mastery,
                "color": color,
                "workflow_state": "active",
            }
            for number, text, points, mastery, color in scale.ratings
            if scale.state == "active"
        ]
        body = {
            "outcome_proficiency_id": scale.id,
            "context_type": scale.context.type,
            "context_id": scale.context.id,
            "workflow_state": scale.state,
            "outcome_proficiency_ratings": ratings,
        }
        return self._event(root, "outcome_proficiency", scale.id, body, time, course, created=created)

    def _event(
        self,
        root: RootAccount,
        kind: str,
        number: str,
        body: dict[str, Any],
        time: int,
        course: Course | None,
        *,
        created: bool,
    ) -> Event:
        name = f"{kind}_created" if created else f"{kind}_updated"
        if not created:
            body["updated_at"] = root.row_time(time - self._dice.between(20, 900))
        if self._dice.chance(0.1):
            metadata = self._circumstances.job(root, name, time, "OutcomeImport#run")
        else:
            metadata = self._circumstances.request(root, name, time, f"{kind}s/{number}", course)
        return Event(name, metadata, body, f"{root.uuid}:{number}", root)
