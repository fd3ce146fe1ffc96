"""Every row computed again from the typed topics, beside the workers, and compared with what they committed.

`replay` applies all results, `history` all definitions, app.mastery makes the row that should be; `records`
holds what the published topics and the changelog say, `compare` tells the difference, `verifier` does it all.
"""
