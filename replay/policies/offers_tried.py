"""Who would have been offered what under another catalogue?

Decisions of the past made once more under both, from what was known at each: by funnel and by
segment.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from domain.event_types import type_key
from domain.offers.catalogue import Catalogue
from domain.offers.events import DECISIONS, OfferDecided
from domain.tiering.assessment import tier_on
from projections.views.customer import Customer
from replay.history.redecide import Decisions, Situation, Unknown
from replay.policies.window import Window, sampled
from streams.journal import Journal

NAMED = 1_000
"""Decisions that a report names."""
PASSED = "passed"
"""The stage of an offer that nothing spoke against, whether it is shown or not."""
SHOWN = "shown"


@dataclass(frozen=True, order=True)
class Reached:
    """In how many decisions an offer was dropped at a stage, `passed` all, or was `shown`."""

    offer: str
    stage: str
    before: int
    after: int


@dataclass(frozen=True, order=True)
class Segment:
    """Decisions about customers of one kind: how many, how many show something else, and how many
    show anything.
    """

    by: str
    segment: str
    decisions: int
    changed: int
    before: int
    after: int


@dataclass(frozen=True, order=True)
class Moved:
    """A decision that would have shown something else, and why."""

    customer: str
    decision: str
    channel: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    because: tuple[str, ...]


@dataclass(frozen=True)
class OffersTried:
    """Two catalogues over the decisions of some days: `decisions` there are, `looked_at` were made
    once more, `left_out` cannot be, `changed` show something else.

    `funnel` has the stages at which another number of decisions ended. `moved` are a thousand at
    most.
    """

    since: str
    until: str
    decisions: int
    looked_at: int
    left_out: int
    customers: int
    changed: int
    funnel: tuple[Reached, ...]
    segments: tuple[Segment, ...]
    moved: tuple[Moved, ...]


def try_offers(
    journal: Journal,
    decisions: Decisions,
    catalogues: tuple[Catalogue, Catalogue],
    window: Window,
    progress: Callable[[int], None],
) -> OffersTried:
    """What was decided in a window, under two catalogues."""
    found, counts, left_out = (
        sampled(journal, window, type_key(OfferDecided), DECISIONS),
        _Counts(catalogues),
        0,
    )
    for event in found.events:
        try:
            situation = _alike(decisions.situation(event), catalogues)
            before, after = (decisions.under(event, situation, each) for each in catalogues)
        except Unknown:
            left_out += 1
        else:
            counts.add(situation, before, after)
        progress(1)
    first, last = window.span()
    return OffersTried(
        first,
        last,
        found.total,
        counts.looked_at,
        left_out,
        len(counts.customers),
        counts.changed,
        tuple(counts.funnel()),
        tuple(counts.by_segment()),
        tuple(sorted(counts.moved)[:NAMED]),
    )


def _alike(situation: Situation, catalogues: tuple[Catalogue, Catalogue]) -> Situation:
    """A situation that says the same under both: which caps somebody else had just used up is said
    by their numbers in the contact policy.
    """
    old, new = catalogues
    if old.contact == new.contact:
        return situation
    return situation._replace(asked=replace(situation.asked, full=()))


@dataclass
class _Counts:
    """What is counted on the way."""

    catalogues: tuple[Catalogue, Catalogue]
    looked_at: int = 0
    changed: int = 0
    customers: set[str] = field(default_factory=set)
    stages: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    segments: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    moved: list[Moved] = field(default_factory=list)

    def add(self, situation: Situation, before: OfferDecided, after: OfferDecided) -> None:
        """Count one more decision."""
        self.looked_at += 1
        self.customers.add(situation.customer.stream)
        for is_after, decided in enumerate((before, after)):
            self.stages.update((*each, bool(is_after)) for each in _stages(decided))
        changed = before.offers != after.offers
        self.changed += changed
        for by, segment in _segments(situation, before):
            self.segments[by, segment, "decisions"] += 1
            self.segments[by, segment, "changed"] += changed
            self.segments[by, segment, "before"] += bool(before.offers)
            self.segments[by, segment, "after"] += bool(after.offers)
        if changed:
            self.moved.append(
                Moved(
                    situation.customer.stream,
                    before.decision,
                    before.channel,
                    before.offers,
                    after.offers,
                    tuple(_reasons(self.catalogues, before, after)),
                )
            )

    def funnel(self) -> Iterator[Reached]:
        """Offer by offer, the stages of which the numbers differ."""
        for offer, stage in sorted({(offer, stage) for offer, stage, _ in self.stages}):
            before, after = (self.stages[offer, stage, each] for each in (False, True))
            if before != after:
                yield Reached(offer, stage, before, after)

    def by_segment(self) -> Iterator[Segment]:
        """Every segment."""
        for by, segment in sorted({(by, segment) for by, segment, _ in self.segments}):
            counted = (
                self.segments[by, segment, each]
                for each in ("decisions", "changed", "before", "after")
            )
            yield Segment(by, segment, *counted)


def _stages(decided: OfferDecided) -> Iterator[tuple[str, str]]:
    yield from ((drop.offer, drop.stage) for drop in decided.dropped)
    yield from ((each.offer, PASSED) for each in decided.candidates)
    yield from ((offer, SHOWN) for offer in decided.offers)


def _segments(situation: Situation, decided: OfferDecided) -> Iterator[tuple[str, str]]:
    day = situation.asked.now.date()
    who = situation.customer.on(day)
    stated = who.profile.facts.get("segment")
    yield "channel", decided.channel
    yield "kind", who.profile.kind or "person"
    yield "segment", stated.value if stated else "none"
    yield "tier", _tier(who, situation)


def _tier(who: Customer, situation: Situation) -> str:
    if not who.scheme:
        return "none"
    return tier_on(who.policy, who.standing, situation.asked.now.date())


def _reasons(
    catalogues: tuple[Catalogue, Catalogue], before: OfferDecided, after: OfferDecided
) -> Iterator[str]:
    """Why offers are shown no more, and why others are; the stage alone, which tells nothing of
    somebody that `replay explain-decision` would not.
    """
    old, new = ({offer.offer for offer in catalogue.offers} for catalogue in catalogues)
    dropped = {drop.offer: drop.stage for drop in after.dropped}
    for offer in before.offers:
        if offer not in after.offers:
            gone = "others come first" if offer in new else "not in the catalogue any more"
            yield f"not {offer}: {dropped.get(offer, gone)}"
    held_back = {drop.offer: f"no longer {drop.stage}" for drop in before.dropped}
    for offer in after.offers:
        if offer not in before.offers:
            came = "comes first now" if offer in old else "new in the catalogue"
            yield f"{offer}: {held_back.get(offer, came)}"
