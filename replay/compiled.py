"""What would the whole bank's standings be under a policy? The rule of `domain/tiering.py`, compiled, over columns.

That this loop and `assess` are the same rule is shown by property tests, byte for byte.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from domain.days import first_day, next_month
from domain.policy import TierPolicy
from domain.tiering import Grounds, Standing, case_of
from replay.columns import NOTHING, Columns, Numbers, month_named
from replay.program import Program, compiled

THREADS = 2
AT_ONCE = 10_000
"""Customers that every policy looks at in turn, while their rows are at hand."""


class Facts(NamedTuple):
    """The columns that the loop looks at, as it names them."""

    first: Numbers
    month: Numbers
    counts: tuple[Numbers, ...]
    streak: Numbers
    traits: tuple[Numbers, ...]
    asset_first: Numbers
    asset: Numbers
    amounts: tuple[Numbers, ...]
    value_first: Numbers
    value_currency: Numbers
    came: Numbers
    went: Numbers


class Standings(NamedTuple):
    """One entry a customer: tier by place (-1: none), the month that led to it and whether upwards, misses, the last row assessed and what it reached."""

    tier: Numbers
    since: Numbers
    rose: Numbers
    watch: Numbers
    last: Numbers
    reached: Numbers

    def standing(self, policy: TierPolicy, columns: Columns, customer: int) -> Standing:
        """The standing of one customer in words: what `assess` gives for the same months."""
        last = int(self.last[customer])
        if last == NOTHING:
            return Standing()
        month = first_day(next_month(month_named(int(self.since[customer]))))
        since = month - timedelta(days=1) if self.rose[customer] and policy.up == "at-once" else month
        facts = columns.facts(last)
        case = case_of(policy, facts)
        frozen = policy.freeze_in_dispute and facts.traits.open_cases > 0
        grounds = Grounds(facts.month, {name: case.seen[name] for name in policy.asked}, policy.tiers[int(self.reached[customer])].tier, frozen)
        return Standing(policy.tiers[int(self.tier[customer])].tier, since, int(self.watch[customer]), grounds, None, policy.label)


def standings(policies: Sequence[TierPolicy], columns: Columns) -> list[Standings]:
    """Everybody's standing after their last month, under each of several policies."""
    programs = [compiled(policy, columns) for policy in policies]
    facts = _facts(columns)
    found = [_empty(len(columns)) for _ in programs]

    def part(start: int) -> None:
        for program, each in zip(programs, found, strict=True):
            _fold(start, min(start + AT_ONCE, len(columns)), facts, program, each)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(part, range(0, len(columns), AT_ONCE)))
    return found


def _empty(count: int) -> Standings:
    return Standings(*(np.full(count, NOTHING, dtype=kind) for kind in (np.int16, np.int32, np.int8, np.int16, np.int64, np.int16)))


def _facts(columns: Columns) -> Facts:
    return Facts(
        first=columns.first,
        month=columns.month,
        counts=(columns.transactions, columns.active_days, columns.products, columns.tenure, columns.open_cases),
        streak=columns.streak,
        traits=(columns.kind, columns.rating, columns.industry, columns.region, columns.holdings),
        asset_first=columns.asset_first,
        asset=columns.asset,
        amounts=(columns.average, columns.ninety_days, columns.closing),
        value_first=columns.value_first,
        value_currency=columns.value_currency,
        came=columns.came,
        went=columns.went,
    )


@njit(cache=True, nogil=True)
def _fold(start: int, stop: int, facts: Facts, program: Program, out: Standings) -> None:
    seen = np.zeros(10 + len(program.measure_over), dtype=np.int64)
    for customer in range(start, stop):
        tier, since, rose, watch, last, at = -1, -1, 0, 0, -1, -1
        for row in range(facts.first[customer], facts.first[customer + 1]):
            tenure = facts.counts[3][row]
            new = tenure <= program.fast_through
            if not program.applies[facts.traits[0][row] + 1] or not (new or program.assessed[facts.month[row] % 12]):
                continue
            _see(seen, row, facts, program, program.fast_over if new else -1)
            reached = _level(row, seen, facts, program)
            last, at = row, reached
            if tier < 0 or reached > tier:
                tier, since, rose, watch = reached, facts.month[row], 1, 0
                continue
            if reached == tier:
                watch = 0
            elif not (program.freeze and seen[9] > 0):
                watch += 1
            if watch >= program.misses[tier]:
                tier, since, rose, watch = tier - 1 if program.one_step[tier] else reached, facts.month[row], 0, 0
        out.tier[customer], out.since[customer], out.rose[customer] = tier, since, rose
        out.watch[customer], out.last[customer], out.reached[customer] = watch, last, at


@njit(cache=True, nogil=True)
def _see(seen: Numbers, row: int, facts: Facts, program: Program, fast_over: int) -> None:
    """The quantities of a row, in the order of `COUNTS`, then the measures."""
    came, went = 0, 0
    if program.needs_values:
        for index in range(facts.value_first[row], facts.value_first[row + 1]):
            if facts.value_currency[index] == program.currency:
                came += facts.came[index]
                went += facts.went[index]
    streak = facts.streak[row]
    seen[0], seen[1], seen[2], seen[3] = facts.counts[0][row], came, went, came + went
    seen[4], seen[5], seen[6] = facts.counts[1][row], facts.counts[2][row], facts.counts[3][row]
    seen[7], seen[8], seen[9] = max(streak, 0), max(-streak, 0), facts.counts[4][row]
    for measure in range(len(program.measure_over)):
        over = program.measure_over[measure]
        if over < 0:
            seen[10 + measure] = _points(measure, seen, program)
        else:
            seen[10 + measure] = _balance(measure, fast_over if fast_over >= 0 else over, row, facts, program)


@njit(cache=True, nogil=True)
def _balance(measure: int, over: int, row: int, facts: Facts, program: Program) -> Any:
    total = 0
    for index in range(facts.asset_first[row], facts.asset_first[row + 1]):
        weight = program.weights[measure, facts.asset[index]]
        if weight:
            if over == 0:
                total += facts.amounts[0][index] * weight
            elif over == 1:
                total += (2 * facts.amounts[1][index] + 90) // 180 * weight
            else:
                total += facts.amounts[2][index] * weight
    return total // 100


@njit(cache=True, nogil=True)
def _points(measure: int, seen: Numbers, program: Program) -> Any:
    total = 0
    for index in range(program.scored_first[measure], program.scored_first[measure + 1]):
        quantity, each, points, most = program.scored[index]
        total += min(max(seen[quantity], 0) // each * points, most)
    return total


@njit(cache=True, nogil=True)
def _level(row: int, seen: Numbers, facts: Facts, program: Program) -> int:
    """The highest tier with a way of which every atom holds; the lowest if there is none."""
    for tier in range(len(program.misses) - 1, 0, -1):
        for way in range(program.way_first[tier], program.way_first[tier + 1]):
            holds = True
            for index in range(program.atom_first[way], program.atom_first[way + 1]):
                what, which, bound = program.atoms[index]
                if what == 0:
                    holds = seen[which] >= bound
                elif what == 1:
                    holds = seen[which] <= bound
                else:
                    holds = program.words[bound, _word(row, which, seen, facts, program) + 1]
                if not holds:
                    break
            if holds:
                return tier
    return 0


@njit(cache=True, nogil=True)
def _word(row: int, trait: int, seen: Numbers, facts: Facts, program: Program) -> Any:
    """Which word stands for a trait: a column's, or the stage of life."""
    if trait < len(facts.traits):
        return facts.traits[trait][row]
    if seen[6] <= program.new_through:
        return 0
    return 2 if seen[8] >= program.dormant_from else 1
