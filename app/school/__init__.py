"""A made-up school: the events of a term as Canvas would send them, and what must come out of the fan-out.

Everything follows from a `Plan`: the same plan gives the same bytes, on every machine and every Python.
"""
