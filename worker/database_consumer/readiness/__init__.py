"""Ready by the real protocol: what a client needs is asked for, from where clients run.

A listener that accepts proves nothing: Kafka answers TCP seconds before metadata, metadata before
leaders, leaders before the group's coordinator. Each probe answers ready, not yet (why) or wrong
(why, and the mend); wrong ends the wait at once. Ready counts when it was seen twice in a row.

Others take these probes as they are: nothing here imports the rest of the package.
"""

from database_consumer.readiness.answers import (
    READY,
    Answer,
    Moment,
    Outcome,
    Probe,
    Report,
    wait_ready,
)
from database_consumer.readiness.kafka import KafkaProbe
from database_consumer.readiness.services import DatabaseProbe, RedisProbe

__all__ = [
    "READY",
    "Answer",
    "DatabaseProbe",
    "KafkaProbe",
    "Moment",
    "Outcome",
    "Probe",
    "RedisProbe",
    "Report",
    "wait_ready",
]
