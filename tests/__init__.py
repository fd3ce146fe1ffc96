"""Tests, in the shape of app/. Real servers come from tests/kafka, shared helpers from tests/support."""
