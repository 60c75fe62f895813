"""Who may do what with a version, and what a step changes."""

from collections.abc import Sequence
from datetime import date

import pytest

from domain.event import Interaction
from domain.rollout.events import (
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
from tests.conftest import NOON

RULE = {
    "policy": "rule", "version": 1, "source": "a test", "currency": "CNY", "effective": "2026-01-01", "author": "li", "misses_allowed": 3,  # noqa: E501
    "tiers": [{"tier": "all", "name": {}}],
}  # fmt: skip
OTHER = {**RULE, "misses_allowed": 2}
SCOPED = {**RULE, "scope": {"of": "company-group", "take": "max"}}
REPORT = "ab" * 32
G = "standings@1"
ADOPTED = VersionAdopted(group=G, version="v1", policy=dict(RULE))
PROPOSED = VersionProposed(group=G, version="v2", policy=dict(RULE), by="chen")
APPROVED = VersionApproved(group=G, version="v2", report=REPORT, by="zhang")
PROMOTED = VersionPromoted(group=G, version="v2", by="zhang")
TOLD = VersionAnnounced(group=G, switch=1, told=7, by="zhang")
V3 = (PROPOSED.model_copy(update={"version": "v3"}), APPROVED.model_copy(update={"version": "v3"}))
TOLD_BACK = TOLD.model_copy(update={"switch": 2})
BACK = VersionRolledBack(group=G, by="zhang", reason="too many")


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
    assert refusal(lineup, BACK, date(2026, 3, 2)) == "there is no version before to go back to"


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
        ADOPTED.model_copy(update={"group": "models@3"}),
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
        "come with a tier policy",
    ),
    "a policy for what knows none": (
        [],
        PROPOSED.model_copy(update={"group": "models@3"}),
        "no others do",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_step_that_is_not_allowed_is_refused_and_changes_nothing(case: str) -> None:
    """Told to whoever takes it, and harmless if it is recorded all the same."""
    steps, step, said = REFUSED[case]
    versions = after(*steps)

    assert said in (refusal(versions.lineup(step.group), step, date(2026, 3, 2)) or "")  # type: ignore[attr-defined]
    assert evolve(versions, step, date(2026, 3, 2), NOON) is versions


def test_what_was_adopted_may_be_promoted_again() -> None:
    """What was adopted needs nobody's word; whatever else needs it against what is live."""
    again = VersionPromoted(group=G, version="v1", by="zhang")

    assert after(ADOPTED, PROPOSED, APPROVED, PROMOTED, TOLD, again).lineup(G).live == "v1"


def test_what_knows_no_policy_needs_no_approval() -> None:
    """The same folds over the same journal: the digests say whether it is right."""
    made = after(
        VersionProposed(group="models@3", version="2", by="ops"),
        VersionPromoted(group="models@3", version="2", by="ops"),
    )

    assert (made.lineup("models@3").live, made.lineup("models@3").before) == ("2", ORIGINAL)


def test_a_withdrawn_version_is_carried_no_longer_and_may_come_again() -> None:
    """What it was stays known."""
    gone = after(ADOPTED, PROPOSED, VersionWithdrawn(group=G, version="v2", by="li"))

    assert set(gone.lineup(G).carried) == {"v1"}
    assert set(gone.lineup(G).known) == {"v1", "v2"}
    assert "v2" in evolve(gone, PROPOSED, date(2026, 3, 2), NOON).lineup(G).carried
