"""How does a catalogue of offers read? What may be offered to whom, how often, and how it is
chosen.
"""

from collections.abc import Iterator
from datetime import date

from deploy.reports.saying import Saying
from domain.accounts.currencies import as_money
from domain.offers.catalogue import Catalogue, Offer, Validity
from domain.tiering.policy import STAGES


class Offering(Saying):
    """Says what a catalogue offers."""

    def sentences(self, catalogue: Catalogue) -> Iterator[str]:
        """What a catalogue says."""
        yield self.say(
            "catalogue",
            label=catalogue.label,
            count=len(catalogue.offers),
            age=catalogue.least_age,
        )
        if catalogue.mourning_days:
            yield self.say("mourning", days=catalogue.mourning_days)
        for offer in catalogue.offers:
            yield self._offer(catalogue, offer)
        yield from self._contact(catalogue)
        exploration, arms = catalogue.exploration, catalogue.arms
        yield self.say("new", first=exploration.first_permille, full=exploration.full_at)
        held_out = arms.random + arms.propensity + arms.no_levers + arms.eligible
        yield self.say("held out", count=held_out, experiment=arms.experiment)

    def _offer(self, catalogue: Catalogue, offer: Offer) -> str:
        asks = self.words["parts"].join(self._asks(catalogue, offer))
        return self.say(
            "offer",
            name=offer.name.get(self.language, offer.offer),
            offer=offer.offer,
            value=as_money(offer.value, catalogue.currency),
            asks=asks,
        )

    def _asks(self, catalogue: Catalogue, offer: Offer) -> Iterator[str]:
        """Whom and when it is for."""
        yield self.say("for", whom=self.words["any"].join(self.words[kind] for kind in offer.kinds))
        if offer.ages:
            yield self.say("ages", low=offer.ages[0], high=offer.ages[1])
        for name, values in (
            ("tiers", offer.tiers),
            ("segments", offer.segments),
            ("regions", offer.regions),
            ("not holding", offer.not_holding),
            ("stages", () if offer.stages == STAGES else map(self.named, offer.stages)),
            ("seasons", map(str, offer.seasons)),
        ):
            if said := self.listed(values):
                yield self.say(name, values=said)
        if offer.grade:
            yield self.say("grade", grade=offer.grade)
        yield from self._valid(offer.valid)
        if offer.again_days:
            yield self.say("again", days=offer.again_days)
        for condition in (offer.eligibility, offer.applicability, offer.suitability):
            if condition:
                yield self.condition(catalogue, condition)

    def _valid(self, valid: Validity) -> Iterator[str]:
        if valid.since != date.min:
            yield self.say("since", day=valid.since)
        if valid.until != date.max:
            yield self.say("until", day=valid.until)

    def _contact(self, catalogue: Catalogue) -> Iterator[str]:
        for cap in catalogue.contact.caps:
            channels = self.listed(map(self.named, cap.channels))
            of = self.named(cap.of)
            yield self.say("cap", most=cap.at_most, days=cap.days, channels=channels, of=of)
        for rule in catalogue.contact.suppression:
            yield self.say(
                "hidden",
                outcome=self.named(rule.outcome),
                times=rule.times,
                within=rule.within_days,
                days=rule.hide_days,
            )
