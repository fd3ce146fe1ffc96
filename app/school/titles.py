"""Made-up titles: of outcomes, courses, assignments."""

__all__ = ["ASSIGNMENTS", "COURSES", "DEPARTMENTS", "OUTCOMES", "SCALE"]

DEPARTMENTS = ("Sciences", "Humanities", "Arts and crafts")

COURSES = (
    "Biology",
    "Chemistry",
    "Physics",
    "Geometry",
    "Algebra",
    "History",
    "Geography",
    "Music",
    "Drawing",
)

OUTCOMES = (
    "Reads graphs and tables",
    "Explains a cell's parts",
    "Plans an experiment",
    "Weighs sources against each other",
    "Argues from evidence",
    "Solves equations in one unknown",
    "Uses units and scales with care",
    "Writes a clear paragraph",
    "Estimates before calculating",
    "Describes a landscape",
    "Keeps a lab notebook",
    "Works in a team",
    "Speaks in front of others",
    "Finds mistakes in own work",
    "Draws in perspective",
    "Sings in two parts",
    "Knows the map of Europe",
    "Tells cause from coincidence",
    "Proves a statement… and doubts it",
    "Résumé of a text",
)

ASSIGNMENTS = (
    "Lab report",
    "Essay",
    "Weekly quiz",
    "Worksheet",
    "Project",
    "Presentation",
    "Exam",
    "Field trip",
)

SCALE = ("Exceeds mastery", "Mastery", "Near mastery", "Below mastery", "No evidence")
