"""What is decided.

Lawful whatever happened before, explorative to the degree that is said, and the same every time.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.campaigns.events import CampaignTouched
from domain.customers.events import (
    ConsentGranted,
    ConsentWithdrawn,
    CustomerOnboarded,
    RiskProfileAssessed,
)
from domain.envelope import Recorded
from domain.event import Interaction
from domain.offers.catalogue import Catalogue, Offer
from domain.offers.columns import in_columns, in_full
from domain.offers.events import (
    Candidate,
    ExampleLabelled,
    MemberContacted,
    OfferAccepted,
    OfferDecided,
    OfferDeclined,
    OfferLapsed,
    OfferPresented,
    Rivals,
)
from domain.tiering.assessment import Standing
from domain.tiering.policy import TierPolicy
from projections.customers.group import CUSTOMERS
from projections.models.learner import MODEL, Learnt, learnt, learnt_from
from projections.models.propensity import shared
from projections.models.reasons import words
from projections.offers.exploration import draw, probability
from projections.offers.group import REACTIONS
from projections.store import StoredState
from projections.views.customer import Customer
from projections.views.decision import Asked, Household, decide_offer, with_probability
from projections.views.features import features
from tests.conftest import recorded
from tests.sizes import sized

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
OFFERS = (
    Offer(offer="a-plan", name={"en": "Plan"}, value=100),
    Offer(offer="b-fund", name={"en": "Fund"}, value=900, risk="R3"),
    Offer(offer="c-shares", name={"en": "Shares"}, value=900, risk="R5"),
    Offer(offer="d-notice", name={"en": "Notice"}, value=1, purpose="service", again_days=30),
)
SHELF = Catalogue(
    catalogue="test",
    version=1,
    currency="CNY",
    offers=OFFERS,
    contact={  # type: ignore[arg-type]
        "caps": [
            {"channels": ["email"], "at_most": 1},
            {"channels": ["email", "sms"], "at_most": 2, "days": 14},
            {"channels": ["sms"], "at_most": 1, "of": "household"},
        ],
    },
)
NOBODY = learnt_from(MODEL.initial, 0)
MODELS = dict.fromkeys((offer.offer for offer in OFFERS), NOBODY)

names = st.sampled_from([offer.offer for offer in OFFERS])
channels = st.sampled_from(["app", "email", "sms"])
decisions = st.sampled_from(["d1", "d2", "d3", "d4"])
purposes = st.sampled_from(["marketing", "profiling", "service"])
happenings: st.SearchStrategy[Interaction] = st.one_of(
    st.builds(
        ConsentGranted, purpose=purposes, source=st.just("app"), channel=st.none() | channels
    ),
    st.builds(
        ConsentWithdrawn, purpose=purposes, source=st.just("app"), channel=st.none() | channels
    ),
    st.builds(
        RiskProfileAssessed,
        grade=st.sampled_from(["C1", "C3", "C5"]),
        valid_until=st.sampled_from([date(2026, 5, 31), date(2026, 6, 1)]),
        source=st.just("app"),
    ),
    st.builds(
        OfferDecided,
        decision=decisions,
        channel=channels,
        offers=st.lists(names, min_size=1, max_size=2, unique=True).map(tuple),
        features=st.just({"age": 1}),
        catalogue=st.just("c"),
        present_by=st.none()
        | st.sampled_from([NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)]),
    ),
    st.builds(OfferPresented, decision=decisions, offer=names, channel=channels),
    st.builds(CampaignTouched, campaign=names, channel=channels),
    st.builds(OfferAccepted, decision=decisions, offer=names, channel=channels),
    st.builds(OfferDeclined, decision=decisions, offer=names, channel=channels),
    st.builds(OfferLapsed, decision=decisions, offer=names),
)
sequences = st.lists(st.tuples(happenings, st.integers(0, 70 * 24)), max_size=40).map(
    lambda each: [
        recorded(data, position)._replace(occurred_at=NOW - timedelta(hours=hours), recorded_at=NOW)
        for position, (data, hours) in enumerate(each, start=2)
    ]
)
others = st.lists(st.integers(0, 20), max_size=3).map(
    lambda days: [NOW - timedelta(days=day) for day in days]
)
BEGINNING = recorded(CustomerOnboarded(source="branch", born=date(1980, 1, 1)), 1)._replace(
    occurred_at=NOW - timedelta(days=100)
)


def customer(policy: TierPolicy, events: list[Recorded]) -> Customer:
    """The read models after these events."""
    facts, reactions = CUSTOMERS.initial, REACTIONS.initial
    for event in (BEGINNING, *events):
        facts, reactions = CUSTOMERS.evolve(facts, event), REACTIONS.evolve(reactions, event)
    return Customer(
        "customer:1", *facts[:3], Standing(), reactions.offers, policy, {CUSTOMERS.name: 1}
    )


def household(contacts: list[datetime]) -> Household:
    """A household whose other members were sent messages at these times."""
    states = REACTIONS.initial
    for number, at in enumerate(contacts, start=1):
        told = MemberContacted(member="customer:2", channel="sms", at=at, name=f"other-{number}")
        states = REACTIONS.evolve(states, recorded(told, number))
    return Household("household:1", states.offers, len(contacts))


def said_no(events: list[Recorded], purpose: str, channel: str) -> bool:
    """Whether the last word on a purpose, for all channels or this one, was a no.

    Of one moment the no counts.
    """
    words = [
        event
        for event in events
        if isinstance(event.data, ConsentGranted | ConsentWithdrawn)
        and event.data.purpose == purpose
    ]
    last: list[Recorded] = []
    for scope in (None, channel):
        of_scope = [event for event in words if event.data.channel == scope]  # type: ignore[attr-defined]
        if of_scope:
            last.append(max(of_scope, key=lambda event: (event.occurred_at, event.position)))
    if not last:
        return False
    newest = max(event.occurred_at for event in last)
    return any(
        isinstance(event.data, ConsentWithdrawn) for event in last if event.occurred_at == newest
    )


def contacts_of(events: list[Recorded], of: set[str], days: int) -> set[str]:
    """Who was contacted on these channels within so many days.

    Each decision or campaign once, by when it was first said.
    """
    made: dict[tuple[str, str], datetime] = {}
    for event in events:
        at, name = event.occurred_at, f"{event.source}#{event.id}"
        match event.data:
            case OfferPresented(decision=decision, channel=channel):
                first = made.setdefault((channel, decision), at)
                if abs(first - at) > timedelta(days=1):
                    made[channel, name] = at
            case CampaignTouched(channel=channel):
                made[channel, name] = at
    return {
        channel + name
        for (channel, name), at in made.items()
        if channel in of and at > NOW - timedelta(days=days)
    }


def refused_often(
    events: list[Recorded], offer: str, kind: type[Interaction], times: int, within: int, hide: int
) -> bool:
    """Whether an offer is hidden, by every choice of answers there is."""
    at = sorted(
        event.occurred_at
        for event in events
        if isinstance(event.data, kind) and event.data.offer == offer
    )  # type: ignore[attr-defined]
    spans = zip(at, at[times - 1 :], strict=False)
    return any(
        last - begun <= timedelta(days=within) and last + timedelta(days=hide) > NOW
        for begun, last in spans
    )


@settings(max_examples=sized(80, 400), deadline=None)
@given(events=sequences, channel=channels, told=others)
def test_no_sequence_of_interactions_leads_to_an_unlawful_offer(
    bohai: TierPolicy, events: list[Recorded], channel: Any, told: list[datetime]
) -> None:
    """Consent, suitability and contact policy hold for everything that is shown, whatever happened
    before, in whatever order.
    """
    decided = decide_offer(
        customer(bohai, events),
        [household(told)],
        SHELF,
        MODELS,
        Asked("d9", channel, NOW, limit=10),
    )
    assessed = [event for event in events if isinstance(event.data, RiskProfileAssessed)]

    for offer in map(SHELF.find, decided.offers):
        assert not said_no(events, offer.purpose, channel)
        assert not refused_often(events, offer.offer, OfferDeclined, 2, 15, 30)
        assert not refused_often(events, offer.offer, OfferLapsed, 2, 30, 60)
        if offer.grade is not None:
            risk: Any = max(assessed, key=lambda event: (event.occurred_at, event.position)).data
            assert risk.valid_until >= NOW.date()
            assert risk.grade[1] >= offer.grade[1]
        accepted = [
            event.occurred_at
            for event in events
            if isinstance(event.data, OfferAccepted) and event.data.offer == offer.offer
        ]
        assert not accepted or (
            offer.again_days and max(accepted) + timedelta(days=offer.again_days) <= NOW
        )
    if decided.offers and channel == "email":
        assert not contacts_of(events, {"email"}, 7)
    if decided.offers and channel in {"email", "sms"}:
        assert len(contacts_of(events, {"email", "sms"}, 14)) < 2
    if decided.offers and channel == "sms":
        assert not contacts_of(events, {"sms"}, 7)
        assert not [at for at in told if at > NOW - timedelta(days=7)]
    if said_no(events, "profiling", channel):
        assert decided.by_value
        assert decided.features == {}


@given(sequences)
def test_the_same_states_lead_to_the_same_decision(
    bohai: TierPolicy, events: list[Recorded]
) -> None:
    """Nothing but what is given decides: no clock, no chance without a seed, no order of a dict."""
    who, asked = customer(bohai, events), Asked("d9", "app", NOW, limit=3)
    kept = replace(who, profile=CUSTOMERS.parts[0].decode(CUSTOMERS.parts[0].encode(who.profile)))

    made, again = (
        with_probability(decide_offer(each, [], SHELF, MODELS, asked), SHELF).model_dump_json()
        for each in (who, kept)
    )
    assert made == again


def drawn(*numbers: tuple[str, float, float, int], seed: str = "s") -> list[Candidate]:
    """Candidates of these names, propensities, evidence and values, with their draws."""
    made, chance = [], Random(seed)
    for offer, likely, evidence, value in numbers:
        at = draw(chance, likely, evidence)
        made.append(
            Candidate(
                offer=offer,
                propensity=likely,
                value=value,
                priority=at * value,
                model="m",
                evidence=evidence,
                drawn=at,
            )
        )
    return made


SHELVES = [
    [("a", 0.05, 30.0, 100), ("b", 0.04, 400.0, 100), ("c", 0.02, 10.0, 300)],
    [("a", 0.5, 12.0, 100), ("b", 0.5, 12.0, 100)],
    [
        ("a", 0.02, 10.0, 500),
        ("b", 0.03, 10.0, 400),
        ("c", 0.3, 1400.0, 40),
        ("d", 0.01, 50.0, 900),
    ],
]


@pytest.mark.parametrize("numbers", SHELVES)
def test_the_probability_that_is_logged_is_how_often_an_offer_comes_first(
    numbers: list[tuple[str, float, float, int]],
) -> None:
    """Off-policy evaluation divides by it: it has to be true, and all of them add up to one."""
    times = 4_000
    firsts = [
        max(drawn(*numbers, seed=f"s{number}"), key=lambda each: each.priority).offer
        for number in range(times)
    ]
    candidates = drawn(*numbers)
    said = {
        each.offer: probability(each, [other for other in candidates if other is not each], "usual")
        for each in candidates
    }

    assert sum(said.values()) == pytest.approx(1, abs=0.003)
    for offer, likely in said.items():
        assert firsts.count(offer) / times == pytest.approx(likely, abs=4 * (0.25 / times) ** 0.5)


def test_an_offer_without_a_draw_is_a_bar_that_the_others_have_to_pass() -> None:
    """What suitability limits is no part of an experiment, and still competes."""
    sure = Candidate(
        offer="sure", propensity=0.05, value=100, priority=5.0, model="m", evidence=100
    )
    [rival] = drawn(("rival", 0.05, 40.0, 100))
    won = sum(draw(Random(number), 0.05, 40.0) * 100 < 5.0 for number in range(4_000)) / 4_000

    assert probability(sure, [rival], "usual") == pytest.approx(won, abs=0.035)
    assert probability(sure, [rival], "usual") + probability(
        rival, [sure], "usual"
    ) == pytest.approx(1, abs=0.001)
    assert probability(sure, [], "usual") == 1.0


def arms() -> Iterator[tuple[str, Catalogue]]:
    """A catalogue for each arm, with everybody in it."""
    for arm, size in (
        ("usual", {}),
        ("random", {"random": 1000}),
        ("propensity", {"propensity": 1000}),
        ("no-levers", {"no_levers": 1000}),
        ("eligible", {"eligible": 1000}),
    ):
        yield arm, Catalogue.model_validate({**SHELF.model_dump(), "arms": size})


@pytest.mark.parametrize(
    ("arm", "shelf"), list(arms()), ids=lambda each: each if isinstance(each, str) else ""
)
def test_each_arm_chooses_in_its_own_way_and_none_beyond_the_law(
    bohai: TierPolicy, arm: str, shelf: Catalogue
) -> None:
    """Hold-outs leave out the choice, or what is not applicable.

    Never suitability, consent or contact.
    """
    owner = recorded(OfferAccepted(decision="d0", offer="a-plan", channel="app"), 2)._replace(
        occurred_at=NOW - timedelta(days=9)
    )
    who = customer(bohai, [owner])
    made = [
        with_probability(
            decide_offer(who, [], shelf, MODELS, Asked(f"d{number}", "app", NOW)), shelf
        )
        for number in range(60)
    ]
    shown = {each.offer for each in made}

    assert {each.arm for each in made} == {arm}
    assert shown <= ({"a-plan", "d-notice"} if arm == "eligible" else {"d-notice"})
    assert ("a-plan" in shown) == (arm == "eligible")
    assert {each.probability for each in made} == ({0.5} if arm == "eligible" else {1.0})


def test_mandatory_offers_come_first_and_ties_go_by_name(bohai: TierPolicy) -> None:
    """Whatever is worth more: what must be said is said first."""
    shelf = Catalogue.model_validate(
        {
            **SHELF.model_dump(),
            "offers": [
                {"offer": name, "name": {}, "value": value, "mandatory": name == "must"}
                for name, value in (("z", 9), ("b", 9), ("must", 0))
            ],
            "exploration": {"on": False},
        }
    )
    models = dict.fromkeys(("z", "b", "must"), NOBODY)
    decided = with_probability(
        decide_offer(customer(bohai, []), [], shelf, models, Asked("d", "app", NOW, limit=2)), shelf
    )

    assert [each.offer for each in decided.candidates] == ["must", "b", "z"]
    assert decided.offers == ("must", "b")
    assert decided.probability == 1.0


def test_of_several_mandatory_offers_the_probability_is_among_them(bohai: TierPolicy) -> None:
    """Drawn against each other, and against nobody else: as often as is said."""
    offers = [
        {"offer": name, "name": {}, "value": 100, "mandatory": name != "other"}
        for name in ("must", "shall", "other")
    ]
    shelf = Catalogue.model_validate({**SHELF.model_dump(), "offers": offers})
    models = dict.fromkeys(("must", "shall", "other"), NOBODY)
    made = [
        with_probability(
            decide_offer(customer(bohai, []), [], shelf, models, Asked(f"d{number}", "app", NOW)),
            shelf,
        )
        for number in range(400)
    ]

    assert 0.4 < sum(each.offer == "must" for each in made) / 400 < 0.6
    assert all(each.probability == pytest.approx(0.5, abs=0.01) for each in made)


def test_the_probabilities_of_all_candidates_add_up_to_one_with_bars_among_them() -> None:
    """Two for sure, of which one can never win, one that is drawn, one that is worth nothing."""
    sure, never = (
        Candidate(offer=offer, propensity=0.1, value=100, priority=at, model="m")
        for offer, at in (("a", 10.0), ("b", 5.0))
    )
    [rival] = drawn(("d", 0.05, 40.0, 100))
    nothing = Candidate(
        offer="e", propensity=0.5, value=0, priority=0.0, model="m", evidence=9, drawn=0.5
    )
    everybody = [sure, never, rival, nothing]
    said = {
        each.offer: probability(each, [other for other in everybody if other is not each], "usual")
        for each in everybody
    }

    assert (said["b"], said["e"]) == (0.0, 0.0)
    assert sum(said.values()) == pytest.approx(1, abs=0.002)


@pytest.mark.parametrize(
    ("likely", "evidence", "bar"),
    [(0.02, 1010.0, 900.0), (0.05, 500.0, 2_300.0), (0.02, 10.0, 12_000.0)],
)
def test_the_probability_of_passing_a_bar_is_that_of_the_draws(
    likely: float, evidence: float, bar: float
) -> None:
    """Also where few draws pass: one that was chosen never has the probability nought."""
    [rival] = drawn(("rival", likely, evidence, 30_000))
    sure = Candidate(offer="sure", propensity=0.05, value=100, priority=bar, model="m")
    chance = Random(1)
    passed = sum(draw(chance, likely, evidence) * 30_000 > bar for _ in range(100_000)) / 100_000

    assert probability(rival, [sure], "usual") == pytest.approx(passed, rel=0.15, abs=2e-4)
    assert probability(rival, [sure], "usual") > 0


def test_an_empty_catalogue_offers_nothing(bohai: TierPolicy) -> None:
    """That is an answer too."""
    shelf = Catalogue(catalogue="none", version=1, currency="CNY", offers=())
    decided = decide_offer(customer(bohai, []), [], shelf, {}, Asked("d", "app", NOW))

    assert (decided.offer, decided.candidates, decided.dropped) == (None, (), ())


def test_products_that_suitability_limits_are_never_drawn_for(bohai: TierPolicy) -> None:
    """Exploration has no part in what is recommended of risk."""
    risk = recorded(
        RiskProfileAssessed(grade="C5", valid_until=date(2026, 12, 31), source="app"), 2
    )
    decided = decide_offer(customer(bohai, [risk]), [], SHELF, MODELS, Asked("d", "app", NOW))

    assert {each.offer: each.drawn is None for each in decided.candidates} == {
        "a-plan": False,
        "b-fund": True,
        "c-shares": True,
        "d-notice": False,
    }


IMPOSSIBLE = (
    b'{"weights": {"age": 1e308, "b=1": 1e308}, "usual": {"age": {"mean": 1.0, "variance": -1.0}}}'
)


NEGATIVE = b'{"counts": {"yes": {"0": -9.0}, "no": {"0": 3.0}}}'
UNREADABLE = [
    b"",
    NEGATIVE,
    b"{",
    b"[]",
    IMPOSSIBLE,
    b'{"weights": {"\xff": 1.0}}',
    b'{"weights": {"age": "heavy"}}',
    b'{"examples": null}',
    b"\x80\x04garbage",
]


@pytest.mark.parametrize("state", UNREADABLE)
def test_a_state_that_cannot_be_read_is_broken_and_no_more(state: bytes) -> None:
    """No exception reaches who waits for an answer; the reason does."""
    found = learnt(StoredState(7, state))

    assert found.ready is None
    assert found.broken
    assert (found.upto, found.label) == (7, "none")


def test_one_broken_model_makes_the_whole_decision_one_by_value(bohai: TierPolicy) -> None:
    """A propensity beside a guess would compare what cannot be compared."""
    models = {**MODELS, "a-plan": Learnt(None, 0, 5, "garbage")}
    decided = decide_offer(customer(bohai, []), [], SHELF, models, Asked("d", "app", NOW))

    assert decided.by_value == "a model cannot be read"
    assert decided.broken == {"a-plan": "garbage"}
    assert [each.offer for each in decided.candidates] == ["a-plan", "d-notice"]


def test_more_evidence_makes_a_model_surer_and_a_draw_narrower() -> None:
    """A hundred answers one way move the propensity there; the draws follow it."""
    state = MODEL.initial
    for number in range(200):
        features = {"age": 20 + number % 50, "tier=gold": 1}
        state = MODEL.evolve(
            state,
            recorded(
                ExampleLabelled(
                    offer="a",
                    decision=f"{number}",
                    customer="customer:1",
                    features=features,
                    accepted=number % 2 == 0,
                ),
                number + 1,
            ),
        )
    someone = shared({"age": 30, "tier=gold": 1})
    at_first, likely = (
        learnt_from(each, 0).ready.propensity(someone)[0]  # type: ignore[union-attr]
        for each in (MODEL.initial, state)
    )

    assert 2 * at_first < likely < 0.7
    assert max(draw(Random(seed), 0.5, 1000) for seed in range(50)) < max(
        draw(Random(seed), 0.5, 5) for seed in range(50)
    )


@given(sequences)
def test_a_decision_is_stored_in_columns_and_read_in_full(
    bohai: TierPolicy, events: list[Recorded]
) -> None:
    """The shown in full, the others and the drops without what the catalogue says: nothing of it
    is lost.
    """
    made = decide_offer(
        customer(bohai, events), [], SHELF, MODELS, Asked("d9", "app", NOW, limit=2)
    )
    stored = OfferDecided.model_validate_json(in_columns(made).model_dump_json())

    assert [each.offer for each in stored.candidates] == [*made.offers]
    assert not stored.dropped
    assert in_full(stored, SHELF).model_dump_json() == made.model_dump_json()


def test_a_decision_of_an_older_release_is_read_as_it_is(bohai: TierPolicy) -> None:
    """It was stored with all candidates and drops, and with its probability."""
    made = with_probability(
        decide_offer(customer(bohai, []), [], SHELF, MODELS, Asked("d9", "app", NOW)), SHELF
    )
    assert in_full(made, SHELF) == made


def test_columns_of_unequal_length_do_not_come_in() -> None:
    """They could not be read as candidates."""
    columns = {"offer": ("a", "b"), "propensity": (0.1,), "model": ("m",)}
    with pytest.raises(ValidationError, match="not equally long"):
        Rivals(**columns, score=(None,), evidence=(1.0,), drawn=(None,))


def test_the_formula_of_the_probability_is_that_of_the_decisions_in_the_journal() -> None:
    """They do not repeat it: another one would judge years of them otherwise."""
    said = {
        shelf[0][0] + str(len(shelf)): probability(first, others, "usual")
        for shelf in SHELVES
        for first, *others in [drawn(*shelf)]
    }
    assert said == {"a3": 0.398081, "a2": 0.5, "a4": 0.176977}


def test_every_feature_of_a_decision_is_told_in_words(bohai: TierPolicy) -> None:
    """None by the name that models know it by."""
    known = features(customer(bohai, []), "app", NOW.date())
    told = [words(name, value, "CNY") for name, value in {**known, "visits-app-bits": 2}.items()]

    assert not [said for said in told if " 为 " in said["zh"] or " is " in said["en"]]
