"""What auditors run by itself: each file imports nothing but the standard library."""
