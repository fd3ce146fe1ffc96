"""What views must answer, computed from the rows in memory the simplest way."""

from collections import Counter, defaultdict

from app.views.answers import Change, Counts, Line, OutcomeScore, OutcomeStats
from app.views.cursor import line_key


def lines_of_row(row, changed_at):
    courses = [
        (one.course_id, one.score, one.mastery, one.results_count, one.last_assessed_at)
        for one in row.courses
    ]
    if not courses:
        courses = [(None, row.score, row.mastery, row.results_count, row.last_assessed_at)]
    for course, score, mastery, count, assessed in courses:
        whole = (score, count, assessed) == (row.score, row.results_count, row.last_assessed_at)
        yield Line(
            row.root_account_uuid,
            row.user_uuid,
            row.learning_outcome_id,
            row.outcome_title,
            course,
            score,
            mastery,
            row.rating if whole else None,
            count,
            None if assessed is None else assessed / 1000,
            row.score,
            row.mastery,
            row.rating,
            row.mastery_points,
            row.points_possible,
            row.calculation_method,
            row.calculation_int,
            row.definition_state,
            changed_at / 1000,
        )


class Oracle:
    """The rows by key, each with the time of its record."""

    def __init__(self, rows):
        self.rows = dict(rows)

    def lines(self, scope):
        return [
            line
            for row, changed_at in self.rows.values()
            for line in lines_of_row(row, changed_at)
            if (scope.accounts is None or line.root_account_uuid in scope.accounts)
            and (scope.courses is None or line.course_id in scope.courses)
        ]

    def search(self, search, scope):
        def fits(line):
            text = search.outcome
            return (
                search.account in (None, line.root_account_uuid)
                and (search.users is None or line.user_uuid in search.users)
                and (search.course is None or (line.course_id or "") == search.course)
                and (
                    text is None
                    or text == line.learning_outcome_id
                    or text.casefold() in (line.outcome_title or "").casefold()
                )
                and (search.mastered is None or line.mastery is search.mastered)
                and (
                    search.score_from is None or (line.score is not None and line.score >= search.score_from)
                )
                and (search.score_to is None or (line.score is not None and line.score <= search.score_to))
            )

        found = [line for line in self.lines(scope) if fits(line)]
        down = search.order.value.startswith("-")
        return sorted(found, key=lambda line: line_key(search.order, line), reverse=down)

    def keys_of_user(self, user, scope):
        keys = {line[:3] for line in self.lines(scope) if line.user_uuid == user}
        return sorted(keys, key=lambda key: (key[0], len(key[2]), key[2]))

    def counted(self, account, outcome, scope):
        """Score, mastery and rating of each student, or of each student and course in scope."""
        lines = [line for line in self.lines(scope) if (line[0], line[2]) == (account, outcome)]
        if scope.courses is not None:
            return [OutcomeScore(line.score, line.mastery, line.rating) for line in lines]
        whole = {line.user_uuid: line for line in lines}.values()
        return [OutcomeScore(line.overall_score, line.overall_mastery, line.overall_rating) for line in whole]

    def outcomes(self, text, account, scope):
        found = {}
        for line in self.lines(scope):
            title = line.outcome_title
            if account in (None, line[0]) and (
                text is None or text == line[2] or text.casefold() in (title or "").casefold()
            ):
                found[line[0], line[2]] = title
        stats = []
        for (root, outcome), title in found.items():
            scores = self.counted(root, outcome, scope)
            stats.append(stats_of(root, outcome, title, [(one.score, one.mastery) for one in scores]))
        return sorted(stats, key=title_order)

    def courses(self, account, scope):
        lines = defaultdict(list)
        for line in self.lines(scope):
            if line.course_id is not None and account in (None, line[0]):
                lines[line[0], len(line.course_id), line.course_id].append(line)
        return [(key[0], key[2], some) for key, some in sorted(lines.items())]

    def counts(self):
        keys = list(self.rows)
        return Counts(len(keys), len({key[:2] for key in keys}), len({(key[0], key[2]) for key in keys}))

    def changes(self, scope):
        seen = defaultdict(list)
        visible = {line[:3] for line in self.lines(scope)}
        for key, (row, changed_at) in self.rows.items():
            if tuple(key) in visible:
                courses = tuple(sorted(one.course_id for one in row.courses))
                seen[key] = Change(
                    *key, row.outcome_title, row.score, row.mastery, changed_at / 1000, courses
                )
        return seen


def stats_of(account, outcome, title, scores):
    counted = [(score, mastery) for score, mastery in scores if score is not None]
    total = sum(round(score * 100) for score, _ in counted) / 100
    return OutcomeStats(
        account, outcome, title, len(scores), len(counted), sum(mastery for _, mastery in counted), total
    )


def title_order(stats):
    title, outcome = stats.outcome_title, stats.learning_outcome_id
    return (title is None, (title or "").casefold(), len(outcome), outcome, stats.root_account_uuid)


def score_counts(scores):
    return Counter(scores)
