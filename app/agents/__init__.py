"""Faust agents: thin, one screen each."""
