"""Tests of the stream core, and what they share."""
