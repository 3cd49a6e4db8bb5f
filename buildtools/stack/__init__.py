"""The development stack: ZooKeeper, Kafka, MySQL and Redis, in order, ready when it says so."""
