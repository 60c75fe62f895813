"""Would the bank decide so again?

A decision made once more from the journal alone, and compared byte for byte.
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from pydantic import JsonValue, ValidationError

from domain.envelope import Recorded
from domain.event import Interaction
from domain.event_types import type_key
from domain.households.events import KINDS
from domain.offers.catalogue import Catalogue
from domain.offers.columns import in_columns, in_full, is_in_columns
from domain.offers.events import CATALOGUES, DECISIONS, CatalogueAdopted, OfferDecided
from domain.rollout.events import CATALOGUE, STREAM, VersionAdopted, VersionProposed
from domain.tiering.policy import RETAIL, TierPolicy
from projections.cases.complaints import CASES
from projections.customers.group import CUSTOMERS
from projections.customers.life import LIFE
from projections.models.learner import MODEL, Learnt, learnt_from
from projections.models.propensity import Model
from projections.offers.group import REACTIONS
from projections.projection import Group
from projections.registry import DECIDING, GROUPS
from projections.rollout.versions import Rules, begun, name_of, policy_of, rules_of
from projections.tiering.standing import STANDINGS
from projections.views.customer import Customer, customer_of
from projections.views.decision import Asked, Household, decide_offer, with_probability
from projections.views.history import customers_under
from projections.views.person import person_of
from replay.history.as_of import as_of, history
from replay.history.because import Because, because
from replay.history.person import wholes_then
from streams.broker.routing import shard_of
from streams.folds.active_groups import decided as versions_of
from streams.journal import FORGOTTEN, Journal, source_key

UNASKED = learnt_from(MODEL.initial, 0)
"""The model of an offer that did not pass the funnel: nobody asked what it had learnt."""


OURS = frozenset({*DECIDING, MODEL.key})
"""What this release can fold again."""
STREAMS = ("household:", "company:", "model:", "customer:")
"""Whose positions a decision names beside those of the customer's groups.

Of another number of the person, and of a household or company group that counts for the tier, as
`stream/group`.
"""
NOT_DECIDING = {
    entry.base: entry.group.initial
    for entry in GROUPS
    if entry.group is not None and entry.of_customer and not entry.decides
}
"""The states before any event of groups of a customer that no decision is made from."""


class Unknown(ValueError):
    """The journal does not have something that a decision was made by."""


class OtherRelease(Unknown):
    """A decision that another release made, by groups or models of other versions.

    That one can make it again.
    """


class Forgotten(Unknown):
    """Something that a decision was made by had learnt from customers who were forgotten since.

    It cannot be made again, and need not be.
    """


@dataclass(frozen=True)
class Remade:
    """A decision as it was recorded, and as it comes out now.

    `differs` names the fields that are not the same. `in_full` is what was recorded, with all that
    follows from the catalogue: each candidate, each drop, the probability of the first.
    """

    decision: str
    customer: str
    at: str
    shard: int
    position: int
    equal: bool
    differs: tuple[str, ...]
    recorded: dict[str, Any]
    again: dict[str, Any]
    in_full: dict[str, Any]


class Explained(NamedTuple):
    """A decision made again, and why each of its candidates stands in its place, the first
    first.
    """

    remade: Remade
    because: tuple[Because, ...]


class Situation(NamedTuple):
    """What a decision was made from, beside the catalogue and the models."""

    customer: Customer
    households: tuple[Household, ...]
    asked: Asked


class _By(NamedTuple):
    """The rules that a decision was made by, and the version of each scheme."""

    rules: Rules
    names: Mapping[str, str]


class Decisions:
    """Makes decisions of one journal again.

    Cheapest in their order, because what the models had learnt by then is folded once.
    """

    def __init__(self, journal: Journal, begun_with: TierPolicy) -> None:
        self._journal = journal
        self._models = _ModelsThen(journal)
        self._catalogues = catalogues(journal)
        self._versions = begun(versions_of(journal), begun_with)
        self._policies = {
            name: policy_of(version)
            for lineup in self._versions.schemes.values()
            for name, version in lineup.known.items()
        }
        # trap: a file that names its scheme had none in the release before, and another name
        for known in (begun_with, begun_with.model_copy(update={"scheme": RETAIL})):
            self._policies.setdefault(name_of(known), known)

    def find(self, decision: str) -> Recorded | None:
        """The decision of this number; None if it was never recorded."""
        key = source_key(DECISIONS, decision)
        known = ((shard, where) for shard in self._journal for where in shard.known([key]).values())
        there = (
            event
            for shard, where in known
            for event in shard.history(where.stream, where.version - 1, 1)
        )
        return next((event for event in there if event.id == decision), None)

    def all(self) -> Iterator[Recorded]:
        """Every decision of ours in the journal, shard by shard, in order."""
        for shard in self._journal:
            yield from (
                event
                for event in shard.events([type_key(OfferDecided)])
                if event.source == DECISIONS
            )

    def again(self, event: Recorded) -> Remade:
        """Decide once more, by what was known then.

        Raises `Unknown` where the journal does not have what it was decided by, any more or at all.
        """
        decided = _decision(event)
        catalogue = self._catalogue(decided)
        customer, households, asked = self.situation(event)
        models = {offer.offer: self._model(offer.offer, decided) for offer in catalogue.offers}
        made = decide_offer(customer, households, catalogue, models, asked)
        try:
            full = with_probability(in_full(decided, catalogue), catalogue)
        except KeyError as missing:
            raise Unknown(f"the catalogue {catalogue.label} does not have {missing}") from None
        remade = _compared(
            event,
            decided,
            in_columns(made) if is_in_columns(decided) else with_probability(made, catalogue),
            full,
            shard_of(event.stream, len(self._journal)),
        )
        if not remade.equal and (
            gone := [
                name
                for name, upto in decided.upto.items()
                if ":" in name and self._forgets(name.partition("/")[0], upto)
            ]
        ):
            raise Forgotten(f"{', '.join(gone)} had learnt from customers who were forgotten since")
        return remade

    def explained(self, event: Recorded) -> Explained:
        """Decide once more, and say why each candidate stands in its place.

        Nothing is said of a record that does not come out the same: it would add up to nothing.
        Raises `Unknown` as `again` does.
        """
        remade, decided = self.again(event), _decision(event)
        if not remade.equal:
            return Explained(remade, ())
        catalogue = self._catalogue(decided)
        full = in_full(decided, catalogue)
        models = {each.offer: self._model(each.offer, decided) for each in full.candidates}
        return Explained(remade, because(full, catalogue, models))

    def _catalogue(self, decided: OfferDecided) -> Catalogue:
        catalogue = self._catalogues.get(decided.catalogue)
        if catalogue is None:
            raise Unknown(f"the journal does not have the catalogue {decided.catalogue}")
        return catalogue

    def situation(self, event: Recorded) -> Situation:
        """What a decision was made from; raises `Unknown` as `again` does."""
        decided = _decision(event)
        if others := _decided_by(decided) - OURS:
            raise OtherRelease(
                f"it was decided by {', '.join(sorted(others))}, and this release has "
                f"{', '.join(sorted(OURS))}"
            )
        asked = Asked(
            decided.decision,
            decided.channel,
            event.occurred_at,
            decided.limit,
            decided.personalised,
            decided.full,
            decided.asked,
        )
        return Situation(
            self._person(event.stream, decided), tuple(self._households(decided.upto)), asked
        )

    def under(self, event: Recorded, situation: Situation, catalogue: Catalogue) -> OfferDecided:
        """What would have been decided under a catalogue, to be compared with another.

        What the decision did not ask of models and households is taken as it was when it was
        recorded. Each offer draws for itself.
        """
        return decide_offer(
            situation.customer,
            self._households_then(event, situation, catalogue),
            catalogue,
            {offer.offer: self._model_then(offer.offer, event) for offer in catalogue.offers},
            situation.asked,
            apart=True,
        )

    def _households_then(
        self, event: Recorded, situation: Situation, catalogue: Catalogue
    ) -> tuple[Household, ...]:
        if situation.households or not catalogue.asks_households(situation.asked.channel):
            return situation.households
        initial: Any = REACTIONS.initial
        return tuple(
            Household(
                name,
                (as_of(self._journal, REACTIONS, name, event.recorded_at) or initial).offers,
                event.position,
            )
            for name in situation.customer.offers.households
        )

    def _model_then(self, offer: str, event: Recorded) -> Learnt:
        """What a model had learnt by a decision, though that may not have asked it."""
        decided = _decision(event)
        if f"model:{offer}" in decided.upto:
            return self._model(offer, decided)
        return self._models.near(offer, event.recorded_at)

    def _forgets(self, stream: str, upto: int) -> bool:
        """Whether something that a stream held by a position was forgotten since."""
        shard, version = self._journal[shard_of(stream, len(self._journal))], 0
        while rows := shard.rows(stream, version):
            if any(
                row.event_type == FORGOTTEN and row.position <= upto for row in shard.opened(rows)
            ):
                return True
            version += len(rows)
        return False

    def _person(self, stream: str, decided: OfferDecided) -> Customer:
        """The customer as they were, with the other numbers that the person had then."""
        others: dict[str, dict[str, int]] = {}
        wholes: dict[str, int] = {}
        for name, position in decided.upto.items():
            about, _, group = name.partition("/")
            if about.startswith("customer:"):
                others.setdefault(about, {})[group] = position
            elif about.startswith(KINDS) and group:
                wholes[about] = position
        own = {name: at for name, at in decided.upto.items() if not name.startswith(STREAMS)}
        by = self._by(own, decided.precedence)
        each = [self._customer(number, at, by) for number, at in {stream: own, **others}.items()]
        found = wholes_then(self._journal, by.rules, each, upto=wholes) if others else {}
        return person_of(each, found)

    def _by(self, upto: Mapping[str, int], precedence: str | None) -> "_By":
        """The policies that somebody stood under, in the order in which their schemes counted."""
        names = [
            name.removeprefix(f"{STANDINGS}/") for name in upto if name.startswith(f"{STANDINGS}/")
        ]
        if unknown := [name for name in names if name not in self._policies]:
            raise Unknown(f"the journal does not have the tier policy {STANDINGS}/{unknown[0]}")
        policies = {name: self._policies[name] for name in names}
        try:
            rules = rules_of(self._versions, [*policies.values()], precedence)
        except KeyError:
            raise Unknown(f"the journal does not have the precedence {precedence}") from None
        return _By(rules, {policy.scheme: name for name, policy in policies.items()})

    def _customer(self, stream: str, upto: Mapping[str, int], by: "_By") -> Customer:
        positions = {name.partition("/")[0]: at for name, at in upto.items()}
        states = {
            group.name: self._states(group, stream, positions[group.name])
            for group in (CUSTOMERS, CASES, LIFE, REACTIONS)
            if group.name in positions or group is not LIFE
        }
        states.update(NOT_DECIDING)
        standings = [
            self._states(
                customers_under([policy]), stream, upto[f"{STANDINGS}/{by.names[scheme]}"]
            ).standings[0]
            for scheme, policy in by.rules.policies.items()
        ]
        return customer_of(stream, states, by.rules.tiers(standings), upto)

    def _households(self, upto: Mapping[str, int]) -> Iterable[Household]:
        return [
            Household(name, self._states(REACTIONS, name, position).offers, position)
            for name, position in upto.items()
            if name.startswith("household:") and "/" not in name
        ]

    def _states(self, group: Group, stream: str, upto: int) -> Any:
        return as_of(self._journal, group, stream, upto=upto) or group.initial

    def _model(self, offer: str, decided: OfferDecided) -> Learnt:
        upto = decided.upto.get(f"model:{offer}")
        if upto is None:
            return UNASKED
        return (
            Learnt(None, 0, upto, decided.broken[offer])
            if offer in decided.broken
            else self._models.at(offer, upto)
        )


class _ModelsThen:
    """What each model had learnt by a position; asked for in order, every example is
    folded once.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: dict[str, tuple[Learnt, Model, Iterator[Recorded], Recorded | None]] = {}
        self._recorded: dict[str, list[tuple[datetime, int]]] = {}

    def near(self, offer: str, moment: datetime) -> Learnt:
        """What a model had learnt by a moment, or by the later one that was asked for before: in
        their order nothing is folded twice.
        """
        upto, known = self._known_by(offer, moment), self._known.get(offer)
        return self.at(offer, max(upto, known[0].upto) if known else upto)

    def _known_by(self, offer: str, moment: datetime) -> int:
        """The position of the last example of a model that was recorded by a moment."""
        if offer not in self._recorded:
            self._recorded[offer] = [
                (each.recorded_at, each.position) for each in self._examples(offer)
            ]
        recorded = self._recorded[offer]
        behind = bisect_right(recorded, moment, key=itemgetter(0))
        return recorded[behind - 1][1] if behind else 0

    def _examples(self, offer: str) -> Iterator[Recorded]:
        stream = f"model:{offer}"
        return history(self._journal[shard_of(stream, len(self._journal))], stream)

    def at(self, offer: str, upto: int) -> Learnt:
        """What the model of an offer had learnt by a position."""
        known = self._known.get(offer)
        if known is None or known[0].upto > upto:
            examples = self._examples(offer)
            known = learnt_from(MODEL.initial, 0), MODEL.initial, examples, next(examples, None)
        learnt, model, examples, coming = known
        if learnt.upto < upto:
            while coming is not None and coming.position <= upto:
                model, coming = MODEL.evolve(model, coming), next(examples, None)
            learnt = learnt_from(model, upto)
        self._known[offer] = learnt, model, examples, coming
        return learnt


def _decision(event: Recorded) -> OfferDecided:
    """A decision that says what it was made by; raises `Unknown` for one that does not."""
    decided = event.data
    if not isinstance(decided, OfferDecided) or not decided.upto:
        raise Unknown(f"event {event.id} of {event.source} does not say what it was decided by")
    return decided


def catalogues(journal: Journal) -> dict[str, Catalogue]:
    """Every catalogue that decisions may name, by its label: what older releases adopted, and what
    was adopted or proposed since.

    The first of a label counts: a label has part of a digest, and later ones can be made to fit.
    """
    found: dict[str, Catalogue] = {}
    for stream in (CATALOGUES, STREAM):
        for event in history(journal[shard_of(stream, len(journal))], stream):
            if (said := _catalogue_in(event.data)) is not None:
                with suppress(ValidationError):  # of a release that this one cannot read
                    catalogue = Catalogue.model_validate_json(json.dumps(said))
                    found.setdefault(catalogue.label, catalogue)
    return found


def _catalogue_in(said: Interaction) -> dict[str, JsonValue] | None:
    match said:
        case CatalogueAdopted(catalogue=catalogue):
            return catalogue
        case (
            VersionAdopted(group=group, policy=policy) | VersionProposed(group=group, policy=policy)
        ) if group == CATALOGUE:
            return policy
        case _:
            return None


def _compared(
    event: Recorded, then: OfferDecided, now: OfferDecided, full: OfferDecided, shard: int
) -> Remade:
    """Byte for byte: what is stored of a decision is its fields in one spelling."""
    stored, made = then.model_dump_json(), now.model_dump_json()
    recorded, again = then.model_dump(mode="json"), now.model_dump(mode="json")
    differs = tuple(
        sorted(
            name for name in recorded.keys() | again.keys() if recorded.get(name) != again.get(name)
        )
    )
    return Remade(
        then.decision,
        event.stream,
        event.occurred_at.isoformat(),
        shard,
        event.position,
        stored == made,
        differs,
        recorded,
        again,
        full.model_dump(mode="json"),
    )


def _decided_by(decided: OfferDecided) -> set[str]:
    """The groups and the models that a decision was made by, with their versions."""
    groups = {name.partition("/")[0] for name in decided.upto if not name.startswith(STREAMS)}
    others = decided.rivals.model if decided.rivals else ()
    models = (*(candidate.model for candidate in decided.candidates), *others)
    return (groups | {model.rpartition("/")[0] for model in models}) - {""}
