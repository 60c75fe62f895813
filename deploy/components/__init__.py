"""What brings up Apache Kafka, PostgreSQL and Redis on one machine: for tests, and for operators who have none."""
