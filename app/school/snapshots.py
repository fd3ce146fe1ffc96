"""Events of grading: results in the form of each generation of Canvas, and rubric assessments."""

from typing import Any

from app.school.circumstances import Circumstances
from app.school.dice import Dice
from app.school.model import Course, Event, Generation, Result, RootAccount
from app.school.term import SECOND

__all__ = ["Snapshots"]

_RUBRIC_JOB = "RubricAssessment#update_outcomes_for_assessment"
_QUIZ_JOB = "Quizzes::SubmissionGrader#update_outcomes"


class Snapshots:
    """Makes the events, as the rows are at the moment of asking."""

    def __init__(self, dice: Dice, circumstances: Circumstances) -> None:
        self._dice = dice
        self._circumstances = circumstances

    def result(self, root: RootAccount, course: Course, result: Result, time: int, *, created: bool) -> Event:
        """A student's result. Without a score it carries none: null and missing are the same."""
        name = "learning_outcome_result_created" if created else "learning_outcome_result_updated"
        outcome, score, possible = result.outcome, result.score, result.possible
        body: dict[str, Any] = {
            "learning_outcome_id": outcome.id,
            "possible": possible,
            "original_possible": possible,
            "attempt": result.attempt,
            "assessed_at": result.assessed_at,
            "created_at": result.created_at,
        }
        if score is not None:
            body["score"] = score
            body["percent"] = round(score / possible, 4)
            body["mastery"] = _mastered(result, score)
        if result.original_score is not None:
            body["original_score"] = result.original_score
            body["original_mastery"] = _mastered(result, result.original_score)
        if not created:
            body["updated_at"] = result.changed_at
        if root.generation is Generation.OLDEST:
            # No student but in the title, no state, no id.
            body["title"] = f"Student {result.student.number}, {result.asset.title}"
            key = f"{root.uuid}::{outcome.id}"
        else:
            self._add_student(root, course, result, body)
            key = f"{root.uuid}:{result.student.uuid}"
        job = _RUBRIC_JOB if result.asset.type == "Assignment" else _QUIZ_JOB
        return Event(name, self._circumstances.job(root, name, time, job), body, key, root)

    def _add_student(self, root: RootAccount, course: Course, result: Result, body: dict[str, Any]) -> None:
        body["user_uuid"] = result.student.uuid
        body["workflow_state"] = result.state
        if result.outcome.context is not None:
            body["learning_outcome_context_uuid"] = result.outcome.context.uuid
        body["artifact_id"] = result.artifact
        body["artifact_type"] = result.artifact_type
        body["associated_asset_id"] = result.asset.id
        body["associated_asset_type"] = result.asset.type
        if root.generation is Generation.NEWEST:
            body["id"] = result.id
            body["result_context_type"], body["result_context_id"], body["result_context_uuid"] = (
                course.context
            )
            body["artifact_created_at"] = result.created_at - 3 * SECOND
            body["artifact_updated_at"] = max(result.assessed_at, result.created_at) - 2 * SECOND

    def rubric(
        self, root: RootAccount, course: Course, result: Result, time: int, assessment_type: str = "grading"
    ) -> Event:
        """The rubric assessment behind a result; that of a peer or a provisional one makes no result."""
        peer = assessment_type != "grading"
        number = root.next_id("rubric assessment") if peer else result.artifact
        body: dict[str, Any] = {
            "id": number,
            "aligned_to_outcomes": True,
            "artifact_id": result.artifact,
            "artifact_type": "Submission",
            "assessment_type": assessment_type,
            "context_uuid": course.context.uuid,
        }
        if assessment_type == "provisional_grade":
            body["artifact_type"] = "ModeratedGrading::ProvisionalGrade"
        if root.generation is Generation.NEWEST:
            body["attempt"] = result.attempt
            body["submitted_at"] = result.created_at - 3_600 * SECOND
            body["created_at"] = time - 5 * SECOND if peer else result.created_at - 3 * SECOND
            body["updated_at"] = time - self._dice.between(20, 900)
        path = f"courses/{course.context.id}/rubric_assessments/{number}"
        metadata = self._circumstances.request(root, "rubric_assessed", time, path, course)
        return Event("rubric_assessed", metadata, body, f"{root.uuid}:{number}", root)


def _mastered(result: Result, score: float) -> bool:
    possible, mastery = result.outcome.scale
    return score * possible >= mastery * result.possible
