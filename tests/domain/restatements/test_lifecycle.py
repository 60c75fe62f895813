"""A restatement takes its steps in order, and each by whoever may take it."""

import pytest

from domain.restatements.events import (
    RestatementApplied,
    RestatementApproved,
    RestatementPromoted,
    RestatementProposed,
    RestatementRolledBack,
    RestatementStep,
    RestatementWithdrawn,
)
from domain.restatements.lifecycle import Restatements, evolve, refusal

SEEN = "ab" * 32
OTHER = "cd" * 32
PROPOSED = RestatementProposed(
    restatement="r", months=("2026-02", "2026-03"), reason="late", by="li.wei"
)
APPROVED = RestatementApproved(restatement="r", report=SEEN, upto=(7,), by="zhang")
PROMOTED = RestatementPromoted(restatement="r", report=SEEN, by="zhang")
APPLIED = RestatementApplied(restatement="r", customers=3, by="zhang")
BACK = RestatementRolledBack(restatement="r", by="zhang", reason="wrong")
APPLIED_BACK = APPLIED.model_copy(update={"taken_back": True})
WITHDRAWN = RestatementWithdrawn(restatement="r", by="li.wei", reason="not needed")
WHOLE = (PROPOSED, APPROVED, PROMOTED, APPLIED, BACK, APPLIED_BACK)


def after(*steps: RestatementStep) -> Restatements:
    """What was decided by some steps."""
    state = Restatements()
    for step in steps:
        state = evolve(state, step)
    return state


@pytest.mark.parametrize("number", range(len(WHOLE)))
def test_each_step_of_a_whole_life_is_allowed(number: int) -> None:
    """Proposed, approved, promoted, applied, rolled back, applied."""
    assert refusal(after(*WHOLE[:number]), WHOLE[number]) is None


def test_it_says_how_far_it_is() -> None:
    """Promoted, it is not finished before it has reached all; so when it is rolled back."""
    unfinished = [after(*WHOLE[:number]).known["r"].is_unfinished for number in range(1, 7)]

    assert unfinished == [False, False, True, False, True, False]


@pytest.mark.parametrize(
    ("before", "step", "why"),
    [
        ((), APPROVED, "no restatement"),
        ((PROPOSED,), PROPOSED, "another name"),
        ((PROPOSED,), APPROVED.model_copy(update={"by": "Li-Wei@bank"}), "somebody else"),
        ((PROPOSED,), PROMOTED, "no approval"),
        ((PROPOSED, APPROVED), PROMOTED.model_copy(update={"report": OTHER}), "no approval"),
        ((PROPOSED,), BACK, "only what was promoted"),
        ((PROPOSED,), APPLIED, "nothing to reach"),
        (
            (PROPOSED, APPROVED, PROMOTED),
            BACK.model_copy(update={"by": "Li-Wei"}),
            "somebody else has to roll it back",
        ),
        ((PROPOSED, APPROVED, PROMOTED), APPLIED_BACK, "nothing to reach"),
        ((PROPOSED, APPROVED, PROMOTED, APPLIED), PROMOTED, "is promoted"),
        ((PROPOSED, APPROVED, PROMOTED, APPLIED), WITHDRAWN, "is promoted"),
        ((PROPOSED, WITHDRAWN), APPROVED, "is withdrawn"),
        (WHOLE, PROMOTED, "is rolled-back"),
    ],
)
def test_a_step_out_of_order_says_why_and_changes_nothing(
    before: tuple[RestatementStep, ...], step: RestatementStep, why: str
) -> None:
    """Also where it was recorded all the same."""
    state = after(*before)

    assert why in (refusal(state, step) or "")
    assert evolve(state, step) == state


@pytest.mark.parametrize(
    ("one", "other", "overlaps"),
    [
        ({}, {}, True),
        ({"customers": ("customer:1",)}, {}, True),
        ({"customers": ("customer:1",)}, {"customers": ("customer:2",)}, False),
        ({"customers": ("customer:1",)}, {"customers": ("customer:2", "customer:1")}, True),
        ({"months": ("2026-01",)}, {"months": ("2026-02",)}, False),
        ({"source": "core/a"}, {"source": "core/b"}, True),
    ],
)
def test_two_of_the_same_month_and_customer_are_refused(
    one: dict[str, tuple[str, ...]], other: dict[str, tuple[str, ...]], overlaps: bool
) -> None:
    """As long as the first is on its way; when it has reached all, another may follow."""
    first = PROPOSED.model_copy(update=one)
    second = PROPOSED.model_copy(update={"restatement": "s", **other})
    promoted = (first, APPROVED, PROMOTED)

    for before in ((first,), promoted):
        assert ("overlaps with r" in (refusal(after(*before), second) or "")) == overlaps
    for before in ((first, WITHDRAWN), (*promoted, APPLIED)):
        assert refusal(after(*before), second) is None


def test_one_at_a_time_is_on_its_way() -> None:
    """Another one waits until it has reached all; what was promoted in part can be taken back."""
    second = PROPOSED.model_copy(update={"restatement": "s", "months": ("2025-12",)})
    steps = (PROPOSED, APPROVED, PROMOTED, second)
    others = [each.model_copy(update={"restatement": "s"}) for each in (APPROVED, PROMOTED)]
    busy = after(*steps, others[0])

    assert "r has not reached all yet" in (refusal(busy, others[1]) or "")
    assert refusal(evolve(busy, APPLIED), others[1]) is None
    assert refusal(busy, BACK) is None
