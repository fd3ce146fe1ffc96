"""The local copy of outcomes and mastery scales that every worker keeps to compute results with.

    topics of definitions --follower--> decoding --> store (SQLite) --> lookup (memory)
                                                       |                  |
                                              changed_since            resolve

`definitions.Definitions` holds it all together; `changes` is how it says what has to be computed again.
"""
