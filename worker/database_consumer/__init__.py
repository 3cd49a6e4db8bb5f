"""Writes database operations from Kafka into SQL, each once and in order per key."""

__version__ = "0.1.0"
