"""What Canvas would show, worked out slowly and plainly from a whole history of events.

Written from the description of Canvas's behaviour alone, and meant to share neither code nor shape with
`app.mastery`: it keeps every event, looks at all of them for every question, and works on dicts.
"""

import math
from collections import defaultdict
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
UNIX = datetime(1970, 1, 1, tzinfo=UTC)


def rows(history, *, decaying_flag=True, scales_flag=False, default_for_unknown=False):
    """All rows, as dicts by (root account uuid, user uuid, outcome id). `history`: decoded event records."""
    result_events = [event for event in history if "result" in event["metadata"]["event_name"]]
    outcome_events = [event for event in history if "calculation_method" in event["body"]]
    scale_events = [event for event in history if "outcome_proficiency_ratings" in event["body"]]
    groups = defaultdict(list)
    for event in result_events:
        body = event["body"]
        if not body["user_uuid"]:
            continue
        if not body["id"] and not any(work(event)):
            continue
        account = event["metadata"]["root_account_uuid"] or "-"
        groups[account, body["user_uuid"], plain_id(body["learning_outcome_id"], event)].append(event)
    return {
        key: one_row(
            events,
            the_outcome(key, outcome_events),
            [e for e in scale_events if (e["metadata"]["root_account_uuid"] or "-") == key[0]],
            decaying_flag,
            scales_flag,
            default_for_unknown,
        )
        for key, events in groups.items()
    }


def one_row(events, outcome, scale_events, decaying_flag, scales_flag, default_for_unknown):
    current = present_state(events)
    counted = [event for event in current if is_active(event) and event["body"]["score"] is not None]
    how = calculation(outcome, decaying_flag, default_for_unknown)
    own = own_scale(outcome) if how else None
    courses_now = {course_of(event) for event in current} - {None}

    def scale_for(course):
        if how is None or not scales_flag:
            return own
        scale = institution_scale(course, scale_events)
        if scale is None:
            scale = {**own, "state": poorer(own["state"], "assumed")}
        elif scale == "broken":
            scale = {**own, "state": poorer(own["state"], "invalid")}
        places = {"root", course} - {None}
        times = [how["time"], *[time_of(e) for e in newest_scales(scale_events) if place_of(e) in places]]
        return {**scale, "time": max([when for when in times if when is not None], default=None)}

    courses = []
    for course in sorted(courses_now, key=int):
        here = [event for event in counted if course_of(event) == course]
        scale = scale_for(course)
        number = canvas_score(here, how, scale)
        uuids = [e["body"]["result_context_uuid"] for e in current if course_of(e) == course]
        courses.append(
            {
                "course_id": course,
                "course_uuid": next((uuid for uuid in uuids if uuid), None),
                "score": number,
                "mastery": None if number is None else number >= scale["mastery"],
                "results_count": len(here),
                "last_assessed_at": newest_assessment(here),
            }
        )
    scale = scale_for(None)
    in_use = [scale]
    if scales_flag and how:
        special = {c for c in courses_now if any(course_of(e) == c for e in counted)}
        theirs = [scale_for(course) for course in sorted(special, key=int)]
        if theirs and all(comparable(one) == comparable(theirs[0]) for one in theirs):
            scale = theirs[0]
        in_use = [scale, *theirs] if has_course_scales(scale_events) else [scale]
    number = canvas_score(counted, how, scale)
    reached = None
    if number is not None:
        reached = next((level for level in scale["levels"] if level[0] <= number), None)
    times = [how and how["time"], *[one and one["time"] for one in in_use]]
    times = [when for when in times if when is not None]
    states = [how["state"], *[one["state"] for one in in_use]] if how else ["unknown"]
    return {
        "score": number,
        "mastery": None if number is None else number >= scale["mastery"],
        "rating": reached and reached[1],
        "rating_points": None if reached is None else reached[0],
        "mastery_points": how and scale["mastery"],
        "points_possible": how and scale["possible"],
        "calculation_method": how and how["method"],
        "calculation_int": how and how["n"],
        "results_count": len(counted),
        "last_assessed_at": newest_assessment(counted),
        "definition_state": poorer(*states),
        "scale_source": how and scale["source"],
        "definition_time": max(times, default=None),
        "outcome_title": outcome and outcome["body"]["title"],
        "last_event_time": max((ms(e["metadata"]["event_time"]) for e in current), default=None),
        "courses": courses,
    }


# --- which events tell the present state ---


def age(event):
    """Sorts the events of one thing, the newest last."""
    body, meta = event["body"], event["metadata"]
    is_update = meta["event_name"].endswith("_updated")
    return (is_update, body["updated_at"] if is_update else LONG_AGO, meta["event_time"], event["event_id"])


def is_active(event):
    return event["body"]["workflow_state"] in {None, "active"}


def work(event):
    body = event["body"]
    return (
        body["artifact_type"] or "",
        plain_id(body["artifact_id"], event) or "",
        body["associated_asset_type"] or "",
        plain_id(body["associated_asset_id"], event) or "",
    )


def same_work(first, second):
    if first[:2] != second[:2]:
        return False
    if first[2:] == second[2:]:
        return True
    return first[1] != "" and (first[3] == "" or second[3] == "")


def present_state(events):
    """The newest event of each result: those without id first, by their work, then by id."""
    with_id = [event for event in events if event["body"]["id"]]
    ids = {plain_id(event["body"]["id"], event) for event in with_id}
    found = []
    for one in sorted(ids, key=int):
        found += [max((e for e in with_id if plain_id(e["body"]["id"], e) == one), key=age)]
    claims = [
        work(event)
        for event in with_id
        if is_active(event) or event["metadata"]["event_name"] != "learning_outcome_result_created"
    ]
    without = [event for event in events if not event["body"]["id"]]
    nameless = []
    for one in sorted({work(event) for event in without}):
        if not any(same_work(one, claim) for claim in claims):
            nameless += [max((e for e in without if work(e) == one), key=age)]
    return nameless + found


def the_outcome(key, outcome_events):
    found = [
        event
        for event in outcome_events
        if (event["metadata"]["root_account_uuid"] or "-") == key[0]
        and plain_id(event["body"]["learning_outcome_id"], event) == key[2]
    ]
    own = max(found, key=age, default=None)
    if own is not None and own["body"]["context_id"]:
        return own
    # An outcome of no account belongs to everybody, by its global id.
    everywhere = [
        event
        for event in outcome_events
        if not event["body"]["context_id"] and event["body"]["learning_outcome_id"] == key[2]
    ]
    return max(found + everywhere, key=age, default=None)


# --- what the numbers are made with ---


def calculation(outcome, decaying_flag, default_for_unknown):  # noqa: C901 - one case after the other
    if outcome is None:
        if not default_for_unknown:
            return None
        return {"method": "highest", "n": None, "state": "assumed", "time": None}
    body = outcome["body"]
    method, n, state = body["calculation_method"] or "highest", body["calculation_int"], "known"
    if method == "standard_decaying_average" and not decaying_flag:
        method = "decaying_average"
    if method in {"highest", "latest", "average"}:
        n = None
    elif method == "n_mastery":
        if n is None:
            n = 5
        elif not 1 <= n <= 10:
            n, state = 5, "invalid"
    elif method in {"decaying_average", "weighted_average", "standard_decaying_average"}:
        lowest = 50 if method == "standard_decaying_average" else 1
        if n is None:
            n = 65
        elif not lowest <= n <= 99:
            n, state = 65, "invalid"
    else:
        method, n, state = "highest", None, "invalid"
    return {"method": method, "n": n, "state": state, "time": time_of(outcome)}


def time_of(event):
    updated = event["metadata"]["event_name"].endswith("_updated")
    return ms(event["body"]["updated_at"] if updated else event["metadata"]["event_time"])


def own_scale(outcome):
    if outcome is None:
        return {
            "mastery": 3.0,
            "possible": 5.0,
            "levels": [],
            "source": "outcome",
            "state": "assumed",
            "time": None,
        }
    criterion = outcome["body"]["rubric_criterion"]
    mastery, possible = criterion["mastery_points"], criterion["points_possible"]
    good = mastery is not None and mastery > 0 and possible is not None and possible > 0
    if possible is None or possible <= 0:
        if mastery is not None and mastery > 0:
            possible = mastery
        else:
            mastery, possible = 3.0, 5.0
    elif mastery is None or mastery < 0:
        mastery = possible
    levels = [(r["points"], r["description"]) for r in criterion["ratings"] or [] if r["points"] is not None]
    return {
        "mastery": mastery,
        "possible": possible,
        "levels": sorted(levels, key=lambda level: level[0], reverse=True),
        "source": "outcome",
        "state": "known" if good else "invalid",
        "time": time_of(outcome),
    }


def newest_scales(scale_events):
    ids = {plain_id(event["body"]["outcome_proficiency_id"], event) for event in scale_events}
    return [
        max((e for e in scale_events if plain_id(e["body"]["outcome_proficiency_id"], e) == one), key=age)
        for one in ids
    ]


def active_scales(scale_events):
    active = [e for e in newest_scales(scale_events) if e["body"]["workflow_state"] == "active"]
    return sorted(active, key=age)


def place_of(event):
    """The id of the course a scale is for, or "root", or nothing for any other account."""
    body, root = event["body"], event["metadata"]["root_account_id"]
    where = plain_id(body["context_id"], event)
    if body["context_type"] == "Course":
        return where
    return "root" if root is not None and where == plain_id(root, event) else None


def has_course_scales(scale_events):
    return any(event["body"]["context_type"] == "Course" for event in newest_scales(scale_events))


def institution_scale(course, scale_events):
    """The course's, else the root account's; None if neither is known, "broken" if it cannot be used."""
    chosen = None
    for event in active_scales(scale_events):
        if place_of(event) == "root" and (chosen is None or place_of(chosen) == "root"):
            chosen = event
        if course is not None and place_of(event) == course:
            chosen = event
    if chosen is None:
        return None
    ratings = [r for r in chosen["body"]["outcome_proficiency_ratings"] if r["workflow_state"] != "deleted"]
    ratings.sort(key=lambda rating: rating["points"], reverse=True)
    if not ratings or ratings[0]["points"] <= 0:
        return "broken"
    points = [rating["points"] for rating in ratings]
    passing = [rating["points"] for rating in ratings if rating["mastery"]]
    good = len(passing) == 1 and passing[0] > 0 and len(points) == len(set(points))
    return {
        "mastery": passing[0] if passing else points[0],
        "possible": points[0],
        "levels": [(rating["points"], rating["description"]) for rating in ratings],
        "source": "proficiency",
        "state": "known" if good else "invalid",
        "time": time_of(chosen),
    }


def comparable(scale):
    return scale["mastery"], scale["possible"], scale["levels"]


def poorer(*states):
    return max(states, key=["known", "assumed", "invalid", "unknown"].index)


# --- the numbers ---


def canvas_score(events, how, scale):  # noqa: C901 - one method after the other
    """One score of events that count, given in the order of ids."""
    if how is None or not events:
        return None
    method, n = how["method"], how["n"]
    worth = [value(event, events, method, scale["possible"]) for event in events]
    pairs = [(event, v) for event, v in zip(events, worth, strict=True) if v is not None]
    if not pairs:
        return None
    by_time = [v for _, v in sorted(pairs, key=lambda pair: seconds(pair[0]))]
    plain = [v for _, v in pairs]
    if method == "highest":
        number = max(plain)
    elif method == "latest":
        number = by_time[-1]
    elif method == "average":
        number = math.fsum(plain) / len(plain)
    elif method == "n_mastery":
        good = [v for v in plain if not v < scale["mastery"]]
        if len(plain) < n or len(good) < n:
            return None
        number = math.fsum(good) / len(good)
    elif method == "standard_decaying_average":
        number = None
        while by_time:
            v = by_time.pop(0)
            number = v if number is None else number * (0.01 * (100 - n)) + v * (0.01 * n)
    elif len(by_time) == 1:
        number = by_time[0]
    else:
        old, new = by_time[:-1], by_time[-1]
        number = new * (0.01 * n) + math.fsum(old) / len(old) * (0.01 * (100 - n))
    return ruby_round(number)


def value(event, events, method, possible):
    body = event["body"]
    if body["artifact_type"] == "Quizzes::QuizSubmission" and method not in {"highest", "n_mastery"}:
        total = weighted = 0.0
        for other in events:
            same = work(other)[2:] == work(event)[2:] if work(event)[3] else other is event
            if same and other["body"]["possible"] is not None and other["body"]["percent"] is not None:
                total += other["body"]["possible"]
                weighted += other["body"]["possible"] * other["body"]["percent"]
        return (weighted / total) * possible if total != 0 else None
    return body["score"] if body["percent"] is None else body["percent"] * possible


def ruby_round(x):
    """C's round of a hundred times x, half away from zero, with Ruby's correction."""
    hundred = float(Decimal(x * 100).to_integral_value(ROUND_HALF_UP))
    if x > 0 and (hundred + 0.5) / 100 <= x:
        hundred += 1
    if x < 0 and (hundred - 0.5) / 100 >= x:
        hundred -= 1
    return hundred / 100


# --- small things ---


def plain_id(text, event):
    root = event["metadata"]["root_account_id"]
    if not text or not root or int(text) <= 10**13:
        return text
    return str(int(text) % 10**13) if int(text) // 10**13 == int(root) // 10**13 else text


def course_of(event):
    body = event["body"]
    if body["result_context_type"] not in {None, "Course"}:
        return None
    return plain_id(body["result_context_id"], event)


def ms(moment):
    return round((moment - UNIX).total_seconds() * 1000)


def seconds(event):
    moment = event["body"]["assessed_at"]
    return 0 if moment is None else math.floor((moment - UNIX).total_seconds())


def newest_assessment(events):
    return max((ms(e["body"]["assessed_at"]) for e in events if e["body"]["assessed_at"]), default=None)
