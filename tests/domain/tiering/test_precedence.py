"""Which scheme counts, and which precedence would leave somebody out."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from deploy.policy_files import read_policy, read_precedence
from deploy.settings import POLICIES
from domain.tiering.assessment import Standing
from domain.tiering.policy import TierPolicy
from domain.tiering.precedence import Precedence, Stand, Tiers, choose, gaps

TODAY = date(2026, 3, 2)
NAMES = ("corporate-key-accounts", "private-entry-six-million", "bohai-retail", "icbc-stars")
LIVE: dict[str, TierPolicy] = {
    policy.scheme: policy
    for policy in (read_policy(POLICIES / "tiers" / f"{name}.yaml") for name in NAMES)
}


def order(*ranked: dict[str, str]) -> Precedence:
    """A precedence of these."""
    return Precedence(
        precedence="house",
        version=1,
        source="a test",
        effective=TODAY,
        author="li",
        order=ranked,  # type: ignore[arg-type]
    )


def stands(**tiers: str) -> list[Stand]:
    """Where somebody stands in the example's order."""
    said = read_precedence(POLICIES / "precedence.yaml")
    return [
        Stand(
            each.scheme,
            LIVE[each.scheme],
            Standing(tier=tiers.get(each.scheme), since=TODAY),
            each.least,
        )
        for each in said.order
    ]


def ordered(*stands: Stand) -> Tiers:
    """Where somebody stands, by a precedence."""
    return Tiers(stands, "house@1")


@pytest.mark.parametrize(
    ("kind", "tiers", "scheme"),
    [
        ("company", {"corporate": "strategic", "retail": "gold"}, "corporate"),
        ("company", {"retail": "gold"}, "corporate"),
        ("person", {"private": "private", "retail": "diamond"}, "private"),
        ("person", {"private": "retail", "retail": "gold", "stars": "seven"}, "retail"),
    ],
)
def test_the_first_scheme_that_covers_a_customer_high_enough_counts(
    kind: str, tiers: dict[str, str], scheme: str
) -> None:
    """And it is said why those before it do not."""
    chosen, because = choose(ordered(*stands(**tiers)), kind, TODAY)

    assert chosen is not None
    assert chosen.scheme == scheme
    assert because[-1] == f"{scheme} counts"
    assert len(because) == 1 + [each.scheme for each in stands()].index(scheme)


def test_whom_no_scheme_covers_stands_in_none() -> None:
    """A company, where there are schemes for people alone; each says why."""
    people = [each for each in stands() if each.scheme == "private"]

    chosen, because = choose(ordered(*people), "company", TODAY)

    assert (chosen, because) == (None, ("private covers no company",))
    assert choose(Tiers(tuple(people)), "company", TODAY) == (people[0], because)


def test_a_scheme_without_a_place_does_not_count() -> None:
    """Though its standings are there."""
    [retail] = [each for each in stands(retail="gold") if each.scheme == "retail"]

    chosen, because = choose(ordered(retail._replace(counts=False)), "person", TODAY)

    assert (chosen, because) == (None, ("retail has no place in the precedence",))


def test_a_tier_that_takes_effect_later_does_not_count_yet() -> None:
    """What counts is the tier in force on the day."""
    [private] = [each for each in stands(private="private") if each.scheme == "private"]

    chosen, because = choose(ordered(private), "person", date(2026, 3, 1))

    assert (chosen, because) == (None, ("private counts from private on, and this is retail",))


def test_the_example_leaves_nobody_out() -> None:
    """With all its schemes live."""
    assert list(gaps(read_precedence(POLICIES / "precedence.yaml"), LIVE)) == []


@pytest.mark.parametrize(
    ("ranked", "said"),
    [
        ([{"scheme": "gold-club"}], "order[0].scheme: gold-club is not live; live are corporate"),
        (
            [{"scheme": "private", "least": "diamond"}],
            "order[0].least: private-entry-six-million@1 has no tier diamond; it has retail",
        ),
        ([{"scheme": "retail"}], "order: corporate is live and has no place: name it in order, or"),
        (
            [
                {"scheme": "corporate"},
                {"scheme": "private", "least": "private"},
                {"scheme": "retail", "least": "gold"},
                {"scheme": "stars", "least": "three"},
            ],
            "order: a person below three of stars has no tier",
        ),
    ],
)
def test_a_gap_is_named(ranked: list[dict[str, str]], said: str) -> None:
    """With its place in the file, and what there is."""
    assert any(each.startswith(said) for each in gaps(order(*ranked), LIVE))


def test_a_scheme_may_be_left_out_knowingly() -> None:
    """It counts for nobody then; and `least` at the lowest tier bounds nothing."""
    said = order({"scheme": "retail", "least": "mass"})
    knowing = said.model_copy(update={"uncounted": ("corporate", "private", "stars")})

    assert list(gaps(knowing, LIVE)) == []
    assert len(list(gaps(said, LIVE))) == 1
    assert list(gaps(said, LIVE, whole=False)) == []


def test_a_scheme_before_and_behind_another_is_refused() -> None:
    """A circle: neither would come first."""
    circle: list[Any] = [{"scheme": "retail"}, {"scheme": "private"}, {"scheme": "retail"}]

    with pytest.raises(ValidationError, match="retail stands before and behind others"):
        order(*circle)
