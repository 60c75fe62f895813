"""What is the choice of offers worth?

Hold-out arms beside the usual, and what another catalogue would have earned, from the journal.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from statistics import fmean
from typing import Any

import structlog

from domain.event_types import type_key
from domain.fastcopy import changed
from domain.offers.catalogue import Catalogue
from domain.offers.columns import in_full, is_in_columns
from domain.offers.events import (
    DECISIONS,
    Arm,
    Candidate,
    OfferAccepted,
    OfferDecided,
    OfferDeclined,
    OfferLapsed,
)
from domain.offers.ranking import CHANCE, priority, ranked, standing_of
from projections.offers.exploration import probability
from projections.views.decision import with_probability
from replay.evaluation.funnel import FEW
from replay.evaluation.off_policy import Estimate, estimates, lift, mean
from replay.history.redecide import catalogues
from streams.journal import Journal

log = structlog.get_logger()

SLACK = timedelta(days=7)
MOST = 100_000
"""Decisions that are waited for before those are let go whose time is over."""
EVENT_TYPES = [
    type_key(event) for event in (OfferDecided, OfferAccepted, OfferDeclined, OfferLapsed)
]


@dataclass(frozen=True)
class Outcome:
    """A decision whose first offer was answered: yes, no, or not at all."""

    stream: str
    decided: OfferDecided
    accepted: bool

    @property
    def first(self) -> Candidate:
        """What was offered first."""
        return self.decided.candidates[0]

    @property
    def earned(self) -> int:
        """What it brought: the value of the offer, in minor units, or nothing."""
        return self.first.value if self.accepted else 0


@dataclass(frozen=True)
class ArmSeen:
    """What a decision of an arm brought, one customer one voice.

    Acceptances, value in minor units, and the lift of the usual choice over it.
    """

    arm: Arm
    decisions: int
    accepted: Estimate
    earned: Estimate
    lift_accepted: Estimate
    lift_earned: Estimate


def outcomes(journal: Journal) -> Iterator[Outcome]:
    """Every decision of ours that was answered, or lapsed; in full.

    One whose catalogue the journal does not have is left out, and told in the log.
    """
    adopted = catalogues(journal)
    for shard in journal:
        waiting: dict[str, OfferDecided] = {}
        most = MOST
        for event in shard.events(EVENT_TYPES):
            match event.data:
                case OfferDecided() as decided if event.source == DECISIONS and decided.candidates:
                    waiting[decided.decision] = decided
                case (
                    OfferAccepted(decision=name, offer=offer)
                    | OfferDeclined(decision=name, offer=offer)
                    | OfferLapsed(decision=name, offer=offer)
                ):
                    if (found := waiting.get(name)) is not None and found.offer == offer:
                        yes = isinstance(event.data, OfferAccepted)
                        if (whole := _in_full(waiting.pop(name), adopted)) is not None:
                            yield Outcome(event.stream, whole, yes)
            if len(waiting) > most:
                over = event.business_date - SLACK
                waiting = {
                    name: each
                    for name, each in waiting.items()
                    if each.answer_by is None or each.answer_by >= over
                }
                most = len(waiting) + MOST


def _in_full(decided: OfferDecided, adopted: Mapping[str, Catalogue]) -> OfferDecided | None:
    """As it was made; a decision of an older release, which is stored in full, as it is."""
    if not is_in_columns(decided):
        return decided
    if (catalogue := adopted.get(decided.catalogue)) is None:
        log.warning("catalogue_missing", catalogue=decided.catalogue, decision=decided.decision)
        return None
    return with_probability(in_full(decided, catalogue), catalogue)


def arms_seen(found: Iterable[Outcome]) -> list[ArmSeen]:
    """Each arm beside the usual choice, one customer one voice.

    Decisions in which the models had no say belong to none.
    """
    by_arm: dict[Arm, dict[str, list[Outcome]]] = {}
    for outcome in found:
        if not outcome.decided.by_value:
            by_arm.setdefault(outcome.decided.arm, {}).setdefault(outcome.stream, []).append(
                outcome
            )
    yes = {
        arm: [fmean(each.accepted for each in some) for some in streams.values()]
        for arm, streams in by_arm.items()
    }
    earned = {
        arm: [fmean(each.earned for each in some) for some in streams.values()]
        for arm, streams in by_arm.items()
    }
    usual_yes, usual_earned = yes.get("usual", []), earned.get("usual", [])
    return [
        ArmSeen(
            arm,
            sum(map(len, by_arm[arm].values())),
            mean(yes[arm]),
            mean(earned[arm]),
            lift(usual_yes, yes[arm]),
            lift(usual_earned, earned[arm]),
        )
        for arm in sorted(by_arm)
    ]


def without_few(arm: ArmSeen) -> dict[str, Any]:
    """What an arm brought, for a report; None where so few customers stand behind it that it would
    tell of them.
    """
    said = asdict(arm)
    if arm.accepted.effective >= FEW:
        return said
    return said | dict.fromkeys(name for name, each in said.items() if isinstance(each, dict))


def what_it_would_earn(found: Iterable[Outcome], other: Catalogue) -> list[Estimate]:
    """What another catalogue's values, contexts and levers would have earned a decision, in minor
    units, from the decisions that were explored.

    Only decisions in which something was drawn say something of it, and none that a lot alone
    decided, or with a candidate that the other catalogue does not have.
    """
    rewards, weights, expected, of_logged = [], list[float](), list[float](), list[float]()
    values = {offer.offer: offer.value for offer in other.offers}
    for outcome in found:
        decided = outcome.decided
        explored = decided.arm not in CHANCE and any(
            candidate.drawn is not None for candidate in decided.candidates
        )
        if not (
            explored
            and decided.probability
            and all(candidate.offer in values for candidate in decided.candidates)
        ):
            continue
        again = ranked(
            [_reweighed(candidate, decided, other) for candidate in decided.candidates],
            other,
            "usual",
            decided.decision,
        )
        chances = {candidate.offer: _first(candidate, again, other) for candidate in again}
        rewards.append(values[outcome.first.offer] if outcome.accepted else 0)
        weights.append(chances[outcome.first.offer] / decided.probability)
        expected.append(
            sum(
                chances[candidate.offer] * candidate.propensity * values[candidate.offer]
                for candidate in again
            )
        )
        of_logged.append(outcome.first.propensity * values[outcome.first.offer])
    return estimates(rewards, weights, expected, of_logged)


def _reweighed(candidate: Candidate, decided: OfferDecided, other: Catalogue) -> Candidate:
    offer = other.find(candidate.offer)
    context, levers = other.context(decided.channel, offer.issue), offer.levers_percent
    by = priority(
        candidate.propensity if candidate.drawn is None else candidate.drawn,
        context,
        offer.value,
        levers,
    )
    return changed(
        candidate,
        value=offer.value,
        context_percent=context,
        levers_percent=levers,
        priority=by,
    )


def _first(candidate: Candidate, among: tuple[Candidate, ...], catalogue: Catalogue) -> float:
    """How likely a candidate is to come first in the usual way."""
    rank = standing_of(catalogue.find(among[0].offer), "usual")
    if standing_of(catalogue.find(candidate.offer), "usual") != rank:
        return 0.0
    rivals = [
        other
        for other in among
        if other is not candidate and standing_of(catalogue.find(other.offer), "usual") == rank
    ]
    return probability(candidate, rivals, "usual")
