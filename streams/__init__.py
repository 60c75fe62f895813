"""How do interactions move: the journal, the front door, intake, agents and lookups.

All live effects are here.
"""
