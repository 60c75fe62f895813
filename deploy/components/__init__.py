"""What brings up Apache Kafka, PostgreSQL and Redis on one machine.

For tests, and for operators who have none.
"""
