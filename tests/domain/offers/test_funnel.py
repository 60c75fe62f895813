"""The funnel: what may be offered, and the reason when it may not."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.accounts.monthly_facts import MonthlyFacts
from domain.offers.applicant import Applicant, Asking, Consented, agrees
from domain.offers.catalogue import Arms, Catalogue, Exploration, Offer, Risk, Validity
from domain.offers.contact_policy import Contact, Contacts, Slot
from domain.offers.events import Dropped
from domain.offers.funnel import Funnel, in_audience
from domain.rules.conditions import AtLeast, Case

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FUND = Offer(
    offer="fund",
    name={"en": "Fund"},
    value=100,
    risk="R3",
    ages=(18, 80),
    tiers=("gold",),
    regions=("Wuhan",),
    not_holding=("fund",),
)
PRIVATE = Offer(offer="private", name={"en": "Private fund"}, value=900, private=True)
SHELF = Catalogue(catalogue="test", version=1, currency="CNY", offers=(FUND, PRIVATE))
FITTING = Applicant(
    "customer:1",
    "person",
    "gold",
    NOW,
    NOW.date(),
    age=40,
    region="Wuhan",
    grade="C3",
    graded_until=date(2026, 12, 31),
)


def ago(days: float) -> datetime:
    """So many days before now."""
    return NOW - days * DAY


def why_not(
    offer: Offer, who: Applicant, channel: str, shelf: Catalogue = SHELF, full: tuple[int, ...] = ()
) -> Dropped | None:
    """The first objection to an offer, as if it stood in the catalogue."""
    with_it = Catalogue.model_validate(
        {
            **shelf.model_dump(),
            "offers": (offer, *(each for each in shelf.offers if each.offer != offer.offer)),
        }
    )
    return Funnel(with_it).why_not(offer, Asking(with_it, who, channel, full))  # type: ignore[arg-type]


def test_a_fitting_customer_may_be_offered_it() -> None:
    """No objection, no reason."""
    assert why_not(FUND, FITTING, "app") is None


OFTEN = "contacted often enough:"


def month() -> Case:
    """What conditions are asked of."""
    return Case({"balance": 5}, MonthlyFacts("2026-02", 28), "active")


OBJECTIONS: list[tuple[dict[str, object], dict[str, object], str, str, str]] = [
    (
        {"valid": Validity(since=date(2026, 4, 1))},
        {},
        "app",
        "eligibility",
        "valid from 2026-04-01 on",
    ),
    (
        {"valid": Validity(until=date(2026, 3, 9))},
        {},
        "app",
        "eligibility",
        "valid until 2026-03-09",
    ),
    ({}, {"kind": "company"}, "app", "eligibility", "not for a company"),
    ({}, {"age": 17}, "app", "eligibility", "age 17 is not within 18 to 80"),
    ({}, {"age": None}, "app", "eligibility", "age is unknown, and must be 18 to 80"),
    ({}, {"region": "Paris"}, "app", "eligibility", "not for residents of Paris"),
    ({}, {"region": None}, "app", "eligibility", "not for residents of an unknown region"),
    ({}, {"tier": "mass"}, "app", "eligibility", "not for tier mass"),
    ({"segments": ("young",)}, {"segment": "old"}, "app", "eligibility", "not for segment old"),
    (
        {"eligibility": AtLeast(quantity="balance", at_least=9)},
        {"case": month},
        "app",
        "eligibility",
        "balance 5, at least 9",
    ),
    (
        {"treatments": {"branch": {"en": "Ask us"}}},
        {},
        "app",
        "eligibility",
        "has no treatment for channel app",
    ),
    ({}, {"holdings": frozenset({"fund"})}, "app", "applicability", "already holds fund"),
    ({}, {"accepted": {"fund": ago(400)}}, "app", "applicability", "was accepted before"),
    (
        {"again_days": 90},
        {"accepted": {"fund": ago(89)}},
        "app",
        "applicability",
        "was accepted within 90 days",
    ),
    ({"stages": ("new",)}, {}, "app", "applicability", "not for a customer who is active"),
    ({"seasons": (1, 2)}, {}, "app", "applicability", "not in month 3"),
    (
        {"applicability": AtLeast(quantity="balance", at_least=9)},
        {"case": month},
        "app",
        "applicability",
        "balance 5, at least 9",
    ),
    ({}, {"grade": "C2"}, "app", "suitability", "customer grade C2 is below product grade R3"),
    (
        {"risk": Risk(issuer="R2", seller="R4")},
        {},
        "app",
        "suitability",
        "customer grade C3 is below product grade R4",
    ),
    (
        {},
        {"grade": None, "graded_until": None},
        "app",
        "suitability",
        "no risk assessment, and product grade is R3",
    ),
    (
        {},
        {"graded_until": date(2026, 3, 9)},
        "app",
        "suitability",
        "risk assessment expired on 2026-03-09, and product grade is R3",
    ),
    (
        {"risk": Risk(issuer="R4")},
        {"age": 65, "grade": "C5"},
        "app",
        "suitability",
        "R4 is explained in person from age 65 on",
    ),
    (
        {"risk": Risk(issuer="R4"), "ages": None},
        {"age": None, "grade": "C5"},
        "app",
        "suitability",
        "R4 is explained in person where the age is unknown",
    ),
    (
        {},
        {"accepted": {"private": ago(0.9)}},
        "call",
        "suitability",
        "within 24 hours of accepting private",
    ),
    (
        {"suitability": AtLeast(quantity="balance", at_least=9)},
        {"case": month},
        "app",
        "suitability",
        "balance 5, at least 9",
    ),
    (
        {},
        {"consents": {"marketing": Consented(granted=False, at=ago(9))}},
        "app",
        "consent",
        "no consent to marketing on app",
    ),
    (
        {"purpose": "third-party"},
        {"consents": {"third-party/app": Consented(granted=False, at=ago(9))}},
        "app",
        "consent",
        "no consent to third-party on app",
    ),
    (
        {},
        {"contacts": Contacts(outcomes={"lapsed/fund": (ago(40), ago(12))})},
        "app",
        "contact",
        "lapsed 2 times in 30 days, hidden until 2026-04-27",
    ),
    (
        {},
        {"contacts": Contacts(outcomes={"declined/fund": (ago(40), ago(26))})},
        "app",
        "contact",
        "declined 2 times in 15 days, hidden until 2026-03-14",
    ),
    (
        {},
        {"contacts": Contacts({"email": (Contact(ago(6), "d1"),)})},
        "email",
        "contact",
        "contacted often enough: at most 1 in 7 days on email, of a customer",
    ),
    (
        {},
        {"contacts": Contacts(held={"d1": Slot("sms", ago(-0.1))})},
        "sms",
        "contact",
        "contacted often enough: at most 1 in 7 days on sms, of a customer",
    ),
]
UNOBJECTIONABLE: list[tuple[dict[str, object], dict[str, object], str]] = [
    ({"again_days": 90}, {"accepted": {"fund": ago(90)}}, "app"),
    ({"risk": Risk(issuer="R4")}, {"age": 65, "grade": "C4"}, "branch"),
    ({"risk": Risk(issuer="R4")}, {"age": 64, "grade": "C4"}, "app"),
    ({}, {"accepted": {"private": ago(1)}}, "call"),
    ({}, {"graded_until": date(2026, 3, 10)}, "app"),
    (
        {},
        {
            "consents": {
                "marketing": Consented(granted=False, at=ago(9)),
                "marketing/app": Consented(granted=True, at=ago(8)),
            }
        },
        "app",
    ),
    ({}, {"consents": {"marketing/sms": Consented(granted=False, at=ago(9))}}, "app"),
    (
        {"purpose": "service"},
        {"consents": {"marketing": Consented(granted=False, at=ago(9))}},
        "app",
    ),
    ({}, {"contacts": Contacts(outcomes={"lapsed/fund": (ago(50), ago(12))})}, "app"),
    ({}, {"contacts": Contacts(outcomes={"declined/fund": (ago(50), ago(40))})}, "app"),
    ({}, {"contacts": Contacts({"email": (Contact(ago(7), "d1"),)})}, "email"),
    ({}, {"contacts": Contacts({"email": (Contact(ago(1), "d1"),)})}, "sms"),
    ({}, {"contacts": Contacts(held={"d1": Slot("sms", ago(0.1))})}, "sms"),
]


@pytest.mark.parametrize(("of_offer", "of_customer", "channel", "stage", "reason"), OBJECTIONS)
def test_every_objection_is_said(
    of_offer: dict[str, object],
    of_customer: dict[str, object],
    channel: str,
    stage: str,
    reason: str,
) -> None:
    """A dropped offer names the stage and the reason."""
    dropped = why_not(FUND.model_copy(update=of_offer), replace(FITTING, **of_customer), channel)  # type: ignore[arg-type]

    assert dropped is not None
    assert (dropped.stage, dropped.reason) == (stage, reason)


@pytest.mark.parametrize(("of_offer", "of_customer", "channel"), UNOBJECTIONABLE)
def test_what_is_just_allowed_is_not_objected_to(
    of_offer: dict[str, object], of_customer: dict[str, object], channel: str
) -> None:
    """Each bound lies where the rule says, and not one day or year before it."""
    assert (
        why_not(FUND.model_copy(update=of_offer), replace(FITTING, **of_customer), channel) is None
    )  # type: ignore[arg-type]


def test_a_household_is_not_contacted_more_often_than_its_cap() -> None:
    """What others of the household were sent counts, each contact once."""
    own = Contacts({"email": (Contact(ago(2), "d1"),)})
    others = Contacts({"email": (Contact(ago(2), "d1"), Contact(ago(1), "d2"))})
    cap = {"channels": ("email", "sms"), "at_most": 2, "of": "household"}
    shelf = Catalogue.model_validate({**SHELF.model_dump(), "contact": {"caps": (cap,)}})
    who = replace(FITTING, contacts=own, household=(others,))
    dropped = why_not(FUND, who, "sms", shelf)

    assert dropped is not None
    assert (
        dropped.reason
        == "contacted often enough: at most 2 in 7 days on email, sms, of a household"
    )
    assert why_not(FUND, replace(who, household=()), "sms", shelf) is None


def test_a_cap_that_somebody_else_has_just_used_up_forbids_every_offer() -> None:
    """The funnel believes who holds the places."""
    assert why_not(FUND, FITTING, "email") is None
    assert why_not(FUND, FITTING, "email", full=(0,)) is not None


def test_some_purposes_need_a_yes() -> None:
    """Where the bank's rule is opt-in, nothing said means no.

    Of two things said at once the no counts.
    """
    said = {
        "marketing": Consented(granted=True, at=NOW),
        "marketing/app": Consented(granted=False, at=NOW),
    }

    assert not agrees(FITTING, "marketing", "app", opt_in=True)
    assert agrees(FITTING, "marketing", "app", opt_in=False)
    assert not agrees(replace(FITTING, consents=said), "marketing", "app", opt_in=False)


def test_a_new_offer_is_shown_to_few_and_in_the_end_to_all() -> None:
    """Two of a hundred see it first, half of them halfway, everybody at 200 acceptances.

    Who is in stays in.
    """
    rules, everybody = Exploration(), [f"customer:{number}" for number in range(5_000)]
    seeing = [
        {stream for stream in everybody if in_audience(rules, "fund", stream, accepted)}
        for accepted in (0, 98, 200)
    ]

    assert 60 <= len(seeing[0]) <= 140
    assert 2_300 <= len(seeing[1]) <= 2_700
    assert seeing[0] < seeing[1] < seeing[2] == set(everybody)


def test_arms_have_the_sizes_that_they_are_given() -> None:
    """Chance by the customer's number, the same tomorrow; another experiment draws others."""
    arms = Arms(experiment="one", random=100, propensity=100, no_levers=100, eligible=100)
    drawn = [arms.of(f"customer:{number}") for number in range(10_000)]
    again = [
        arms.model_copy(update={"experiment": "two"}).of(f"customer:{number}")
        for number in range(10_000)
    ]

    assert all(
        900 <= drawn.count(arm) <= 1_100
        for arm in ("random", "propensity", "no-levers", "eligible")
    )
    assert drawn == [arms.of(f"customer:{number}") for number in range(10_000)] != again


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"ages": [70, 18]}, "ages 70 to 18 are nobody's"),
        ({"valid": {"since": "2026-02-01", "until": "2026-01-01"}}, "is never"),
        (
            {"eligibility": {"quantity": "moods", "at_least": 1}},
            "eligibility asks for moods, which is none of",
        ),
        ({"risk": "R9"}, "risk"),
        ({"seasons": [13]}, "seasons"),
        ({"discount": 1}, "discount"),
    ],
)
def test_a_broken_offer_is_refused_with_the_place(said: dict[str, object], fault: str) -> None:
    """Whoever writes a catalogue learns what is wrong."""
    with pytest.raises(ValidationError, match=fault):
        Offer.model_validate({"offer": "fund", "name": {}, "value": 1, **said})


grades = st.none() | st.sampled_from(["C1", "C2", "C3", "C4", "C5"])
moments = st.floats(min_value=-2, max_value=100).map(ago)
consents = st.dictionaries(
    st.sampled_from(["marketing", "marketing/app", "marketing/sms", "profiling"]),
    st.builds(Consented, granted=st.booleans(), at=moments),
    max_size=4,
)
applicants = st.builds(
    Applicant,
    stream=st.just("customer:1"),
    kind=st.sampled_from(["person", "company"]),
    tier=st.sampled_from(["mass", "affluent", "gold", "platinum", "diamond"]),
    now=st.just(NOW),
    today=st.just(NOW.date()),
    age=st.none() | st.integers(min_value=0, max_value=110),
    grade=grades,
    graded_until=st.none() | st.dates(min_value=date(2026, 1, 1), max_value=date(2026, 6, 1)),
    holdings=st.frozensets(st.sampled_from(["credit-card", "balanced-fund"])),
    consents=consents,
    accepted=st.dictionaries(
        st.sampled_from(["credit-card", "savings-plan", "private-fund"]), moments
    ),
    case=st.just(lambda: Case({"balance": 400_000_000}, MonthlyFacts("2026-02", 28), "active")),
)


@given(applicants, st.sampled_from(["app", "sms", "branch"]))
def test_nobody_is_offered_what_is_forbidden(
    catalogue: Catalogue, who: Applicant, channel: str
) -> None:
    """Whoever asks: no risk beyond a valid grade, no high risk to the elderly on a screen, nothing
    without consent, nothing twice.
    """
    asking = Asking(catalogue, who, channel)  # type: ignore[arg-type]
    for offer in catalogue.offers:
        if Funnel(catalogue).why_not(offer, asking) is None:
            said = [
                each
                for key in ("marketing", f"marketing/{channel}")
                if (each := who.consents.get(key))
            ]
            assert not said or max(said, key=lambda each: (each.at, not each.granted)).granted
            assert offer.again_days is not None or offer.offer not in who.accepted
            if offer.grade is not None:
                assert who.grade is not None
                assert who.grade[1] >= offer.grade[1]
                assert who.graded_until is not None
                assert who.graded_until >= who.today
                assert (
                    offer.grade < "R4"
                    or channel == "branch"
                    or (who.age is not None and who.age < 65)
                )
