"""How do messages travel?

The door to Kafka, what a message on `recorded` is, and which shard an event belongs to.
"""
