"""A change is noticed when the published method notices it.

And what is said is right as often as it says.
"""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import drift as published

from projections.models import calibration
from projections.models.calibration import Counts, counted
from projections.models.drift import Window, seen


@pytest.mark.parametrize("seed", range(20))
def test_changes_are_found_where_river_finds_them(seed: int) -> None:
    """The same numbers, the same detections: shares that jump, and losses that grow."""
    chance = random.Random(seed)
    levels = [chance.random() for _ in range(5)]
    numbers = [
        chance.expovariate(1 / (0.1 + level)) if seed % 2 else float(chance.random() < level)
        for level in levels
        for _ in range(chance.randrange(200, 1_200))
    ]
    theirs, window = published.ADWIN(), Window()
    found: tuple[list[int], list[int]] = ([], [])
    for place, number in enumerate(numbers):
        theirs.update(number)
        before, window = window.changes, seen(window, number)
        found[0].extend([place] * theirs.drift_detected)
        found[1].extend([place] * (window.changes - before))

    assert found[0] == found[1]
    assert found[1] or seed == 16, "nothing changed enough in this one"


scores = st.lists(st.tuples(st.floats(-9, 9), st.booleans()), max_size=200)


@given(scores, st.floats(-9, 9), st.floats(-9, 9))
def test_calibration_keeps_the_order_of_the_scores(
    answers: list[tuple[float, bool]], one: float, other: float
) -> None:
    """Whatever came of them.

    A higher score is never calibrated to less, and one that is clearly higher to more.
    """
    counts = Counts()
    for score, answer in answers:
        counts = counted(counts, score, answer)
    curve = calibration.curve(counts)
    low, high = sorted((one, other))

    assert 0 < curve.at(low) <= curve.at(high) < 1
    assert curve.at(low) < curve.at(high) or high - low < 1e-9


def test_a_model_that_says_too_much_is_corrected() -> None:
    """It says one in two where one in ten comes: after a thousand answers most of that is gone."""
    counts = Counts()
    chance = random.Random(4)
    for _ in range(3_000):
        counts = counted(counts, 0.0, chance.random() < 0.1)

    assert 0.1 < calibration.curve(counts).at(0.0) < 0.2


@given(scores)
def test_the_area_under_the_curve_is_that_of_the_pairs(answers: list[tuple[float, bool]]) -> None:
    """By the bins, with nothing faded: as often as a yes stands above a no, ties for half."""
    yes = [calibration.bin_of(score) for score, answer in answers if answer]
    no = [calibration.bin_of(score) for score, answer in answers if not answer]
    counts = Counts(
        {str(place): float(yes.count(place)) for place in yes},
        {str(place): float(no.count(place)) for place in no},
    )

    if not yes or not no:
        assert calibration.auc(counts) is None
    else:
        pairs = [1.0 if high > low else 0.5 if high == low else 0.0 for high in yes for low in no]
        assert calibration.auc(counts) == pytest.approx(sum(pairs) / len(pairs))
