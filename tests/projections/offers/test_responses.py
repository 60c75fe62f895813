"""Answers that never came, contacts that others must hear of, and what may come.

From folded states.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from domain.accounts.monthly_facts import AssetFacts, MonthlyFacts
from domain.bank.events import DayClosed
from domain.campaigns.events import CampaignTouched
from domain.envelope import Proposed, Recorded
from domain.households.events import HouseholdJoined
from domain.offers.events import (
    Candidate,
    ExampleLabelled,
    MemberContacted,
    OfferAccepted,
    OfferDecided,
    OfferDeclined,
    OfferLapsed,
    OfferPresented,
)
from projections.models.forecast import CHURN, DEMAND, FORESEEN, examples, expected, foresee, unlike
from projections.models.group import MODELS
from projections.models.learner import MODEL, learnt_from
from projections.offers.group import REACTIONS
from projections.offers.responses import Offers
from projections.projection import States
from tests.conftest import recorded

DAY = date(2026, 3, 2)
DECIDED = OfferDecided(
    decision="d1",
    channel="app",
    offer="fund",
    offers=("fund", "card"),
    candidates=(
        Candidate(offer="fund", propensity=0.25, value=1, priority=1.0, model="m", score=-1.0),
    ),
    features={"age": 41},
    catalogue="c",
    answer_by=DAY + timedelta(days=10),
)


def after(*events: Recorded) -> States:
    """The states after these events."""
    states = REACTIONS.initial
    for event in events:
        states = REACTIONS.evolve(states, event)
    return states


def follows(states: States, event: Recorded) -> list[Proposed]:
    """What follows from one more event."""
    assert REACTIONS.react is not None
    return list(REACTIONS.react(event.stream, states, REACTIONS.evolve(states, event), event))


def offers(states: States) -> Offers:
    """The one state of the group."""
    [state] = states
    assert isinstance(state, Offers)
    return state


def closed(day: date, position: int) -> Recorded:
    """The end of a day."""
    return recorded(DayClosed(date=day), position, day=day)


SHOWN = (
    recorded(DECIDED, 1, day=DAY),
    recorded(OfferPresented(decision="d1", offer="fund", channel="app"), 2, day=DAY),
)


def test_what_was_shown_and_not_answered_lapses_once() -> None:
    """At the end of the last day, and not again at the ends of the days after it.

    What was never shown is forgotten.
    """
    states = after(*SHOWN)
    early, due, late = (closed(DAY + timedelta(days=days), 10 + days) for days in (9, 10, 11))

    assert follows(states, early) == []
    [lapse] = follows(states, due)
    assert (lapse.stream, lapse.data) == ("customer:1", OfferLapsed(decision="d1", offer="fund"))
    assert follows(REACTIONS.evolve(states, due), late) == []
    assert set(offers(REACTIONS.evolve(states, due)).open["d1"].offers) == {"fund"}


def test_a_lapse_is_a_no_with_what_was_known_at_the_decision() -> None:
    """The example has the features, the propensity, the score and the model of then."""
    states = after(*SHOWN, closed(DAY + timedelta(days=10), 20))
    [example] = follows(
        states, recorded(OfferLapsed(decision="d1", offer="fund"), 21, day=DAY + timedelta(days=10))
    )

    assert example.data == ExampleLabelled(
        offer="fund",
        decision="d1",
        customer="customer:1",
        features={"age": 41},
        accepted=False,
        propensity=0.25,
        score=-1.0,
        model="m",
    )


def test_an_answer_in_time_leaves_nothing_to_lapse() -> None:
    """Whoever said yes or no is not asked of again."""
    states = after(
        *SHOWN, recorded(OfferDeclined(decision="d1", offer="fund", channel="app"), 3, day=DAY)
    )

    assert follows(states, closed(DAY + timedelta(days=10), 20)) == []
    assert "d1" not in offers(REACTIONS.evolve(states, closed(DAY + timedelta(days=10), 20))).open


def test_nobody_learns_from_who_is_not_to_be_profiled() -> None:
    """A decision without features leads to no example."""
    states = after(recorded(DECIDED.model_copy(update={"features": {}}), 1))

    assert (
        follows(states, recorded(OfferAccepted(decision="d1", offer="fund", channel="app"), 2))
        == []
    )


def test_a_household_hears_of_each_contact_once() -> None:
    """Shown twice, and by a campaign: two contacts; whoever tells it again tells the same."""
    member = recorded(HouseholdJoined(household="household:1", role="member"), 1)
    shown = recorded(OfferPresented(decision="d1", offer="fund", channel="sms"), 3)
    states = after(member, recorded(DECIDED, 2))
    [told] = follows(states, shown)

    assert isinstance(told.data, MemberContacted)
    assert (told.stream, told.data.name) == ("household:1", "d1")
    assert follows(states, shown) == [told]
    assert (
        follows(
            REACTIONS.evolve(states, shown),
            recorded(OfferPresented(decision="d1", offer="card", channel="sms"), 4),
        )
        == []
    )
    assert (
        len(
            follows(
                REACTIONS.evolve(states, shown),
                recorded(CampaignTouched(campaign="spring", channel="sms"), 5),
            )
        )
        == 1
    )


def test_nothing_is_shown_before_it_was_decided() -> None:
    """A channel whose clock is a month behind does not take a contact out of its week."""
    late = recorded(
        OfferPresented(decision="d1", offer="fund", channel="email"),
        2,
        day=DAY - timedelta(days=30),
    )
    [contact] = offers(after(recorded(DECIDED, 1, day=DAY), late)).contacts.made["email"]

    assert contact.at.date() == DAY


def test_a_change_of_the_loss_is_an_event_of_the_model() -> None:
    """A model that was right for a thousand answers and then is not."""
    states, drifted = MODELS.initial, list[Proposed]()
    assert MODELS.react is not None
    for number in range(1, 1_800):
        said = ExampleLabelled(
            offer="a",
            decision="d",
            customer="customer:1",
            features={"age": number % 7},
            accepted=number >= 1_000,
            propensity=0.05,
        )
        event = recorded(said, number, stream="model:a")
        learnt = MODELS.evolve(states, event)
        drifted += MODELS.react("model:a", states, learnt, event)
        states = learnt

    assert (drifted[0].stream, drifted[0].data.before < drifted[0].data.after) == ("model:a", True)  # type: ignore[attr-defined]
    assert 1_000 < drifted[0].data.examples < 1_200  # type: ignore[attr-defined]


def month(
    name: str, closing: int, *, streak: int = 1, came: int = 1_000, asset: str = "deposit"
) -> MonthlyFacts:
    """A month with one balance at its end."""
    assets = (AssetFacts(asset, "CNY", closing * 30, closing, closing, closing * 90),)  # type: ignore[arg-type]
    return MonthlyFacts(name, 30, assets, 5, {"CNY": came}, {"CNY": 900}, 4, 1, 12, streak)


MONTHS = [f"2025-{number:02d}" for number in range(1, 13)]


def test_the_next_balance_goes_on_half_as_it_usually_does() -> None:
    """Plus a hundred every month: half of that is foreseen, and fifty is how far off it was."""
    rows = {name: month(name, 1_000 + 100 * number) for number, name in enumerate(MONTHS)}
    found = expected(rows, "CNY")

    assert found is not None
    assert (found.after, found.balance, found.give_or_take) == ("2025-12", 2_150, 50)
    assert expected(dict(list(rows.items())[:3]), "CNY") is None


def test_flows_unlike_a_customer_stand_out() -> None:
    """A thousand times what usually comes is an anomaly; twice is not."""
    usual = {name: month(name, 10) for name in MONTHS[:-1]}
    odd, even = (
        unlike({**usual, "2025-12": month("2025-12", 10, came=10**6)}, "CNY"),
        unlike({**usual, "2025-12": month("2025-12", 10, came=2_000)}, "CNY"),
    )

    assert odd is not None
    assert even is not None
    assert (odd.anomaly, even.anomaly) == (True, False)


def test_what_a_month_teaches_was_known_before_it() -> None:
    """Who left is a yes with what was known three months ago.

    What was opened in a month with what was known at the last one's end.
    """
    event = recorded(DayClosed(date=date(2025, 12, 31)), 9, stream="shard:0")
    rows = {name: month(name, 1_000) for name in MONTHS[:-3]}
    rows |= {
        name: month(name, 0, streak=-number) for number, name in enumerate(MONTHS[-3:], start=1)
    }
    rows["2025-12"] = replace(
        rows["2025-12"], assets=(*rows["2025-12"].assets, AssetFacts("fund", "CNY", 1, 1, 1, 1))
    )
    sampled = next(
        stream
        for stream in (f"customer:{number}" for number in range(1_000))
        if list(examples(stream, rows, "2025-12", event))
    )
    found = {each.stream: each.data for each in examples(sampled, rows, "2025-12", event)}
    everybody = sum(
        1 for number in range(2_000) if list(examples(f"customer:{number}", rows, "2025-12", event))
    )

    assert found[f"model:{CHURN}"].accepted  # type: ignore[attr-defined]
    assert found[f"model:{CHURN}"].features["assets-bits"] == (1_000).bit_length()  # type: ignore[attr-defined]
    assert found[f"model:{DEMAND['fund']}"].accepted  # type: ignore[attr-defined]
    assert not found[f"model:{DEMAND['wealth']}"].accepted  # type: ignore[attr-defined]
    assert found[f"model:{DEMAND['fund']}"].features["assets-bits"] == 0  # type: ignore[attr-defined]
    assert 60 <= everybody <= 140


def test_a_key_customer_who_is_likely_to_leave_is_at_risk_and_why_is_said() -> None:
    """Those who left had been idle: the model learns it, and names it."""
    state, at = MODEL.initial, datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(1, 601):
        idle = number % 3 == 0
        known = {"streak": -2 if idle else 6, "transactions": 0 if idle else 9, "kind=person": 1}
        said = ExampleLabelled(
            offer=CHURN, decision="m", customer="customer:1", features=known, accepted=idle
        )
        state = MODEL.evolve(state, recorded(said, number)._replace(occurred_at=at))
    models = {name: learnt_from(state if name == CHURN else MODEL.initial, 0) for name in FORESEEN}
    idle_rows = {name: replace(month(name, 500, streak=-2), transactions=0) for name in MONTHS}
    seen = foresee(idle_rows, models, key=True, risky_permille=300, currency="CNY")
    ordinary = foresee(idle_rows, models, key=False, risky_permille=300, currency="CNY")

    assert seen.churn.probability is not None
    assert seen.churn.probability > 0.3
    assert (seen.at_risk, ordinary.at_risk) == (True, False)
    assert {"streak", "transactions", "streak~-2", "transactions~0"} >= set(seen.churn.reasons[:2])
    assert seen.demand["fund"].probability is None


@pytest.mark.parametrize("rows", [{}, {"2025-12": MonthlyFacts("2025-12", 31)}])
def test_of_a_newcomer_nothing_is_foreseen(rows: dict[str, MonthlyFacts]) -> None:
    """An answer all the same."""
    seen = foresee(
        rows,
        dict.fromkeys(FORESEEN, learnt_from(MODEL.initial, 0)),
        key=True,
        risky_permille=1,
        currency="CNY",
    )

    assert (seen.churn.probability, seen.at_risk, seen.balance, seen.flows) == (
        None,
        False,
        None,
        None,
    )
