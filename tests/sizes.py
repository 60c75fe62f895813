"""How much is tried? Less in `make test`, which people wait for; all of it in `make nightly`."""

import os

THOROUGH = bool(os.environ.get("TIERFOLD_TEST_THOROUGH"))


def sized(quick: int, thorough: int) -> int:
    """The size of a test that is the same test with less."""
    return thorough if THOROUGH else quick
