"""A person with several numbers is answered as one number would be that had all that happened."""

import time
from collections import deque
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, permutations
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.policy_files import read_policy
from deploy.settings import POLICIES
from domain.accounts.events import (
    AccountClosed,
    AccountOpened,
    BalanceReported,
    ProductClosed,
    ProductOpened,
    TransactionPosted,
)
from domain.accounts.monthly_facts import MonthlyFacts
from domain.bank.events import DayClosed
from domain.campaigns.events import CampaignTouched
from domain.cases.events import ComplaintClosed, ComplaintOpened
from domain.customers.events import (
    ChannelVisited,
    ConsentGranted,
    ConsentWithdrawn,
    ContactStated,
    CustomerOnboarded,
    IdentitiesMerged,
    IdentitiesUnmerged,
)
from domain.customers.identity import MOST, Identity, Link, joinings, numbers_of, stated, told
from domain.envelope import Recorded
from domain.event import Interaction
from domain.households.events import HouseholdJoined, HouseholdLeft
from domain.offers.contact_policy import ContactPolicy, taken
from domain.offers.events import OfferAccepted, OfferDeclined
from projections.bank.day_end import CONTEXT
from projections.customers.group import CUSTOMERS
from projections.customers.life import Life, Stated
from projections.customers.one_person import consent_together, life_together
from projections.customers.profile import Fact, Profile
from projections.customers.states import Facts
from projections.offers.group import REACTIONS
from projections.rollout.versions import Rules
from projections.views.customer import Customer
from projections.views.history import History, customer_then, customers_under
from projections.views.person import person_of

RULES = [
    read_policy(POLICIES / "tiers" / f"{name}.yaml")
    for name in ("bohai-retail", "industrial-core", "cmb-sunflower")
]
NUMBERS = ("customer:1", "customer:2", "customer:3")
BEGIN = date(2026, 1, 1)
ENDS = [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]

amounts = st.integers(min_value=-(10**9), max_value=10**9)
keys = st.sampled_from(["a", "b"])


def happenings(number: str) -> st.SearchStrategy[Interaction]:
    """What may happen on one number; accounts, products and cases are its own."""
    own = keys.map(lambda name: f"{number[-1]}{name}")
    return st.one_of(
        st.builds(
            TransactionPosted,
            transaction=own,
            account=own,
            amount=amounts,
            currency=st.sampled_from(["CNY", "USD"]),
            kind=keys,
        ),
        st.builds(BalanceReported, account=own, balance=amounts, currency=st.just("CNY")),
        st.builds(
            AccountOpened,
            account=own,
            product=keys,
            currency=st.just("CNY"),
            asset_class=st.sampled_from(["deposit", "wealth", "loan"]),
        ),
        st.builds(AccountClosed, account=own),
        st.builds(ProductOpened, product=keys, reference=own),
        st.builds(ProductClosed, product=keys, reference=own),
        st.builds(ComplaintOpened, case=own, text=keys, channel=st.just("call")),
        st.builds(ComplaintClosed, case=own, outcome=keys),
        st.builds(ChannelVisited, channel=st.sampled_from(["app", "atm"])),
        st.builds(CampaignTouched, campaign=keys, channel=st.sampled_from(["email", "sms"])),
        st.builds(OfferAccepted, decision=own, offer=keys, channel=st.just("app")),
        st.builds(OfferDeclined, decision=own, offer=keys, channel=st.just("app")),
        st.builds(
            ConsentGranted,
            purpose=st.sampled_from(["marketing", "profiling"]),
            source=st.just("app"),
        ),
        st.builds(
            ConsentWithdrawn,
            purpose=st.sampled_from(["marketing", "profiling"]),
            source=st.just("app"),
        ),
        st.builds(
            ContactStated,
            medium=st.sampled_from(["phone", "email"]),
            value=own,
            source=st.just("app"),
        ),
    )


on_numbers = st.sampled_from(NUMBERS).flatmap(
    lambda number: st.tuples(st.just(number), happenings(number))
)
steps = st.lists(st.tuples(st.integers(0, 119), st.integers(0, 40), on_numbers), max_size=40)


def history_of(happened: list[tuple[int, int, tuple[str, Interaction]]]) -> list[Recorded]:
    """What happened to three numbers, in the order in which the bank heard of it: on a day, some
    days late, with the ends of months between.
    """
    found: list[tuple[date, date, str, Interaction]] = [
        (BEGIN, BEGIN, number, CustomerOnboarded(source="branch", born=date(1970, 1, 1)))
        for number in NUMBERS
    ]
    for day, late, (number, data) in happened:
        on = BEGIN + timedelta(day)
        found.append((on + timedelta(late), on, number, data))
    found += [(end, end, "bank", DayClosed(date=end)) for end in ENDS]
    found.sort(key=lambda each: (each[0], each[2] == "bank"))
    history, bank = [], CONTEXT.initial
    for position, (heard, on, number, data) in enumerate(found, start=1):
        event = Recorded(
            position,
            number,
            position,
            "test",
            str(position),
            datetime(on.year, on.month, on.day, 12, tzinfo=UTC) + timedelta(seconds=position),
            on,
            datetime(heard.year, heard.month, heard.day, 18, tzinfo=UTC),
            None,
            data,
        )
        if number == "bank":
            bank = CONTEXT.evolve(bank, event)
            event = event._replace(context=bank)
        history.append(event)
    return history


def known(history: list[Recorded], streams: set[str], name: str, rule: Any) -> Customer:
    """What is known of one number that had what happened on these."""
    group = customers_under([rule])
    states, offers = group.initial, REACTIONS.initial
    for event in history:
        if event.stream in {*streams, "bank"}:
            here = event._replace(stream=name)
            states = group.evolve(states, here)
            offers = REACTIONS.evolve(offers, here)
    who = customer_then(name, cast("History", states), Rules.of(rule))
    return replace(who, offers=cast("Any", offers).offers)


def linked(who: Customer) -> Customer:
    """The same, once all numbers were merged into the first before anything happened."""
    at = datetime(2025, 12, 31, tzinfo=UTC)
    links = tuple(Link(NUMBERS[0], other, True, at, NUMBERS[0]) for other in NUMBERS[1:])
    return replace(who, identity=Identity(links))


def months_of(who: Customer) -> dict[str, MonthlyFacts]:
    """The months, without what has no money in it: one number forgets a class when nothing was in
    it for three months, and two may each have something that comes to nothing.
    """
    return {
        month: replace(
            row,
            assets=tuple(
                each for each in row.assets if each.balance_days or each.closing or each.ninety_days
            ),
        )
        for month, row in who.rows.items()
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.label)
@given(st.sampled_from(NUMBERS), steps)
def test_a_person_is_answered_as_one_number_that_had_it_all(
    rule: Any, asked: str, happened: list[tuple[int, int, tuple[str, Interaction]]]
) -> None:
    """By any number: months, tier, balances, consents, contacts, answers, complaints."""
    history = history_of(happened)
    each = [linked(known(history, {number}, number, rule)) for number in NUMBERS]
    each.sort(key=lambda one: one.stream != asked)
    one = known(history, {*NUMBERS}, NUMBERS[0], rule)

    person = person_of(each)

    assert person.stream == NUMBERS[0]
    assert months_of(person) == months_of(one)
    assert person.standing == one.standing
    assert {name: account.balance for name, account in person.ledger.accounts.items()} == {
        name: account.balance for name, account in one.ledger.accounts.items()
    }
    assert person.profile.products == one.profile.products
    assert person.profile.channels == one.profile.channels
    assert {scope: fact.value for scope, fact in person.profile.consents.items()} == {
        scope: fact.value for scope, fact in one.profile.consents.items()
    }
    assert person.profile.contacts == one.profile.contacts
    assert person.complaints.open == one.complaints.open
    assert (person.offers.accepted, person.offers.declined) == (
        one.offers.accepted,
        one.offers.declined,
    )
    for cap in ContactPolicy().caps:
        now = datetime(2026, 4, 30, tzinfo=UTC)
        assert taken(cap, [person.offers.contacts], now) == taken(cap, [one.offers.contacts], now)


merges = st.lists(
    st.tuples(
        st.integers(0, 100),
        st.sampled_from([IdentitiesMerged, IdentitiesUnmerged]),
        st.sampled_from(NUMBERS),
        st.sampled_from(NUMBERS),
    ).filter(lambda each: each[2] != each[3]),
    max_size=8,
)


@given(steps, merges)
def test_an_unmerge_gives_each_number_back_what_was_its_own(
    happened: list[tuple[int, int, tuple[str, Interaction]]],
    said: list[tuple[int, Any, str, str]],
) -> None:
    """To the byte: no merge ever changed a number's own states."""
    words = [(day, 0, (number, kind(other=other, reason="r"))) for day, kind, number, other in said]
    with_merges = history_of([*happened, *words])
    without = [
        event
        for event in with_merges
        if not isinstance(event.data, IdentitiesMerged | IdentitiesUnmerged)
    ]

    for number in NUMBERS:
        for part in ("profile", "ledger", "months"):
            [merged, alone] = [
                getattr(known(history, {number}, number, RULES[0]), part)
                for history in (with_merges, without)
            ]
            projection = next(each for each in CUSTOMERS.parts if each.name == part)
            assert projection.encode(merged) == projection.encode(alone)


def spread(words: list[Recorded], chance: Random) -> dict[str, Facts]:
    """What each number knows when all have been told, in whatever order messages arrive."""
    states = dict.fromkeys(NUMBERS, cast("Facts", CUSTOMERS.initial))
    waiting: dict[tuple[str, str], deque[Recorded]] = {("bank", w.stream): deque() for w in words}
    for word in words:
        waiting["bank", word.stream].append(word)
    position = 1_000
    while ready := sorted(way for way, some in waiting.items() if some):
        way = chance.choice(ready)
        event = waiting[way].popleft()
        before = states[event.stream]
        after = cast("Facts", CUSTOMERS.evolve(before, event))
        states[event.stream] = after
        assert CUSTOMERS.react is not None
        for said in CUSTOMERS.react(event.stream, before, after, event):
            if said.stream in NUMBERS:
                position += 1
                assert position < 5_000, "they never come to an end"
                told_ = Recorded(
                    position, said.stream, position, said.source, said.id, said.occurred_at,
                    said.business_date, event.recorded_at, said.cause, said.data,
                )  # fmt: skip
                waiting.setdefault((event.stream, said.stream), deque()).append(told_)
    return states


households = st.sampled_from(["household:1", "household:2"])
memberships = st.lists(
    st.tuples(
        st.integers(0, 100),
        st.just(0),
        st.tuples(
            st.sampled_from(NUMBERS),
            st.one_of(
                st.builds(HouseholdJoined, household=households, role=st.just("member")),
                st.builds(HouseholdLeft, household=households),
            ),
        ),
    ),
    max_size=5,
)


@given(merges, memberships, st.randoms(use_true_random=False))
def test_all_numbers_of_a_person_come_to_know_the_same(
    said: list[tuple[int, Any, str, str]],
    belonging: list[tuple[int, int, tuple[str, Interaction]]],
    chance: Random,
) -> None:
    """The links that there are by their times, whatever order they arrive in; and where each of
    the others belongs.
    """
    merging = [
        (day, 0, (number, kind(other=other, reason="r"))) for day, kind, number, other in said
    ]
    words = [
        event
        for event in history_of([*merging, *belonging])
        if isinstance(
            event.data, IdentitiesMerged | IdentitiesUnmerged | HouseholdJoined | HouseholdLeft
        )
    ]
    newest = Identity()
    for word in words:
        if isinstance(word.data, IdentitiesMerged | IdentitiesUnmerged):
            newest = cast(
                "Facts", CUSTOMERS.evolve(CUSTOMERS.initial, word)
            ).identity.links and told(
                newest, cast("Facts", CUSTOMERS.evolve(CUSTOMERS.initial, word)).identity.links
            )

    states = spread(words, chance)

    for number in NUMBERS:
        assert numbers_of(states[number].identity, number) == numbers_of(newest, number)
        for other in numbers_of(newest, number):
            if other != number:
                kin = states[number].identity.kin.get(other, {})
                assert kin == states[other].profile.memberships


def test_a_merge_that_is_dated_before_a_later_unmerge_does_not_win() -> None:
    """Facts go by their time, not by their arrival."""
    late = IdentitiesMerged(other="customer:2", reason="r")
    wrong = IdentitiesUnmerged(other="customer:2", reason="r")
    [unmerged, merged] = [
        history_of([(day, 0, ("customer:1", data))])[3] for day, data in ((20, wrong), (10, late))
    ]
    states = cast("Facts", CUSTOMERS.initial)
    for event in (unmerged, merged):
        states = cast("Facts", CUSTOMERS.evolve(states, event))

    assert numbers_of(states.identity, "customer:1") == ("customer:1",)


@pytest.mark.parametrize("by", NUMBERS)
def test_a_circle_is_one_person_and_the_shortest_name_stays(by: str) -> None:
    """A into B, B into C, C into A."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    links = [
        Link(*sorted((one, other)), True, at, one)
        for one, other in pairwise((*NUMBERS, NUMBERS[0]))
    ]

    assert numbers_of(told(Identity(), links), by) == NUMBERS


def at_noon(day: int) -> datetime:
    """Noon of a day in January."""
    return datetime(2026, 1, day, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ((("withdrawn", 1), ("granted", 5)), "withdrawn"),
        ((("withdrawn", 1), ("granted", 12)), "granted"),
        ((("withdrawn", 20), ("granted", 12)), "withdrawn"),
        ((("granted", 1), ("granted", 5)), "granted"),
    ],
)
def test_of_consents_from_before_a_merge_the_strictest_counts(
    said: tuple[tuple[str, int], ...], counts: str
) -> None:
    """Merged on the tenth: a yes undoes the no of another number only if it was said since.

    Whenever a third number, which said nothing, was merged.
    """
    facts = {place: Fact(value, "app", at_noon(day)) for place, (value, day) in enumerate(said)}
    links = told(
        Identity(),
        [
            Link(NUMBERS[0], NUMBERS[1], True, at_noon(10), NUMBERS[0]),
            Link(NUMBERS[0], NUMBERS[2], True, at_noon(25), NUMBERS[0]),
        ],
    )

    found = consent_together(
        facts, lambda one, other: joinings(links)(NUMBERS[one], NUMBERS[other])
    )

    assert found.value == counts


def test_who_goes_on_with_one_number_has_not_left() -> None:
    """Also where nothing was ever said of that number."""
    gone = Life(left=Stated(so=True, at=at_noon(5)))

    assert life_together([gone, Life()]).barred is None
    assert life_together([gone, gone]).barred == "the customer has left"
    assert life_together([Life(died=Stated(so=True, at=at_noon(5))), Life()]).barred is not None


def test_a_merge_can_be_undone_however_many_there_are() -> None:
    """A hundred links are the most of which one more is begun, not of which one is undone."""
    many = Identity()
    for number in range(MOST):
        many = stated(
            many, Link("customer:0", f"customer:a{number}", True, at_noon(1), "customer:0")
        )

    more = stated(many, Link("customer:0", "customer:b", True, at_noon(2), "customer:0"))
    undone = stated(many, Link("customer:0", "customer:a7", False, at_noon(2), "customer:0"))

    assert more is many
    assert "customer:a7" not in numbers_of(undone, "customer:0")


def test_a_person_of_many_numbers_is_told_in_few_words() -> None:
    """Forty numbers merged into one: each hears of each, in so many messages of one link each."""
    names = [f"customer:{number}" for number in range(40)]
    states = dict.fromkeys(names, cast("Facts", CUSTOMERS.initial))
    said, links = 0, 0
    for number, name in enumerate(names[1:], start=1):
        word = IdentitiesMerged(other=name, reason="r")
        waiting = deque([history_of([(number % 28, 0, (names[0], word))])[3]])
        while waiting:
            event = waiting.popleft()
            before = states[event.stream]
            states[event.stream] = cast("Facts", CUSTOMERS.evolve(before, event))
            assert CUSTOMERS.react is not None
            for each in CUSTOMERS.react(event.stream, before, states[event.stream], event):
                said, links = said + 1, links + len(each.data.links)
                waiting.append(event._replace(stream=each.stream, data=each.data))

    assert {numbers_of(states[name].identity, name) for name in names} == {
        (names[0], *sorted(names[1:]))
    }
    assert said < len(names) ** 2
    assert links < 3 * len(names) ** 2


NAMES = [f"customer:{letter}" for letter in "abcdefg"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES), st.sampled_from(NAMES), st.booleans(), st.integers(1, 28)
        ).filter(lambda said: said[0] != said[1]),
        max_size=20,
    )
)
def test_two_numbers_are_one_person_since_the_first_day_on_which_links_lead_there(
    said: list[tuple[str, str, bool, int]],
) -> None:
    """As if it was asked again for each day, with the links that there were by then."""
    known = told(
        Identity(),
        [
            Link(min(one, two), max(one, two), merged, at_noon(day), one)
            for one, two, merged, day in said
        ],
    )
    joined = joinings(known)

    for one, other in permutations(NAMES, 2):
        days = [
            day
            for day in range(1, 29)
            if other in numbers_of(Identity(tuple(_by(known, day))), one)
        ]
        assert joined(one, other) == (at_noon(days[0]) if days else None)
    assert joined(NAMES[0], NAMES[0]) is None


def _by(known: Identity, day: int) -> list[Link]:
    return [link for link in known.links if link.at <= at_noon(day)]


def test_a_person_of_many_numbers_stops_a_question_for_nobody() -> None:
    """Two hundred numbers, thousands of links and words on consent: answered within a second."""
    chance = Random(1)
    names = [f"customer:{number}" for number in range(200)]
    links = [
        Link(one, two, True, at_noon(1) + timedelta(minutes=minute), one)
        for minute, (one, two) in enumerate(sorted(chance.sample(names, 2)) for _ in range(4_000))
    ]
    whole = told(Identity(), links)
    of_each = [
        replace(
            known([], {name}, name, RULES[0]),
            identity=whole,
            profile=Profile(
                consents={
                    purpose: Fact(
                        chance.choice(["granted", "withdrawn"]),
                        "app",
                        at_noon(chance.randrange(1, 28)),
                    )
                    for purpose in ("marketing", "profiling", "service")
                }
            ),
        )
        for name in names
    ]
    begun = time.process_time()

    person = person_of(of_each)

    assert time.process_time() - begun < 1
    assert len(person.numbers) == len(names)
