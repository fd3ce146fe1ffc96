"""How a student's results on an outcome become one score: the rules of Canvas, and nothing else.

No I/O, no Kafka, no settings read from anywhere: every function gets what it needs. `docs/mastery.md` tells
the rules in words and formulas, and where they differ from Canvas.

The way of a result:

    event record --snapshot--> ResultSnapshot --results--> Results: the latest snapshot of each result
    event record --definition--> OutcomeDefinition, ProficiencyDefinition --resolve--> Definition
    Results + Definition --rollup--> Row: what is published

`blob` turns Results and Row into bytes and back. Times are milliseconds since 1970 (UTC), ids are strings.
"""
