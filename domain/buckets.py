"""Which of a thousand is this?

Always the same one, as evenly spread as chance, and drawn by nobody.
"""

from hashlib import sha256


def of_thousand(name: str) -> int:
    """A number from 0 to 999 that follows from a name.

    >>> of_thousand("customer:7") == of_thousand("customer:7") < 1000
    True
    """
    return int.from_bytes(sha256(name.encode()).digest()[:8]) % 1000
