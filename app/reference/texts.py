"""What people write in `docs/topics.md`: how to read the topics, and when Canvas sends an event.

When Canvas sends what is known from its public documentation and from reading its published source code.
"""

from dataclasses import dataclass
from importlib import resources

__all__ = ["FAMILIES", "INTRODUCTION", "READING", "WHEN", "Family"]


def _text(file: str) -> str:
    return resources.files(__package__).joinpath(file).read_text(encoding="utf-8").rstrip()


INTRODUCTION = _text("introduction.md")
READING = _text("reading.md")


@dataclass(frozen=True, slots=True)
class Family:
    """Topics that tell of one kind of row: the events by a short name, the row's id, what to know."""

    title: str
    events: dict[str, str]
    row_id: str | None = None
    notes: tuple[str, ...] = ()


def _pair(title: str, kind: str, row_id: str, *notes: str) -> Family:
    return Family(title, {"created": f"{kind}_created", "updated": f"{kind}_updated"}, row_id, notes)


_EVERY_SAVE = (
    "Every save of an assessment sends one more record with the same `id`. The newest is that with the "
    "larger `body.updated_at`, then `metadata.event_time`, then `event_id`."
)
FAMILIES = (
    _pair(
        "Learning outcomes",
        "learning_outcome",
        "learning_outcome_id",
        "An outcome with neither `context_id` nor `context_type` is a global one.",
        "`calculation_int` can be there with methods that have no use for it: ignore it then.",
    ),
    _pair("Groups of outcomes", "learning_outcome_group", "learning_outcome_group_id"),
    _pair("Links of outcomes to groups", "learning_outcome_link", "learning_outcome_link_id"),
    _pair(
        "Results",
        "learning_outcome_result",
        "id",
        "Grading again changes the same row: same `id`, new `score`, and `assessed_at` is now.",
        "A result can be created as `deleted`: Canvas had one for this student and alignment already, brings "
        "that up to date and says so in an `updated` record of its own. Count active rows only.",
        "Three generations of this event are in use. The newest has an `id`. The middle one names the "
        "student, but neither `id` nor course: what stands for the `id` is the work, `artifact_type`, "
        "`artifact_id`, `associated_asset_type` and `associated_asset_id`, of one `user_uuid` and "
        "`learning_outcome_id`. The oldest has neither `id` nor `user_uuid`: whose result it is cannot be "
        "known, and its key ends in `::<learning_outcome_id>`.",
        "With `artifact_type` RubricAssessment, `artifact_id` is the `id` in `rubric_assessed`.",
        "Canvas computes a student's score on an outcome within one course: group by `result_context_id` to "
        "do the same.",
    ),
    _pair(
        "Mastery scales",
        "outcome_proficiency",
        "outcome_proficiency_id",
        "A scale of an account holds for all accounts and courses below it that have none of their own.",
    ),
    Family(
        "Rubric assessments",
        {"assessed": "rubric_assessed"},
        "id",
        (_EVERY_SAVE,),
    ),
    Family("Copies of outcome alignments", {"retry": "outcomes.retry_outcome_alignment_clone"}),
)

WHEN = {
    "learning_outcome_created": "An outcome is saved for the first time.",
    "learning_outcome_updated": "Any of its columns changes: edited, archived, deleted or brought back.",
    "learning_outcome_group_created": "A group is saved for the first time.",
    "learning_outcome_group_updated": "Any of its columns changes: edited, moved, archived or deleted.",
    "learning_outcome_link_created": "An outcome is put into a group, and so made available there.",
    "learning_outcome_link_updated": "The link is changed or deleted, but not when its outcome is deleted.",
    "learning_outcome_result_created": "A student's work is first assessed against an outcome, by "
    "rubric or quiz.",
    "learning_outcome_result_updated": "A result changes: graded again, cleared, deleted or brought back.",
    "outcome_proficiency_created": "An account or course gets a mastery scale of its own.",
    "outcome_proficiency_updated": "The scale or one of its levels is saved, changed or not, or is deleted.",
    "outcomes.retry_outcome_alignment_clone": "Copying an assignment's outcome alignments to "
    "another course had failed, and somebody starts it anew.",
    "rubric_assessed": "Somebody saves a rubric assessment, for the first time or again; also for peer "
    "reviews and provisional grades, which make no result.",
}
"""When Canvas sends each event: once a save is committed. A save that changes only its time sends none."""
