"""What does each process tell of itself? Metrics and traces."""
