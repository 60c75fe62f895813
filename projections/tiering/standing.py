"""Which tier does this customer stand in, since when, and on what grounds?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from itertools import chain
from typing import NamedTuple

from domain.accounts.monthly_facts import MonthlyFacts
from domain.bank.events import DayClosed
from domain.calendar import Month, ends_month, month_of, next_month
from domain.envelope import Proposed, Recorded
from domain.event_types import type_keys
from domain.fastcopy import changed
from domain.households.events import WholeMonthClosed
from domain.households.membership import Told
from domain.restatements.events import MonthsRestated
from domain.rollout.events import RULED, SchemeSwitched, standings_of
from domain.tiering.assessment import (
    Standing,
    Waiting,
    assess,
    awaits,
    override,
    withdrawn,
)
from domain.tiering.events import TierOverridden, TierOverrideWithdrawn
from domain.tiering.policy import RETAIL, TierPolicy
from projections.accounts.months import MONTHS, Months
from projections.bank.day_end import ends_a_month
from projections.cases.complaints import COMPLAINTS, Complaints, with_disputes
from projections.projection import Group, Projection, Source, Turn
from projections.tiering.announcing import TURNS, Left, Version


def evolve(
    policy: TierPolicy, standing: Standing, event: Recorded, rows: Mapping[Month, MonthlyFacts]
) -> Standing:
    """The standing after one more event: see `steps`."""
    for after in steps(policy, standing, event, rows):
        standing = after
    return standing


def steps(
    policy: TierPolicy, standing: Standing, event: Recorded, rows: Mapping[Month, MonthlyFacts]
) -> Iterator[Standing]:
    """What a standing becomes by one more event, month by month.

    It may be a tier set by hand, or taken back; a month's end, with the rows of facts that there
    are by then; what the household or company group came to, if an assessment waits for that; or
    months that were restated. Rows are of months without a gap, as they were believed when the
    event came; so it does no harm if there are later ones.
    """
    match event.data:
        case TierOverridden() as by_hand if _is_meant(policy, by_hand):
            yield override(standing, by_hand)
        case TierOverrideWithdrawn(scheme=scheme) if scheme in (None, policy.scheme):
            yield withdrawn(standing)
        case DayClosed(date=closed) if ends_month(closed):
            yield from _assessed(policy, standing, rows, month_of(closed))
        case WholeMonthClosed(month=month) as said if (
            standing.waiting and month in rows and awaits(policy, rows[month]) == said.whole
        ):
            told = Told(said.whole, said.total, said.shared, said.beside)
            waiting = changed(standing.waiting, told={**standing.waiting.told, month: told})
            yield from _assessed(policy, changed(standing, waiting=waiting), rows, waiting.due)
        case MonthsRestated() as said:
            yield _anew(policy, standing, rows, said)
        case _:
            pass


def _is_meant(policy: TierPolicy, by_hand: TierOverridden) -> bool:
    """Whether a tier set by hand is one of this scheme.

    Trap: before there were schemes it replaced one set before, whether or not the policy had it.
    """
    if by_hand.scheme is None:
        return policy.scheme == RETAIL or policy.rank(by_hand.tier) is not None
    return by_hand.scheme == policy.scheme


def _assessed(
    policy: TierPolicy, standing: Standing, rows: Mapping[Month, MonthlyFacts], closed: Month
) -> Iterator[Standing]:
    """Assess what can be, of the months through `closed`; what cannot yet, waits."""
    told = standing.waiting.told if standing.waiting else {}
    month = _following(standing, rows)
    while month in rows and month <= closed:
        together: Sequence[MonthlyFacts] = ()
        if (whole := awaits(policy, rows[month])) is not None:
            if month not in told or told[month].whole != whole:
                later = {when: each for when, each in told.items() if when > month}
                yield changed(
                    standing,
                    waiting=Waiting(
                        max(closed, standing.waiting.due) if standing.waiting else closed, later
                    ),
                )
                return
            assert policy.scope is not None
            together = told[month].counting(rows[month], policy.scope.take)
        standing, month = (
            assess(
                policy,
                standing if standing.waiting is None else changed(standing, waiting=None),
                rows[month],
                together,
            ),
            next_month(month),
        )
        yield standing


def _anew(
    policy: TierPolicy, standing: Standing, rows: Mapping[Month, MonthlyFacts], said: MonthsRestated
) -> Standing:
    """The standing by all months that had ended, assessed once more from the first.

    What was set by hand holds as it did.
    """
    heard = {
        month: told
        for month, each in said.told.items()
        for told in each
        if month in rows and awaits(policy, rows[month]) == told.whole
    }
    anew = Standing(override=standing.override, waiting=Waiting(said.through, heard))
    found = [Standing(override=standing.override)]
    return [*found, *_assessed(policy, anew, rows, said.through)][-1]


def _following(standing: Standing, rows: Mapping[Month, MonthlyFacts]) -> Month:
    return next_month(standing.through) if standing.through else min(rows, default="")


def standing_together(
    policy: TierPolicy,
    rows: Mapping[Month, MonthlyFacts],
    told: Mapping[str, Mapping[Month, Told]],
    of_each: Sequence[Standing],
) -> Standing:
    """Where a person stands who has several numbers, by the months of all together.

    `told` has what the person's wholes came to. A tier set by hand for any number holds, of several
    the first.
    """
    standing = [Standing(), *steps_together(policy, rows, told)][-1]
    by_hand = next((each.override for each in of_each if each.override), None)
    return changed(standing, override=by_hand) if by_hand else standing


def steps_together(
    policy: TierPolicy,
    rows: Mapping[Month, MonthlyFacts],
    told: Mapping[str, Mapping[Month, Told]],
) -> Iterator[Standing]:
    """What the standing of a person becomes by all their months, one by one."""
    standing = Standing()
    for month in sorted(rows):
        together: Sequence[MonthlyFacts] = ()
        if (whole := awaits(policy, rows[month])) is not None:
            if month not in told.get(whole, {}):
                yield changed(standing, waiting=Waiting(max(rows)))
                return
            assert policy.scope is not None
            together = told[whole][month].counting(rows[month], policy.scope.take)
        standing = assess(policy, standing, rows[month], together)
        yield standing


TIER = "tier"
"""The projection of the scheme `retail`; that of another is named behind it."""


def _due(standing: Standing) -> date | None:
    """The last day of a tier that was set by hand."""
    return standing.override.until if standing.override else None


def tier_under(policy: TierPolicy) -> Projection[Standing]:
    """The projection of standings under a policy."""
    name = TIER if policy.scheme == RETAIL else f"{TIER}-{policy.scheme}"
    return Projection(name, 1, Standing(), partial(evolve, policy), _due)


class States(NamedTuple):
    """The standing of a customer, and what it is made from.

    The months, and the complaints that were open at their ends.
    """

    standing: Standing
    months: Months
    complaints: Complaints


def _stand(policy: TierPolicy, states: States, event: Recorded) -> States:
    if not states.months.heeds(event):
        return states
    return states._replace(standing=evolve(policy, states.standing, event, _rows(states, event)))


def _rows(states: States, event: Recorded) -> Mapping[Month, MonthlyFacts]:
    return with_disputes(states.months.known_at(event), states.complaints)


def _kind(states: States) -> str:
    """What kind of customer it is, as far as a month has told."""
    rows = states.months.rows
    return (rows[max(rows)].traits.kind if rows else None) or "person"


def _react(
    version: Version, stream: str, before: States, after: States, event: Recorded
) -> Iterator[Proposed]:
    """What is told of a customer's tier by an event; see `Version.moved`."""
    if not before.months.heeds(event):
        return iter(())
    taken: Iterable[Standing] = (after.standing,)
    if not _is_one_step(before.standing, after.standing):
        taken = steps(version.policy, before.standing, event, _rows(before, event))
    return version.moved(stream, chain((before.standing,), taken), event)


def _is_one_step(before: Standing, after: Standing) -> bool:
    """Whether no more than one month lies between two standings: then it is not assessed again."""
    through = before.through
    return after.through == through or (
        through is not None and after.through == next_month(through)
    )


def _left(version: Version, states: States, event: Recorded) -> Left:
    return version.left(states.standing, _kind(states), event)


def _switched(
    version: Version, stream: str, states: States, event: Recorded, left: Left | None
) -> Iterator[Proposed]:
    return version.switched(stream, states.standing, _kind(states), event, left)


EVENT_TYPES = type_keys(
    TierOverridden,
    TierOverrideWithdrawn,
    DayClosed,
    SchemeSwitched,
    WholeMonthClosed,
    MonthsRestated,
)
STANDINGS = RULED
"""What a group of standings is called, before the version and its policy."""


def standings(name: str, policy: TierPolicy, facts: str, cases: str) -> Group:
    """The group that folds standings under a policy, from what the groups `facts` and `cases`
    have folded.
    """
    version = Version(standings_of(policy.scheme), name, policy)
    return Group(
        f"{STANDINGS}/{name}",
        ("customer",),
        States,
        (tier_under(policy),),
        partial(_stand, policy),
        EVENT_TYPES,
        is_broadcast=ends_a_month,
        react=partial(_react, version),
        context=TURNS,
        sources=(Source(facts, MONTHS), Source(cases, COMPLAINTS)),
        turn=Turn(
            heeds=version.heeds,
            by=version.by,
            follows=version.follows,
            left=partial(_left, version),
            told=partial(_switched, version),
        ),
    )
