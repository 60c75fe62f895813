"""What is a policy as numbers? The program that the compiled fold runs over columns."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from domain.conditions import AtLeast, AtMost, Atom, Holds, OneOf, ways
from domain.policy import STAGES, TierPolicy
from domain.quantities import COUNTS, Balances, Points
from replay.columns import LIMIT, NOTHING, Columns, Numbers

OVER = ("month-average", "rolling-90-days", "closing")
TRAITS = ("kind", "rating", "industry", "region", "holdings", "stage")
AT_LEAST, AT_MOST, IN = range(3)
MOST_POINTS = 2**62


class CannotCompile(ValueError):
    """This policy needs more than the columns have; says what to use instead."""


class Program(NamedTuple):
    """A policy as numbers; what a list has is between `first[i]` and `first[i + 1]`."""

    needs_values: bool
    currency: int
    measure_over: Numbers
    weights: Numbers
    scored_first: Numbers
    scored: Numbers
    way_first: Numbers
    atom_first: Numbers
    atoms: Numbers
    words: Numbers
    applies: Numbers
    assessed: Numbers
    fast_through: int
    fast_over: int
    up_at_once: bool
    misses: Numbers
    one_step: Numbers
    freeze: bool
    new_through: int
    dormant_from: int


def compiled(policy: TierPolicy, columns: Columns) -> Program:
    """The program of a policy over these columns; raises `CannotCompile`."""
    if policy.scope is not None:
        raise CannotCompile(f"{policy.label} counts a {policy.scope.of}, and the columns have customers alone")
    quantities = [*COUNTS, *policy.measures]
    balances = [measure if isinstance(measure, Balances) else None for measure in policy.measures.values()]
    points = [measure.of if isinstance(measure, Points) else () for measure in policy.measures.values()]
    scored = [(quantities.index(each.quantity), each.each, each.points, each.at_most or MOST_POINTS) for each in chain.from_iterable(points)]
    if any(LIMIT * 70 // each * worth > MOST_POINTS for _, each, worth, _ in scored):
        raise CannotCompile(f"{policy.label} gives so many points that their sum may not fit into 64 bits")
    reaches = [ways(tier.reach) if tier.reach else [] for tier in policy.tiers]
    atoms, words = _atoms([atom for each in reaches for way in each for atom in way], quantities, columns)
    fast = policy.fast_track
    return Program(
        needs_values=_asks_for_values(policy),
        currency=_code(columns, "currency", policy.currency),
        measure_over=np.array([NOTHING if each is None else OVER.index(each.over) for each in balances], dtype=np.int64),
        weights=np.array([_weights(each, policy.currency, columns) for each in balances], dtype=np.int64).reshape(len(balances), -1),
        scored_first=_first(points),
        scored=np.array(scored, dtype=np.int64).reshape(-1, 4),
        way_first=_first(reaches),
        atom_first=_first([way for each in reaches for way in each]),
        atoms=atoms,
        words=words,
        applies=_applies(policy, columns),
        assessed=np.array([number in policy.assessed_in for number in range(1, 13)]),
        fast_through=fast.through_months if fast else 0,
        fast_over=OVER.index(fast.over) if fast else NOTHING,
        up_at_once=policy.up == "at-once",
        misses=np.array([policy.misses_of(place) for place in range(len(policy.tiers))], dtype=np.int64),
        one_step=np.array([(tier.drop_to or policy.drop_to) == "one-step" for tier in policy.tiers]),
        freeze=policy.freeze_in_dispute,
        new_through=policy.life_cycle.new_through_months,
        dormant_from=policy.life_cycle.dormant_from_months,
    )


def _first(lists: Sequence[Sequence[Any]]) -> Numbers:
    return np.cumsum([0, *map(len, lists)], dtype=np.int64)


def _code(columns: Columns, name: str, word: str) -> int:
    return columns.words[name].index(word) if word in columns.words[name] else NOTHING - 1


def _weights(measure: Balances | None, currency: str, columns: Columns) -> list[int]:
    assets = [asset.split("/") for asset in columns.words["asset"]]
    return [measure.weights_percent.get(kind, 0) if measure and held == currency else 0 for kind, held in assets]  # type: ignore[call-overload]


def _asks_for_values(policy: TierPolicy) -> bool:
    scored = [each.quantity for measure in policy.measures.values() if isinstance(measure, Points) for each in measure.of]
    return any(name in ("value-in", "value-out", "value") for name in (*policy.asked, *scored))


def _applies(policy: TierPolicy, columns: Columns) -> Numbers:
    """For each kind of customer, and first for one of whom no kind is known, whether the policy is for them."""
    return np.array([policy.applies_to in ("everyone", kind) for kind in ("person", *columns.words["kind"])])


def _atoms(atoms: Sequence[Atom], quantities: Sequence[str], columns: Columns) -> tuple[Numbers, Numbers]:
    """Every atom as `(what, of which quantity or trait, bound or row of words)`, and for each such row which words count."""
    rows: list[tuple[int, int, int]] = []
    words: list[list[bool]] = []
    widest = max(len(STAGES), *(len(columns.words[trait]) for trait in TRAITS[:-1])) + 1
    for atom in atoms:
        match atom:
            case AtLeast(quantity=name, at_least=bound):
                rows.append((AT_LEAST, quantities.index(name), bound))
            case AtMost(quantity=name, at_most=bound):
                rows.append((AT_MOST, quantities.index(name), bound))
            case OneOf(trait=trait, one_of=wanted):
                known = STAGES if trait == "stage" else columns.words[trait]
                rows.append((IN, TRAITS.index(trait), len(words)))
                words.append([False, *(word in wanted for word in known)])
            case Holds(holds=wanted):
                rows.append((IN, TRAITS.index("holdings"), len(words)))
                words.append([False, *(not set(wanted).isdisjoint(held.split()) for held in columns.words["holdings"])])
    table = np.zeros((len(words), widest), dtype=np.bool_)
    for number, each in enumerate(words):
        table[number, : len(each)] = each
    return np.array(rows, dtype=np.int64).reshape(-1, 3), table
