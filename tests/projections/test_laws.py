"""One battery of laws, run on every group of folds that there is."""

import copy
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.policy_files import read_policy
from deploy.settings import POLICIES
from domain.accounts.events import (
    AccountClosed,
    AccountOpened,
    AccountShared,
    BalanceReported,
    ProductClosed,
    ProductOpened,
    TransactionPosted,
    TransactionReversed,
)
from domain.accounts.ledger import Ledger
from domain.bank.events import DayClosed
from domain.campaigns.events import CampaignTouched
from domain.cases.events import ComplaintClosed, ComplaintOpened
from domain.customers.events import (
    ChannelVisited,
    ConsentGranted,
    ConsentWithdrawn,
    ContactStated,
    CustomerOnboarded,
    DeathReported,
    DeathReportWithdrawn,
    IdentitiesMerged,
    IdentitiesUnmerged,
)
from domain.envelope import Recorded
from domain.event import Interaction
from domain.event_types import type_key
from domain.households.events import (
    HouseholdJoined,
    HouseholdLeft,
    MemberDied,
    MemberMonthReported,
    MembershipChanged,
    MonthReported,
    ShardMonthReported,
    WholeMonthClosed,
)
from domain.households.membership import Member, Membership, summed
from domain.offers.events import (
    ExampleLabelled,
    MemberContacted,
    OfferAccepted,
    OfferDecided,
    OfferDeclined,
    OfferLapsed,
    OfferPresented,
)
from domain.restatements.events import MonthsRestated
from domain.tiering.events import TierOverridden
from projections.offers.group import REACTIONS
from projections.projection import Group, States
from projections.registry import GROUPS as REGISTERED
from projections.views.history import customers_under
from streams.folds.stream_state import evolved, partial
from streams.journal import Row
from streams.journal.codec import canonical, head
from streams.journal.sealing import closed
from tests.conftest import NOON, recorded
from tests.domain.accounts.months import month

RULES = [
    read_policy(POLICIES / "tiers" / f"{name}.yaml") for name in ("bohai-retail", "hsbc-premier")
]
GROUPS = (
    *(entry.group for entry in REGISTERED if entry.group),
    *(replace(customers_under([rule]), name=rule.label) for rule in RULES),
)

names = st.sampled_from(["a", "b", "c"])
amounts = st.integers(min_value=-(10**12), max_value=10**12)
wholes = st.sampled_from(["household:1", "household:2"])
members = st.sampled_from(["customer:1", "customer:2"])
months = st.builds(month, st.sampled_from(["2026-01", "2026-02"]), st.integers(0, 10**9))
sums = months.map(lambda facts: summed([Member(facts)]))
features = st.dictionaries(
    st.sampled_from(["age", "assets-bits", "tier=gold"]),
    st.integers(min_value=-(10**12), max_value=10**12),
)
happenings: st.SearchStrategy[Interaction] = st.one_of(
    st.builds(CustomerOnboarded, source=st.just("branch"), born=st.just(date(1970, 1, 1))),
    st.builds(
        AccountOpened,
        account=names,
        product=names,
        currency=st.just("CNY"),
        asset_class=st.sampled_from(["deposit", "wealth", "loan"]),
    ),
    st.builds(AccountClosed, account=names),
    st.builds(
        TransactionPosted,
        transaction=names,
        account=names,
        amount=amounts,
        currency=st.just("CNY"),
        kind=names,
    ),
    st.builds(BalanceReported, account=names, balance=amounts, currency=st.just("CNY")),
    st.builds(ProductOpened, product=names, reference=names),
    st.builds(ProductClosed, product=names, reference=names),
    st.builds(
        ContactStated,
        medium=st.sampled_from(["phone", "email"]),
        value=names,
        source=st.just("app"),
    ),
    st.builds(ConsentGranted, purpose=st.just("marketing"), source=st.just("app")),
    st.builds(ConsentWithdrawn, purpose=st.just("marketing"), source=st.just("app")),
    st.builds(ChannelVisited, channel=st.sampled_from(["app", "atm"])),
    st.builds(ComplaintOpened, case=names, text=names, channel=st.just("call")),
    st.builds(ComplaintClosed, case=names, outcome=names),
    st.builds(IdentitiesMerged, other=st.just("customer:2"), reason=names),
    st.builds(IdentitiesUnmerged, other=st.just("customer:2"), reason=names),
    st.builds(
        TierOverridden,
        tier=st.just("gold"),
        approver=names,
        reason=names,
        until=st.just(date(2026, 4, 1)),
    ),
    st.builds(
        OfferDecided,
        decision=names,
        channel=st.just("app"),
        offer=names,
        features=features,
        catalogue=names,
    ),
    st.builds(
        OfferDecided,
        decision=names,
        channel=st.sampled_from(["email", "sms"]),
        offers=st.lists(names, min_size=1, max_size=2, unique=True).map(tuple),
        features=features,
        catalogue=names,
        present_by=st.none() | st.just(NOON),
        answer_by=st.none() | st.just(date(2026, 1, 20)),
    ),
    st.builds(
        OfferPresented, decision=names, offer=names, channel=st.sampled_from(["app", "email"])
    ),
    st.builds(OfferLapsed, decision=names, offer=names),
    st.builds(CampaignTouched, campaign=names, channel=st.sampled_from(["app", "email"])),
    st.builds(
        MemberContacted, member=members, channel=st.just("email"), at=st.just(NOON), name=names
    ),
    st.builds(
        MemberDied,
        member=members,
        died=st.booleans(),
        at=st.just(NOON),
        day=st.just(date(2026, 1, 20)),
    ),
    st.builds(DeathReported, source=st.just("branch")),
    st.builds(DeathReportWithdrawn, source=st.just("branch")),
    st.builds(
        TransactionReversed,
        event=names,
        account=names,
        amount=st.integers(-1_000, 1_000),
        currency=st.sampled_from(["CNY", "USD"]),
        posted=st.just(date(2026, 1, 10)),
    ),
    st.builds(OfferAccepted, decision=names, offer=names, channel=st.just("app")),
    st.builds(OfferDeclined, decision=names, offer=names, channel=st.just("app")),
    st.builds(
        ExampleLabelled,
        offer=names,
        decision=names,
        customer=st.just("customer:1"),
        features=features,
        accepted=st.booleans(),
        propensity=st.none() | st.floats(0, 1),
        score=st.none() | st.floats(-9, 9),
        model=st.none() | st.integers(0, 30).map(lambda version: f"model@4/{version}"),
    ),
    st.builds(HouseholdJoined, household=wholes, role=names, share_permille=st.integers(0, 1000)),
    st.builds(HouseholdLeft, household=wholes),
    st.builds(
        AccountShared, account=names, from_permille=st.just(0), upto_permille=st.integers(1, 1000)
    ),
    st.builds(
        MembershipChanged,
        member=members,
        held=st.lists(
            st.builds(Membership, st.integers(0, 1000), st.just(date(2026, 1, 5))), max_size=1
        ).map(tuple),
    ),
    st.builds(
        MemberMonthReported, member=members, share_permille=st.integers(0, 1000), facts=months
    ),
    st.builds(
        ShardMonthReported, month=st.just("2026-01"), shard=st.integers(0, 3), shards=st.just(4)
    ),
    st.builds(MonthReported, month=st.sampled_from(["2026-01", "2026-02"])),
    st.builds(
        WholeMonthClosed,
        whole=wholes,
        month=st.sampled_from(["2026-01", "2026-02"]),
        members=st.just(1),
        total=sums,
        shared=sums,
    ),
    st.builds(
        MonthsRestated,
        restatement=names,
        after=st.integers(1, 30),
        through=st.sampled_from(["2026-01", "2026-02"]),
        books_through=st.none() | st.sampled_from(["2026-01", "2026-02"]),
        placed=st.just((1, 2)),
        ledger=st.sampled_from(
            [
                Ledger(closed_through="2026-01", products=frozenset("abc")),
                Ledger(since="2025-12", closed_through="2026-02"),
            ]
        ),
        rows=st.lists(months, max_size=2).map(tuple),
        gone=st.sampled_from([(), ("2026-01",)]),
    ),
    st.just(DayClosed(date=date(2026, 1, 31))),
    st.just(DayClosed(date=date(2026, 2, 28))),
)
days = st.integers(min_value=0, max_value=80).map(
    lambda number: date(2026, 1, 1) + timedelta(days=number)
)
histories = st.lists(st.tuples(happenings, days), max_size=30).map(
    lambda each: [
        recorded(data, position, day=day) for position, (data, day) in enumerate(each, start=1)
    ]
)
every_group = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)


def fold(group: Group, history: list[Recorded], onto: States | None = None) -> States:
    """A left fold."""
    states = group.initial if onto is None else onto
    for event in history:
        states = group.evolve(states, event)
    return states


def spelt(group: Group, states: States) -> list[bytes]:
    """The states as they are kept."""
    return [part.encode(state) for part, state in zip(group.parts, states, strict=True)]


def revived(group: Group, states: States) -> States:
    """The states after being kept and read again."""
    return group.states(
        *(part.decode(state) for part, state in zip(group.parts, spelt(group, states), strict=True))
    )


@every_group
@given(histories)
def test_a_fold_is_deterministic(group: Group, history: list[Recorded]) -> None:
    """The same history gives the same bytes."""
    assert spelt(group, fold(group, history)) == spelt(group, fold(group, copy.deepcopy(history)))


@every_group
@given(histories, st.integers(min_value=0, max_value=30))
def test_a_fold_may_stop_and_resume_anywhere(
    group: Group, history: list[Recorded], cut: int
) -> None:
    """Kept, read and carried on is the same as never stopped."""
    resumed = fold(group, history[cut:], onto=revived(group, fold(group, history[:cut])))

    assert spelt(group, resumed) == spelt(group, fold(group, history))


def stored(event: Recorded) -> Row:
    """An event as it stands in the journal."""
    proposed = event.proposed()
    return Row(
        event.position,
        event.stream,
        type_key(type(event.data)),
        closed(head(proposed, event.version, event.recorded_at, None), canonical(proposed)),
    )


transactions = st.builds(
    TransactionPosted,
    transaction=names,
    account=names,
    amount=amounts,
    currency=st.sampled_from(["CNY", "USD"]),
    kind=names,
)
with_runs = st.lists(
    st.tuples(st.one_of(transactions, transactions, transactions, happenings), days), max_size=30
).map(
    lambda each: [
        recorded(data, position, day=day) for position, (data, day) in enumerate(each, start=1)
    ]
)


@every_group
@given(with_runs)
def test_rows_folded_many_at_once_come_to_what_their_events_do_one_by_one(
    group: Group, history: list[Recorded]
) -> None:
    """A shorter way, the same bytes."""
    assert spelt(
        group,
        evolved(group, "customer:1", group.initial, map(partial(group), map(stored, history)), []),
    ) == spelt(group, fold(group, history))


@every_group
@given(histories)
def test_a_state_survives_being_kept(group: Group, history: list[Recorded]) -> None:
    """Reading what was written gives the same state, and the same spelling."""
    states = fold(group, history)

    assert revived(group, states) == states
    assert spelt(group, revived(group, states)) == spelt(group, states)


@every_group
@given(histories, happenings, days)
def test_a_fold_never_changes_its_input(
    group: Group, history: list[Recorded], last: Interaction, day: date
) -> None:
    """The state before an event is still there after it."""
    states = fold(group, history)
    before = copy.deepcopy(states)
    group.evolve(states, recorded(last, len(history) + 1, day=day))

    assert states == before


@every_group
def test_initial_states_are_kept_too(group: Group) -> None:
    """What is folded from nothing can be spelt and read."""
    assert revived(group, group.initial) == group.initial


def test_an_answer_to_an_open_decision_becomes_an_example() -> None:
    """The features are those of the decision, not of the moment of the answer."""
    seen = {"age": 41, "tier=gold": 1}
    decided = OfferDecided(
        decision="d1", channel="app", offer="fund", features=seen, catalogue="c@1"
    )
    states = fold(REACTIONS, [recorded(decided, 1), recorded(ChannelVisited(channel="app"), 2)])
    answer = recorded(OfferAccepted(decision="d1", offer="fund", channel="app"), 3)
    [example] = _react(states, answer)

    assert (example.stream, example.cause) == ("model:fund", "test#3")
    assert example.data == ExampleLabelled(
        offer="fund", decision="d1", customer="customer:1", features=seen, accepted=True
    )
    assert _react(states, answer) == [example]


def test_the_oldest_decision_is_let_go_even_after_a_restart() -> None:
    """More decisions than are kept, and states kept and read after each.

    The same ones wait for an answer.
    """
    decided = [
        recorded(
            OfferDecided(
                decision=f"{97 * number % 60:02d}",
                channel="app",
                offer="fund",
                features={"n": number},
                catalogue="c",
            ),
            number + 1,
            day=day,
        )
        for number, day in enumerate(
            date(2026, 1, 1) + timedelta(days=number) for number in range(45)
        )
    ]
    restarted = REACTIONS.initial
    for event in decided:
        restarted = revived(REACTIONS, REACTIONS.evolve(restarted, event))

    assert spelt(REACTIONS, restarted) == spelt(REACTIONS, fold(REACTIONS, decided))
    assert sorted(each.features["n"] for each in restarted[0].open.values()) == list(range(25, 45))


def test_a_late_older_consent_does_not_undo_a_withdrawal() -> None:
    """The statement made last is the one in use."""
    profile = GROUPS[0].parts[0]
    said_no = recorded(ConsentWithdrawn(purpose="marketing", source="app"), 1, day=date(2026, 3, 9))
    said_yes_before = recorded(
        ConsentGranted(purpose="marketing", source="app"), 2, day=date(2026, 3, 1)
    )
    state = profile.evolve(profile.evolve(profile.initial, said_no), said_yes_before)

    assert state.consents["marketing"].value == "withdrawn"


def test_an_answer_to_no_decision_teaches_nothing() -> None:
    """What was not known at a decision cannot be learnt from."""
    assert (
        _react(
            REACTIONS.initial, recorded(OfferDeclined(decision="d9", offer="fund", channel="app"))
        )
        == []
    )


def _react(states: States, event: Recorded) -> list[Any]:
    assert REACTIONS.react is not None
    return list(REACTIONS.react(event.stream, states, REACTIONS.evolve(states, event), event))
