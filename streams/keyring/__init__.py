"""Whose key opens this?

A key for each customer, in a database of its own; destroying it is forgetting them.
"""

from streams.keyring.keyring import Key, Keyring, NoKey, commitment
from streams.keyring.masters import (
    EnvironmentMaster,
    FileMaster,
    Master,
    TransitMaster,
    Unwrappable,
)
from streams.keyring.tables import has_keys

__all__ = [
    "EnvironmentMaster",
    "FileMaster",
    "Key",
    "Keyring",
    "Master",
    "NoKey",
    "TransitMaster",
    "Unwrappable",
    "commitment",
    "has_keys",
]
