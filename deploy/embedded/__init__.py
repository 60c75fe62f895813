"""How does the whole stack run on one machine?

A broker and Redis of its own, under one supervisor.
"""
