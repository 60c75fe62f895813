"""The funnel: what may be offered, and the reason when it may not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.offers import Applicant, Catalogue, Offer, why_not

FUND = Offer("fund", {"en": "Fund"}, 100, "CNY", risk="R3", ages=(18, 64), tiers=("gold",), not_holding=("fund",))
FITTING = Applicant("person", "gold", 40, "C3", frozenset(), None, frozenset())


def test_a_fitting_customer_may_be_offered_it() -> None:
    """No objection, no reason."""
    assert why_not(FUND, FITTING) is None


@pytest.mark.parametrize(
    ("changes", "stage", "reason"),
    [
        ({"kind": "company"}, "eligibility", "not for a company"),
        ({"age": 17}, "eligibility", "age 17 is not within 18 to 64"),
        ({"age": None}, "eligibility", "age is unknown, and must be 18 to 64"),
        ({"tier": "mass"}, "eligibility", "not for tier mass"),
        ({"holdings": frozenset({"fund"})}, "applicability", "already holds fund"),
        ({"answered": frozenset({"fund"})}, "applicability", "was accepted before"),
        ({"grade": "C2"}, "suitability", "customer grade C2 is below product grade R3"),
        ({"grade": None}, "suitability", "no valid risk assessment, and product grade is R3"),
        ({"marketing_consent": False}, "consent", "marketing consent was withdrawn"),
    ],
)
def test_every_objection_is_said(changes: dict[str, object], stage: str, reason: str) -> None:
    """A dropped offer names the stage and the reason."""
    dropped = why_not(FUND, replace(FITTING, **changes))  # type: ignore[arg-type]

    assert dropped is not None
    assert (dropped.stage, dropped.reason) == (stage, reason)


applicants = st.builds(
    Applicant,
    kind=st.sampled_from(["person", "company"]),
    tier=st.sampled_from(["mass", "affluent", "gold", "platinum", "diamond"]),
    age=st.none() | st.integers(min_value=0, max_value=110),
    grade=st.none() | st.sampled_from(["C1", "C2", "C3", "C4", "C5"]),
    holdings=st.frozensets(st.sampled_from(["credit-card", "balanced-fund"])),
    marketing_consent=st.none() | st.booleans(),
    answered=st.frozensets(st.sampled_from(["credit-card", "savings-plan"])),
)


@given(applicants)
def test_nobody_is_offered_what_is_forbidden(catalogue: Catalogue, who: Applicant) -> None:
    """Whoever asks: no risk beyond the customer's grade, nothing after a withdrawn consent, nothing twice."""
    for offer in catalogue.offers:
        if why_not(offer, who) is None:
            assert who.marketing_consent is not False
            assert offer.offer not in who.answered
            assert offer.risk is None or (who.grade is not None and who.grade[1] >= offer.risk[1])
