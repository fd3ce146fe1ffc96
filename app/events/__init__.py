"""A raw Canvas event on its way in: decode, validate, normalise, key."""
