"""How much is tried? Less in `make test`, which people wait for; all of it in `make nightly`."""

import os
from typing import TypeVar

THOROUGH = bool(os.environ.get("TIERFOLD_TEST_THOROUGH"))


Size = TypeVar("Size")


def sized(quick: Size, thorough: Size) -> Size:
    """The size of a test that is the same test with less."""
    return thorough if THOROUGH else quick
