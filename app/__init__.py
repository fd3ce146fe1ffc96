"""mastery-stream: Canvas Live Events in, twelve typed Avro topics out, exactly once."""

__all__ = ["__version__"]

__version__ = "0.1.0"
