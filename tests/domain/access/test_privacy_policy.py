"""Every field is classed, and what is masked is masked wherever it stands."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.policy_files import BadFile, read_privacy
from deploy.settings import POLICIES
from domain.access.privacy_policy import Classed, masked
from domain.access.roles import ROLES
from domain.event_types import EVENTS

FILE = POLICIES / "privacy.yaml"
FACT = {"source": "app", "at": "2026-01-01T00:00:00Z"}

TOLD_BY_CUSTOMERS = frozenset(
    [
        *(
            "offer-presented",
            "offer-accepted",
            "offer-declined",
            "channel-visited",
            "service-used",
            "coupon-redeemed",
        ),
        *(
            "consent-granted",
            "consent-withdrawn",
            "preference-stated",
            "feedback-given",
            "survey-answered",
            "complaint-opened",
            "complaint-withdrawn",
        ),
    ]
)
OWN_WORD = frozenset(
    [
        *(
            "offer-decided",
            "offer-lapsed",
            "member-contacted",
            "care-changed",
            "member-died",
            "example-labelled",
            "model-drifted",
            "catalogue-adopted",
            "tier-overridden",
            "tier-override-proposed",
            "tier-override-withdrawn",
            "tier-changed",
        ),
        *(
            "scheme-switched",
            "version-adopted",
            "version-proposed",
            "version-approved",
            "version-promoted",
            "version-rolled-back",
            "version-announced",
            "version-withdrawn",
        ),
        *(
            "months-restated",
            "restatement-proposed",
            "restatement-approved",
            "restatement-promoted",
            "restatement-rolled-back",
            "restatement-applied",
            "restatement-withdrawn",
        ),
        *(
            "identity-told",
            "membership-changed",
            "member-month-reported",
            "shard-month-reported",
            "month-reported",
            "whole-month-closed",
        ),
        "quarantine-cleared",
        *("subject-forgotten", "subject-restricted", "restriction-lifted", "data-looked-up"),
    ]
)


def test_the_shipped_policy_classes_every_field() -> None:
    """Of every event and every read model; C2 with a mask."""
    policy = read_privacy(FILE)

    assert policy.events.keys() == EVENTS.keys()
    assert policy.longest == 10
    assert policy.label == "retail-privacy@1"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda said: said["events"]["customer-onboarded"]["fields"].pop("born"),
            "events.customer-onboarded.born has no class",
        ),
        (lambda said: said["events"].pop("feedback-given"), "events.feedback-given has no class"),
        (
            lambda said: said["read_models"]["profile"].update(shoe_size="C1"),
            "read_models.profile.shoe_size is not there",
        ),
        (
            lambda said: said["events"]["feedback-given"]["fields"].update(text="C2"),
            "a C2 field needs a mask",
        ),
        (lambda said: said["events"]["feedback-given"].update(purpose="fun"), "no purpose fun"),
    ],
)
def test_a_policy_that_says_too_little_or_too_much_stops_the_start(
    change: Callable[[dict[str, Any]], Any], said: str, tmp_path: Path
) -> None:
    """With the place and the reason."""
    policy = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    change(policy)
    file = tmp_path / "privacy.yaml"
    file.write_text(yaml.safe_dump(policy))

    with pytest.raises(BadFile, match=said):
        read_privacy(file)


def test_a_fact_cannot_be_named_so_that_others_are_shown() -> None:
    """`value` is a name that somebody may state like any other."""
    facts = {name: {"value": "欧阳小明", **FACT} for name in ("name", "value", "at", "source")}
    seen = masked({"facts": Classed("C2", "first")}, {}, {"facts": facts})

    assert {fact["value"] for fact in seen["facts"].values()} == {"欧***"}
    assert {fact["source"] for fact in seen["facts"].values()} == {"app"}


def test_names_are_masked_at_any_depth() -> None:
    """In months, in standings, in lists of members."""
    wherever = {"born": Classed("C2", "year"), "features": Classed("C2", "hidden")}
    said = {
        "months": {"rows": {"2026-01": {"traits": {"born": "1980-05-17", "kind": "person"}}}},
        "all": [{"features": {"age": 46}}],
    }

    assert masked({}, wherever, said) == {
        "months": {"rows": {"2026-01": {"traits": {"born": "1980-**-**", "kind": "person"}}}},
        "all": [{"features": {"age": "***"}}],
    }


def test_a_category_is_hidden_where_its_value_stands_in_its_name() -> None:
    """What it is a category of stays."""
    wherever = {"features": Classed("C2", "hidden")}

    assert masked({}, wherever, {"features": {"age": 46, "tier=gold": 1}}) == {
        "features": {"age": "***", "tier=***": "***"}
    }


def test_what_there_is_of_what_a_tier_asks_is_masked_by_what_it_is() -> None:
    """A rating is hidden, whether it was met or missed; a balance is no trait."""
    said = {
        "met": [{"what": "rating", "needs": ["AA"], "has": "AA", "at_most": False}],
        "missed": [[{"what": "assets", "needs": 5, "has": 3}, {"what": ["odd"], "has": 1}]],
    }
    wherever = {"rating": Classed("C2", "hidden")}

    seen = masked({}, wherever, said)
    assert seen["met"][0] == {**said["met"][0], "has": "***"}
    assert seen["missed"] == said["missed"]


def test_what_stands_in_a_tuple_is_masked_as_in_a_list() -> None:
    """Answers have both."""
    wherever = {"features": Classed("C2", "hidden")}
    told = {"because": ({"offer": "a", "features": ({"feature": "age", "words": {"en": "42"}},)},)}

    assert "42" not in str(masked({}, wherever, told))


def test_the_reason_of_a_drop_is_masked_wherever_it_is_stored() -> None:
    """A segment is the bank's own words, and may have a number in it."""
    drop = {"stage": "eligibility", "reason": "not for segment 13912345678", "offers": ["fund"]}
    seen = masked(
        {}, read_privacy(FILE).wherever, {"recorded": {"drops": [drop], "dropped": [drop]}}
    )

    assert "13912345678" not in str(seen)
    assert seen["recorded"]["drops"][0]["offers"] == ["fund"]


def test_accounts_with_the_same_ends_are_all_there() -> None:
    """Under one star more."""
    seen = masked(
        {"accounts": Classed("C2", "keys")},
        {},
        {"accounts": {"62220200000001234": 1, "62220299999991234": 2}},
    )

    assert sorted(seen["accounts"].values()) == [1, 2]
    assert all("0200000" not in name for name in seen["accounts"])


def test_every_event_may_be_sent_by_roles_that_there_are_and_is_signed_by_a_field_of_its_own() -> (
    None
):
    """A slip in a name would let nobody, or everybody, say it."""
    for event in EVENTS.values():
        assert set(event.senders) <= set(ROLES)
        assert event.signed_by is None or event.signed_by in event.model_fields


def test_the_senders_of_every_event_are_those_that_were_agreed() -> None:
    """Anybody new in the table is seen in a review of it."""
    by_role = {
        role: {name for name, event in EVENTS.items() if role in event.senders} for role in ROLES
    }

    assert by_role["channel"] == TOLD_BY_CUSTOMERS
    assert by_role["manager"] == TOLD_BY_CUSTOMERS | {
        "manager-visited",
        "profile-fact-stated",
        "contact-stated",
        "contact-withdrawn",
        "event-attended",
        "death-reported",
        "guardian-appointed",
    }
    assert by_role["supervisor"] == {
        *(
            "tier-overridden",
            "tier-override-proposed",
            "tier-override-withdrawn",
            "manager-assigned",
            "complaint-assigned",
            "complaint-extended",
            "complaint-answered",
            "complaint-closed",
            "identities-merged",
            "identities-unmerged",
        ),
    }
    assert by_role["modeller"] == {"example-labelled"}
    assert EVENTS.keys() - by_role["core"] == OWN_WORD
    assert not any(
        by_role[role] for role in ("tier-owner", "auditor", "privacy-officer", "operator")
    )
