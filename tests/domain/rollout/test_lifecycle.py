"""Who may do what with a version, and what a step changes."""

import json
from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from domain.event import Interaction
from domain.rollout.events import (
    NOTHING,
    ORIGINAL,
    VersionAdopted,
    VersionAnnounced,
    VersionApproved,
    VersionPromoted,
    VersionProposed,
    VersionRolledBack,
    VersionWithdrawn,
)
from domain.rollout.lifecycle import Versions, evolve, refusal
from domain.tiering.policy import TierPolicy
from projections.rollout.versions import rules
from tests.conftest import NOON

RULE = {
    "policy": "rule", "version": 1, "source": "a test", "currency": "CNY", "effective": "2026-01-01", "author": "li", "misses_allowed": 3,  # noqa: E501
    "tiers": [{"tier": "all", "name": {}}],
}  # fmt: skip
OTHER = {**RULE, "misses_allowed": 2}
SCOPED = {**RULE, "scope": {"of": "company-group", "take": "max"}}
REPORT = "ab" * 32
DAY = date(2026, 3, 2)
G = "standings@1"
ADOPTED = VersionAdopted(group=G, version="v1", policy=dict(RULE))
PROPOSED = VersionProposed(group=G, version="v2", policy=dict(RULE), by="chen")
APPROVED = VersionApproved(group=G, version="v2", report=REPORT, by="zhang")
PROMOTED = VersionPromoted(group=G, version="v2", by="zhang")
TOLD = VersionAnnounced(group=G, switch=1, told=7, by="zhang")
V3 = (PROPOSED.model_copy(update={"version": "v3"}), APPROVED.model_copy(update={"version": "v3"}))
TOLD_BACK = TOLD.model_copy(update={"switch": 2})
BACK = VersionRolledBack(group=G, by="zhang", reason="too many")


STARS = "standings@1/stars"
OF_STARS = {**RULE, "policy": "stars", "scheme": "stars", "tiers": [
    {"tier": "entry", "name": {}},
    {"tier": "high", "name": {}, "reach": {"quantity": "value", "at_least": 5}},
]}  # fmt: skip
STARS_COME = (
    VersionProposed(group=STARS, version="s1", policy=dict(OF_STARS), by="chen"),
    VersionApproved(group=STARS, version="s1", report=REPORT, by="zhang"),
    VersionPromoted(group=STARS, version="s1", by="zhang"),
)
STARS_GO = VersionRolledBack(group=STARS, by="zhang", reason="a test")
P = "precedence@1"
ORDER = {
    "precedence": "house", "version": 1, "source": "a test", "effective": "2026-01-01", "author": "li",  # noqa: E501
    "order": [{"scheme": "stars", "least": "high"}, {"scheme": "retail"}],
}  # fmt: skip
ORDER_COMES = (
    VersionProposed(group=P, version="p1", policy=dict(ORDER), by="chen"),
    VersionApproved(group=P, version="p1", report=REPORT, by="zhang"),
    VersionPromoted(group=P, version="p1", by="zhang"),
)
ALL = (ADOPTED, *STARS_COME, *ORDER_COMES)
ORDER_ALONE = (
    ORDER_COMES[0].model_copy(update={"policy": {**ORDER, "order": [{"scheme": "retail"}]}}),
    *ORDER_COMES[1:],
)


def after(*steps: Interaction) -> Versions:
    """The versions after some steps."""
    versions = Versions()
    for step in steps:
        versions = evolve(versions, step, date(2026, 3, 2), NOON)
    return versions


def test_a_version_is_adopted_proposed_approved_and_promoted() -> None:
    """Then it is live, and the one before is kept."""
    lineup = after(ADOPTED, PROPOSED, APPROVED, PROMOTED).lineup(G)

    assert (lineup.live, lineup.before, set(lineup.carried)) == ("v2", "v1", {"v1", "v2"})
    assert [(switch.before, switch.after, switch.by) for switch in lineup.switches] == [
        (None, "v1", "li"),
        ("v1", "v2", "zhang"),
    ]


def test_a_roll_back_leads_to_the_version_before_once() -> None:
    """And the other is still carried."""
    back = after(ADOPTED, PROPOSED, APPROVED, PROMOTED, BACK)
    lineup = back.lineup(G)

    assert (lineup.live, lineup.before, set(lineup.carried), lineup.switches[-1].back) == (
        "v1",
        None,
        {"v1", "v2"},
        True,
    )
    assert refusal(back, BACK, date(2026, 3, 2)) == "there is no version before to go back to"


REFUSED: dict[str, tuple[Sequence[Interaction], Interaction, str]] = {
    "twice the same": ([ADOPTED, PROPOSED], PROPOSED, "carried already"),
    "an approval of what is not there": ([ADOPTED], APPROVED, "rebuild it first"),
    "an approval by who brought it": (
        [ADOPTED, PROPOSED],
        APPROVED.model_copy(update={"by": "chen"}),
        "somebody else has to approve",
    ),
    "an approval by the author": (
        [ADOPTED, PROPOSED],
        APPROVED.model_copy(update={"by": "li"}),
        "somebody else has to approve",
    ),
    "a promotion without approval": ([ADOPTED, PROPOSED], PROMOTED, "no approval against v1"),
    "a promotion of what is live": (
        [ADOPTED, PROPOSED, APPROVED, PROMOTED, TOLD],
        PROMOTED,
        "live already",
    ),
    "a promotion before all were told of the last": (
        [ADOPTED, PROPOSED, APPROVED, PROMOTED],
        PROMOTED.model_copy(update={"version": "v1"}),
        "announce it first",
    ),
    "an announcement of nothing": ([ADOPTED], TOLD, "not the last"),
    "telling twice": ([ADOPTED, PROPOSED, APPROVED, PROMOTED, TOLD], TOLD, "announced before"),
    "withdrawing what is live": (
        [ADOPTED],
        VersionWithdrawn(group=G, version="v1", by="li"),
        "live, or the one to go back to",
    ),
    "standings before any was adopted": ([], PROPOSED, "no tier policy was adopted yet"),
    "standings without a policy, before any was adopted": (
        [],
        PROPOSED.model_copy(update={"policy": None}),
        "no tier policy was adopted yet",
    ),
    "adopting twice": ([ADOPTED], ADOPTED, "has its first version already"),
    "adopting what knows no policy": (
        [],
        ADOPTED.model_copy(update={"group": "models@4"}),
        "has its first version already",
    ),
    "adopting what is no policy": (
        [],
        ADOPTED.model_copy(update={"policy": {}}),
        "the policy cannot be used",
    ),
    "what is no policy": (
        [ADOPTED],
        PROPOSED.model_copy(update={"policy": {"a": 1}}),
        "the policy cannot be used",
    ),
    "the best of a company group": (
        [ADOPTED],
        PROPOSED.model_copy(update={"policy": SCOPED}),
        "the best member counts for households alone",
    ),
    "another policy under a known name": (
        [ADOPTED, PROPOSED, VersionWithdrawn(group=G, version="v2", by="li")],
        PROPOSED.model_copy(update={"policy": OTHER}),
        "was another policy before",
    ),
    "an approval against what is no longer live": (
        [ADOPTED, PROPOSED, APPROVED, *V3, PROMOTED.model_copy(update={"version": "v3"}), TOLD],
        PROMOTED,
        "has no approval against v3",
    ),
    "what was live once, without an approval against what is live": (
        [
            ADOPTED,
            PROPOSED,
            APPROVED,
            PROMOTED,
            BACK,
            TOLD_BACK,
            *V3,
            PROMOTED.model_copy(update={"version": "v3"}),
            TOLD.model_copy(update={"switch": 3}),
        ],
        PROMOTED,
        "has no approval against v3",
    ),
    "a policy before its day": (
        [
            ADOPTED,
            PROPOSED.model_copy(update={"policy": {**RULE, "effective": "2026-03-03"}}),
            APPROVED,
        ],
        PROMOTED,
        "the policy of v2 is effective from 2026-03-03 on",
    ),
    "standings without a policy": (
        [ADOPTED],
        PROPOSED.model_copy(update={"policy": None}),
        "come with what they say",
    ),
    "a policy in the group of another scheme": (
        [ADOPTED],
        STARS_COME[0].model_copy(update={"policy": RULE}),
        "rule@1 is a policy of the scheme retail",
    ),
    "a scheme that begins without an approval": (
        [ADOPTED, STARS_COME[0]],
        STARS_COME[2],
        "no approval against nothing",
    ),
    "a scheme before the bank has any policy": ([], STARS_COME[0], "no tier policy was adopted"),
    "adopting in another scheme": (
        [ADOPTED],
        VersionAdopted(group=STARS, version="s1", policy=dict(OF_STARS)),
        "has its first version already",
    ),
    "going back before a scheme began": ([ADOPTED], STARS_GO, "no version before to go back to"),
    "a precedence of a scheme that is not live": (
        [ADOPTED, STARS_COME[0], *ORDER_COMES[:2]],
        ORDER_COMES[2],
        "stars is not live",
    ),
    "a precedence that was compared before a scheme switched": (
        [ADOPTED, *STARS_COME, *ORDER_COMES[:2], PROPOSED, APPROVED, PROMOTED],
        ORDER_COMES[2],
        "no approval against nothing, as things are now",
    ),
    "a version that no longer covers a kind": (
        [
            ADOPTED,
            *ORDER_ALONE,
            PROPOSED.model_copy(update={"policy": {**RULE, "applies_to": "person"}}),
            APPROVED,
        ],
        PROMOTED,
        "no scheme would cover a company any more",
    ),
    "a precedence that is none": (
        [ADOPTED],
        ORDER_COMES[0].model_copy(update={"policy": {}}),
        "the policy cannot be used",
    ),
    "a precedence without an approval": (
        [ADOPTED, *STARS_COME, ORDER_COMES[0]],
        ORDER_COMES[2],
        "no approval against nothing",
    ),
    "taking back a scheme that the precedence names": (
        ALL,
        STARS_GO,
        "the precedence p1 does not go with it: order[0].scheme: stars is not live",
    ),
    "a policy for what knows none": (
        [],
        PROPOSED.model_copy(update={"group": "models@4"}),
        "no others do",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_step_that_is_not_allowed_is_refused_and_changes_nothing(case: str) -> None:
    """Told to whoever takes it, and harmless if it is recorded all the same."""
    steps, step, said = REFUSED[case]
    versions = after(*steps)

    assert said in (refusal(versions, step, date(2026, 3, 2)) or "")  # type: ignore[attr-defined]
    assert evolve(versions, step, date(2026, 3, 2), NOON) is versions


def test_what_was_adopted_may_be_promoted_again() -> None:
    """What was adopted needs nobody's word; whatever else needs it against what is live."""
    again = VersionPromoted(group=G, version="v1", by="zhang")

    assert after(ADOPTED, PROPOSED, APPROVED, PROMOTED, TOLD, again).lineup(G).live == "v1"


def test_what_knows_no_policy_needs_no_approval() -> None:
    """The same folds over the same journal: the digests say whether it is right."""
    made = after(
        VersionProposed(group="models@4", version="2", by="ops"),
        VersionPromoted(group="models@4", version="2", by="ops"),
    )

    assert (made.lineup("models@4").live, made.lineup("models@4").before) == ("2", ORIGINAL)


def test_a_withdrawn_version_is_carried_no_longer_and_may_come_again() -> None:
    """What it was stays known."""
    gone = after(ADOPTED, PROPOSED, VersionWithdrawn(group=G, version="v2", by="li"))

    assert set(gone.lineup(G).carried) == {"v1"}
    assert set(gone.lineup(G).known) == {"v1", "v2"}
    assert "v2" in evolve(gone, PROPOSED, date(2026, 3, 2), NOON).lineup(G).carried


def test_a_bank_of_one_scheme_promotes_what_it_likes() -> None:
    """As in the journals of older releases: also a rule for people alone behind one for all."""
    people = PROPOSED.model_copy(update={"policy": {**RULE, "applies_to": "person"}})

    assert after(ADOPTED, people, APPROVED, PROMOTED).lineup(G).live == "v2"


def test_an_approval_of_a_precedence_outlives_a_scheme_that_is_only_tried() -> None:
    """It is void when one switches, and not when one is brought."""
    tried = after(ADOPTED, *ORDER_ALONE[:2], STARS_COME[0])

    assert refusal(tried, ORDER_ALONE[2], DAY) is None


def test_schemes_stand_side_by_side_and_switch_by_themselves() -> None:
    """A step in one leaves the others as they are."""
    versions = after(*ALL)
    retail = versions.lineup(G)
    moved = evolve(versions, VersionWithdrawn(group=STARS, version="s1", by="li"), DAY, NOON)

    assert {scheme: policy.label for scheme, policy in versions.live().items()} == {
        "retail": "rule@1",
        "stars": "stars@1",
    }
    assert versions.lineup(P).live == "p1"
    assert moved is versions
    assert after(*ALL, PROPOSED, APPROVED, PROMOTED).lineup(STARS) == versions.lineup(STARS)
    assert after(*ALL[:-3]).lineup(G) == retail


def test_a_scheme_that_begins_can_be_taken_back_to_nothing() -> None:
    """And a precedence too; then the scheme goes without."""
    ordered = after(*ALL, VersionRolledBack(group=P, by="zhang", reason="a test"))
    gone = evolve(ordered, STARS_GO, DAY, NOON)

    assert ordered.lineup(P).live == NOTHING
    assert gone.lineup(STARS).live == NOTHING
    assert list(gone.live()) == ["retail"]


def test_a_scheme_that_turns_out_wrong_can_be_left_out_and_taken_back() -> None:
    """Another order, in which it counts for nobody, opens the way."""
    without = {**ORDER, "version": 2, "order": [{"scheme": "retail"}], "uncounted": ["stars"]}
    out = tuple(step.model_copy(update={"version": "p2"}) for step in ORDER_COMES)
    left = after(*ALL, out[0].model_copy(update={"policy": without}), *out[1:])

    assert left.lineup(P).live == "p2"
    assert evolve(left, STARS_GO, DAY, NOON).lineup(STARS).live == NOTHING


def test_a_precedence_goes_back_though_another_scheme_began_since() -> None:
    """Which has no place then, as it had none before."""
    first = tuple(step.model_copy(update={"version": "p0"}) for step in ORDER_COMES)
    said = first[0].model_copy(update={"policy": {**ORDER, "order": [{"scheme": "retail"}]}})
    versions = after(ADOPTED, said, *first[1:], *STARS_COME, *ORDER_COMES)
    back = evolve(versions, VersionRolledBack(group=P, by="zhang", reason="a test"), DAY, NOON)

    assert (versions.lineup(P).live, back.lineup(P).live) == ("p1", "p0")


def test_the_scheme_that_the_bank_began_with_counts_first_without_a_precedence() -> None:
    """Then the others by name; as of a moment before the switch, as they were then."""
    begun_with = TierPolicy.model_validate_json(json.dumps(RULE))
    later = NOON + timedelta(days=3)
    versions = evolve(after(ADOPTED, *STARS_COME[:2]), STARS_COME[2], later.date(), later)
    seen = rules(versions, begun_with)

    assert list(seen.policies) == ["retail", "stars"]
    assert list(rules(versions, begun_with, DAY).policies) == ["retail"]
    assert list(rules(versions, begun_with, None, NOON).policies) == ["retail"]
    assert rules(after(*ALL), begun_with).least == {"stars": "high"}
    assert list(rules(after(*ALL), begun_with).policies) == ["stars", "retail"]


OFFERS = "catalogue@1"
BY_ITSELF = (
    VersionAdopted(group=OFFERS, version="c1", policy={"catalogue": "c", "version": 1}),
    VersionProposed(group=OFFERS, version="c2", policy={"catalogue": "c", "version": 2}, by="li"),
    VersionApproved(group=OFFERS, version="c2", report=REPORT, by="zhang", days=30, sample=9),
    VersionPromoted(group=OFFERS, version="c2", by="li"),
)


def test_a_policy_that_stands_by_itself_needs_no_scheme_and_an_adoption() -> None:
    """Adopted once, by whoever says so first; nothing is proposed before that."""
    again = BY_ITSELF[0].model_copy(update={"version": "c9"})

    assert after(*BY_ITSELF).lineup(OFFERS).live == "c2"
    assert "was not adopted yet" in (refusal(Versions(), BY_ITSELF[1], DAY) or "")
    assert "has its first version already" in (refusal(after(BY_ITSELF[0]), again, DAY) or "")


def test_an_approval_of_a_policy_ends_with_the_next_switch() -> None:
    """What was rolled back, and what was adopted, is not made live by one person."""
    back = VersionRolledBack(group=OFFERS, by="zhang", reason="too few")
    first = VersionPromoted(group=OFFERS, version="c1", by="li")

    assert after(*BY_ITSELF, back).lineup(OFFERS).live == "c1"
    assert "has no approval" in (refusal(after(*BY_ITSELF, back), BY_ITSELF[3], DAY) or "")
    assert "has no approval" in (refusal(after(*BY_ITSELF), first, DAY) or "")
