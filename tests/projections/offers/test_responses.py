"""Answers that never came, contacts that others must hear of, and what may come.

From folded states.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from domain.accounts.monthly_facts import AssetFacts, MonthlyFacts
from domain.bank.events import DayClosed
from domain.campaigns.events import CampaignTouched
from domain.cases.events import ComplaintAnswered, ComplaintOpened
from domain.customers.events import CustomerLeft, CustomerOnboarded
from domain.envelope import Proposed, Recorded
from domain.feedback.events import SurveyAnswered
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
from projections.feedback.experience import EXPERIENCE, Experience, Lived, experience_together
from projections.models.forecast import (
    CHURN,
    DEMAND,
    FORESEEN,
    Known,
    examples,
    expected,
    foresee,
    month_features,
    taught,
    unlike,
)
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
            score=-3.0,
            model=f"{MODEL.key}/{number}",
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
    of_each = [
        list(examples(f"customer:{number}", Known(rows, Experience()), "2025-12", event))
        for number in range(2_000)
    ]
    found = {each.stream: each.data for each in max(of_each, key=len)}
    of_churn = sum(f"model:{CHURN}" in {one.stream for one in each} for each in of_each)
    of_demand = sum(f"model:{DEMAND['fund']}" in {one.stream for one in each} for each in of_each)

    assert found[f"model:{CHURN}"].accepted  # type: ignore[attr-defined]
    assert found[f"model:{CHURN}"].features["assets-bits"] == (1_000).bit_length()  # type: ignore[attr-defined]
    assert found[f"model:{DEMAND['fund']}"].accepted  # type: ignore[attr-defined]
    assert not found[f"model:{DEMAND['wealth']}"].accepted  # type: ignore[attr-defined]
    assert found[f"model:{DEMAND['fund']}"].features["assets-bits"] == 0  # type: ignore[attr-defined]
    assert 60 <= of_demand <= 140
    assert 140 <= of_churn <= 260


def test_who_said_that_they_leave_has_left_whatever_they_hold() -> None:
    """Within three months of what was known; of who had left before, nothing is learnt."""
    rows = {name: month(name, 1_000) for name in MONTHS}

    def taught_of(left: str) -> dict[str, ExampleLabelled]:
        return dict(taught("customer:1", Known(rows, Experience(left=left)), "2025-12", DAY))

    assert taught_of("2025-11")[CHURN].accepted
    assert CHURN not in taught_of("2025-09")


def test_the_statement_made_last_says_whether_a_customer_left() -> None:
    """A word of their coming that is older, and arrives later, changes nothing."""
    left = recorded(CustomerLeft(source="branch"), 1, day=date(2026, 2, 5))
    gone = EXPERIENCE.evolve(EXPERIENCE.initial, left)
    came = CustomerOnboarded(source="branch")

    assert EXPERIENCE.evolve(gone, recorded(came, 2, day=date(2026, 2, 1))).left == "2026-02"
    assert EXPERIENCE.evolve(gone, recorded(came, 2, day=date(2026, 2, 9))).left is None


def test_what_a_customer_went_through_is_known_of_three_months() -> None:
    """Refused complaints and the worst score of a survey, by the month in which each came."""
    lived = EXPERIENCE.initial
    opened = ComplaintOpened(case="c", text="too slow", channel="app")
    for number, (data, day) in enumerate(
        (
            (opened, date(2025, 10, 3)),
            (ComplaintAnswered(case="c", text="no", upheld=False), date(2025, 10, 9)),
            (SurveyAnswered(survey="s", score=2, channel="app"), date(2025, 10, 9)),
            (SurveyAnswered(survey="s", score=9, channel="app"), date(2025, 12, 9)),
        ),
        start=1,
    ):
        lived = EXPERIENCE.evolve(lived, recorded(data, number, day=day))
    who = Known({name: month(name, 1_000) for name in MONTHS}, lived)
    then, before = month_features(who, "2025-12"), month_features(who, "2025-09")

    assert (then["complaints-lately"], then["refused-lately"], "score=detractor" in then) == (
        1,
        1,
        True,
    )
    assert (before["complaints-lately"], "score=none" in before) == (0, True)
    assert lived.lately("2025-12", "2025-11") == Lived(worst=9)


def test_a_fall_is_told_beside_what_is_usual() -> None:
    """What came in beside the months before, and what is held beside the most of three months."""
    rows = {name: month(name, 1_000_000, came=1 << 19) for name in MONTHS[:-1]}
    rows["2025-12"] = month("2025-12", 1_000, came=0)
    known = month_features(Known(rows, Experience()), "2025-12")

    assert (known["in-fell"], known["assets-fell"]) == (20, 10)


def test_a_person_went_through_what_each_number_did() -> None:
    """Counts add up, the worst score counts; who has left one number has not left."""
    one = Experience({"2025-12": Lived(complaints=1, worst=3)}, "2025-12")
    other = Experience({"2025-12": Lived(complaints=2, refused=1, worst=8)})

    both = experience_together([one, other])

    assert both == Experience({"2025-12": Lived(3, 1, 3)})
    assert experience_together([one, one]).left == "2025-12"


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
    seen = foresee(
        Known(idle_rows, Experience()), models, key=True, risky_permille=300, currency="CNY"
    )
    ordinary = foresee(
        Known(idle_rows, Experience()), models, key=False, risky_permille=300, currency="CNY"
    )

    assert seen.churn.probability is not None
    assert seen.churn.probability > 0.3
    assert (seen.at_risk, ordinary.at_risk) == (True, False)
    assert set(seen.churn.reasons[:2]) == {"streak", "transactions"}
    assert seen.churn.intercept is not None
    assert seen.churn.score == pytest.approx(seen.churn.intercept + sum(seen.churn.terms.values()))
    assert seen.demand["fund"].probability is None


@pytest.mark.parametrize("rows", [{}, {"2025-12": MonthlyFacts("2025-12", 31)}])
def test_of_a_newcomer_nothing_is_foreseen(rows: dict[str, MonthlyFacts]) -> None:
    """An answer all the same."""
    seen = foresee(
        Known(rows, Experience()),
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
