"""Has a stream of numbers changed?

ADWIN (Bifet and Gavalda 2007): a window that begins anew where its two ends differ too much.

river has it too, but keeps its state to itself; here it is plain numbers, so that a model is kept,
read and rebuilt to the same bytes. A test holds the two to the same detections.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log, sqrt

from domain.fastcopy import changed

DELTA = 0.002
CLOCK = 32
MOST = 5
SHORTEST = 5
GRACE = 10

Bucket = tuple[float, float]
"""The sum of so many numbers, and their squared deviations from their mean."""


@dataclass(frozen=True)
class Window:
    """The window: its length, sum and squared deviations.

    Buckets of 1, 2, 4 … numbers, the newest first; how often one was left behind.

    `before` and `after` are the means on both sides of the last change.
    """

    ticks: int = 0
    width: int = 0
    total: float = 0.0
    deviation: float = 0.0
    levels: tuple[tuple[Bucket, ...], ...] = ((),)
    changes: int = 0
    before: float = 0.0
    after: float = 0.0


def seen(window: Window, value: float) -> Window:
    """The window after one more number; a new one where it has changed."""
    window = _added(window, value)
    if window.ticks % CLOCK or window.width <= GRACE:
        return window
    cut = _cut(window)
    return (
        window if cut is None else Window(changes=window.changes + 1, before=cut[0], after=cut[1])
    )


def _added(window: Window, value: float) -> Window:
    width = window.width + 1
    deviation = window.deviation
    if window.width:
        deviation += window.width * (value - window.total / window.width) ** 2 / width
    levels = _compressed((((value, 0.0), *window.levels[0]), *window.levels[1:]))
    return changed(
        window,
        ticks=window.ticks + 1,
        width=width,
        total=window.total + value,
        deviation=deviation,
        levels=levels,
    )


def _compressed(levels: tuple[tuple[Bucket, ...], ...]) -> tuple[tuple[Bucket, ...], ...]:
    """Where a level has too many buckets its two oldest become one of the next."""
    number = 0
    while len(levels[number]) > MOST:
        *others, newer, older = levels[number]
        above = levels[number + 1] if number + 1 < len(levels) else ()
        levels = (
            *levels[:number],
            tuple(others),
            (_merged(older, newer, 1 << number), *above),
            *levels[number + 2 :],
        )
        number += 1
    return levels


def _merged(one: Bucket, other: Bucket, size: int) -> Bucket:
    apart = one[0] / size - other[0] / size
    return one[0] + other[0], one[1] + other[1] + size * size * apart * apart / (2 * size)


def _cut(window: Window) -> tuple[float, float] | None:
    """The means of the older and the newer part where they differ by more than chance explains.

    None if they nowhere do.
    """
    older, older_total = 0, 0.0
    for size, (total, _) in _oldest_first(window):
        older, older_total = older + size, older_total + total
        newer = window.width - older
        if newer < SHORTEST + 1:
            return None
        if older >= SHORTEST + 1:
            means = older_total / older, (window.total - older_total) / newer
            if abs(means[0] - means[1]) > _by_chance(window, older, newer):
                return means
    return None


def _by_chance(window: Window, older: int, newer: int) -> float:
    strict = log(2 * log(window.width) / DELTA)
    harmonic = 1 / (older - SHORTEST + 1) + 1 / (newer - SHORTEST + 1)
    return sqrt(2 * harmonic * window.deviation / window.width * strict) + 2 / 3 * strict * harmonic


def _oldest_first(window: Window) -> Iterator[tuple[int, Bucket]]:
    for number in range(len(window.levels) - 1, -1, -1):
        yield from ((1 << number, bucket) for bucket in reversed(window.levels[number]))
