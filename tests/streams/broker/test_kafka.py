"""How long a fetch waits."""

import time

import pytest

from streams.broker.kafka import FETCH_WAIT_MS, LONGEST_FETCH_WAIT_MS, fetch_wait_ms


@pytest.mark.parametrize(
    ("quiet", "wait"),
    [(0, FETCH_WAIT_MS), (0.5, FETCH_WAIT_MS), (25, 500), (3600, LONGEST_FETCH_WAIT_MS)],
)
def test_a_fetch_waits_longer_the_longer_nothing_came(quiet: float, wait: int) -> None:
    """A fiftieth of it, within bounds."""
    assert fetch_wait_ms(time.monotonic() - quiet) == pytest.approx(wait, abs=1)
