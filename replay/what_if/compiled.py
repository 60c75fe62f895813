"""What would the whole bank's standings be under a policy?

The rule of `domain/tiering/assessment.py`, over columns.

What a month comes to and reaches is computed for all rows of many customers at once; the steps from
month to month, which depend on each other, are one compiled loop. That this and `assess` are the
same rule is shown by property tests, byte for byte.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numba import njit

from domain.calendar import first_day, next_month
from domain.tiering.assessment import Standing, judged
from domain.tiering.policy import TierPolicy
from replay.what_if.columns import NOTHING, Columns, Numbers, month_named
from replay.what_if.households import Wholes
from replay.what_if.rows import Rows, Weighting

THREADS = 2
CHUNK_CUSTOMERS = 10_000
"""Customers that every policy looks at in turn, while their rows are at hand."""


class Standings(NamedTuple):
    """One entry a customer.

    Tier by place (-1: none), the one before, the month that led to it and whether upwards.

    `watch` counts misses, `last` is the last row assessed, and `reached` what it reached.
    """

    tier: Numbers
    before: Numbers
    since: Numbers
    rose: Numbers
    watch: Numbers
    last: Numbers
    reached: Numbers
    wholes: Wholes | None = None

    def standing(self, policy: TierPolicy, columns: Columns, customer: int) -> Standing:
        """The standing of one customer in words: what `assess` gives for the same months."""
        last = int(self.last[customer])
        end = int(columns.first[customer + 1])
        through = (
            month_named(int(columns.month[end - 1])) if end > columns.first[customer] else None
        )
        if last == NOTHING:
            return Standing(through=through)
        month = first_day(next_month(month_named(int(self.since[customer]))))
        since = (
            month - timedelta(days=1) if self.rose[customer] and policy.up == "at-once" else month
        )
        _, grounds = judged(
            policy, columns.facts(last), self.wholes.months(last) if self.wholes else ()
        )
        tier, before = (
            policy.tiers[place].tier if place >= 0 else None
            for place in (int(self.tier[customer]), int(self.before[customer]))
        )
        return Standing(
            tier, since, before, int(self.watch[customer]), grounds, None, policy.label, through
        )


def standings(policies: Sequence[TierPolicy], columns: Columns) -> list[Standings]:
    """Everybody's standing after their last month, under each of several policies."""
    wholes = {policy.scope: Wholes(columns, policy.scope) for policy in policies if policy.scope}
    found = [
        _nobody(len(columns), wholes[policy.scope] if policy.scope else None) for policy in policies
    ]
    beside = [
        _of_wholes(policy, columns, each.wholes) if each.wholes else None
        for policy, each in zip(policies, found, strict=True)
    ]

    def part(start: int) -> None:
        stop = min(start + CHUNK_CUSTOMERS, len(columns))
        shared: dict[Weighting, Numbers] = {}
        for policy, each, levels in zip(policies, found, beside, strict=True):
            _assess(policy, columns, shared, start, stop, levels, each)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(part, range(0, len(columns), CHUNK_CUSTOMERS)))
    return found


def _nobody(count: int, wholes: Wholes | None) -> Standings:
    kinds = (np.int16, np.int16, np.int32, np.int8, np.int16, np.int64, np.int16)
    return Standings(*(np.full(count, NOTHING, dtype=kind) for kind in kinds), wholes=wholes)  # type: ignore[arg-type, misc]


def _of_wholes(policy: TierPolicy, columns: Columns, wholes: Wholes) -> Numbers:
    """The level that each row reaches together with others.

    Below any for a row that counts in no whole.
    """
    assert policy.scope is not None
    counted = columns if policy.scope.take == "max" else wholes.together
    edges = [
        int(columns.first[start])
        for start in (*range(0, len(columns), CHUNK_CUSTOMERS), len(columns))
    ]
    levels = np.concatenate([Rows(counted, *each, policy, {}).level() for each in pairwise(edges)])
    return (
        wholes.best(levels)
        if policy.scope.take == "max"
        else np.where(wholes.group == NOTHING, NOTHING, levels)
    )


def _assess(
    policy: TierPolicy,
    columns: Columns,
    shared: dict[Weighting, Numbers],
    start: int,
    stop: int,
    beside: Numbers | None,
    out: Standings,
) -> None:
    """The standings of the customers from `start` up to, without, `stop`.

    `beside` is what their rows reach together with others.
    """
    first, last = int(columns.first[start]), int(columns.first[stop])
    rows = Rows(columns, first, last, policy, shared)
    levels = (
        rows.level()
        if beside is None
        else np.maximum(rows.level(), beside[first:last]).astype(np.int16)
    )
    misses = np.array([policy.misses_of(place) for place in range(len(policy.tiers))])
    one_step = np.array(
        [policy.falls_to(place, NOTHING) != NOTHING for place in range(len(policy.tiers))]
    )
    _step(
        columns.first[start : stop + 1],
        columns.month,
        rows.due(),
        levels,
        rows.frozen(),
        misses,
        one_step,
        *(each[start:stop] for each in out[:-1]),
    )


@njit(cache=True, nogil=True)
def _step(
    first: Numbers,
    months: Numbers,
    due: Numbers,
    levels: Numbers,
    frozen: Numbers,
    misses: Numbers,
    one_step: Numbers,
    tiers: Numbers,
    befores: Numbers,
    sinces: Numbers,
    rises: Numbers,
    watches: Numbers,
    lasts: Numbers,
    reaches: Numbers,
) -> None:
    """From month to month, as `assess`: up, or watched, or down."""
    for customer in range(len(tiers)):
        tier, before, since, rose, watch, last, at = -1, -1, -1, -1, -1, -1, -1
        for row in range(first[customer], first[customer + 1]):
            here = row - first[0]
            if not due[here]:
                continue
            reached = levels[here]
            last, at = row, reached
            if tier < 0 or reached > tier:
                before, tier, since, rose, watch = tier, reached, months[row], 1, 0
                continue
            if reached == tier:
                watch = 0
            elif not frozen[here]:
                watch += 1
            if watch >= misses[tier]:
                before, tier, since, rose, watch = (
                    tier,
                    tier - 1 if one_step[tier] else reached,
                    months[row],
                    0,
                    0,
                )
        (
            tiers[customer],
            befores[customer],
            sinces[customer],
            rises[customer],
            watches[customer],
            lasts[customer],
            reaches[customer],
        ) = (
            tier,
            before,
            since,
            rose,
            watch,
            last,
            at,
        )
