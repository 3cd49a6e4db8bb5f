"""Where operations come from: Kafka, a file, the embedded broker."""
