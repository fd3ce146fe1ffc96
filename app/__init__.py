"""mastery-stream: Canvas Live Events in, twelve typed Avro topics and running mastery results out."""

__all__ = ["__version__"]

__version__ = "0.1.0"
