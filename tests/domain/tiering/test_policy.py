"""A policy that cannot decide is refused before it runs, with the place, what, and why."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.tiering.policy import TierPolicy

ASSETS = {"kind": "balances", "weights_percent": {"deposit": 100}}
LOWEST = {"tier": "base", "name": {}}


def tier(name: str, reach: dict[str, Any] | None, **rest: Any) -> dict[str, Any]:
    """A tier as it stands in a file."""
    return {"tier": name, "name": {}, "reach": reach, **rest}


def at_least(bound: int, quantity: str = "assets") -> dict[str, Any]:
    """The condition that most tiers have."""
    return {"quantity": quantity, "at_least": bound}


def policy(*tiers: dict[str, Any], **rest: Any) -> TierPolicy:
    """A policy with these tiers above the lowest."""
    said = {
        "policy": "p",
        "version": 1,
        "source": "s",
        "currency": "CNY",
        "effective": "2026-01-01",
        "author": "a",
        "misses_allowed": 3,
    }
    return TierPolicy.model_validate(
        {**said, "measures": {"assets": ASSETS}, "tiers": [LOWEST, *tiers], **rest}
    )


REFUSED: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "the lowest tier has a condition": (
        [],
        {"tiers": [tier("base", at_least(5))]},
        "tiers[0].reach: the lowest tier, base, is for everybody",
    ),
    "a tier has none": (
        [tier("gold", None)],
        {},
        "tiers[1].reach: gold has no condition, so nobody could stand below it",
    ),
    "thresholds that do not rise": (
        [tier("gold", at_least(10)), tier("top", at_least(10))],
        {},
        "tiers[1].reach: nobody could stand in gold, because whoever reaches it reaches top too",
    ),
    "a tier within a wider one above": (
        [
            tier("gold", {"all_of": [at_least(10), {"trait": "rating", "one_of": ["AA"]}]}),
            tier("top", {"any_of": [at_least(10), at_least(9, "value")]}),
        ],
        {},
        "nobody could stand in gold",
    ),
    "a tier within one that is not next to it": (
        [
            tier("gold", at_least(10)),
            tier("mid", at_least(5, "transactions")),
            tier("top", at_least(8)),
        ],
        {},
        "tiers[1].reach: nobody could stand in gold, because whoever reaches it reaches top too",
    ),
    "more ways than anybody can read": (
        [
            tier(
                "gold",
                {
                    "all_of": [
                        {"any_of": [at_least(number, name) for name in ("assets", "value")]}
                        for number in range(11)
                    ]
                },
            )
        ],
        {},
        "tiers[1].reach: gold can be reached in 2048 ways, and 200 is the limit",
    ),
    "a measure that is not there": (
        [tier("gold", at_least(10, "aum"))],
        {},
        "tiers[1].reach: there is no quantity aum; there are transactions",
    ),
    "a stage that is not there": (
        [tier("gold", {"trait": "stage", "one_of": ["happy"]})],
        {},
        "there is no stage happy; there are new, active, dormant",
    ),
    "points that nobody can have": (
        [tier("gold", at_least(50, "score"))],
        {
            "measures": {
                "assets": ASSETS,
                "score": {
                    "kind": "points",
                    "of": [{"quantity": "assets", "points": 1, "at_most": 20}],
                },
            }
        },
        "tiers[1].reach: gold cannot be reached: score is 20 at most",
    ),
    "a count below nothing": (
        [tier("gold", {"quantity": "transactions", "at_most": -1})],
        {},
        "gold cannot be reached: transactions is 0 at least",
    ),
    "a bound that everybody meets": (
        [tier("gold", at_least(0, "transactions"))],
        {},
        "everybody reaches gold, so nobody could stand below it",
    ),
    "a kind that is not there": (
        [tier("gold", {"trait": "kind", "one_of": ["human"]})],
        {},
        "there is no kind human; there are person, company",
    ),
    "a kind that the policy is not for": (
        [tier("gold", {"trait": "kind", "one_of": ["company"]})],
        {"applies_to": "person"},
        "gold cannot be reached: the policy applies to a person only",
    ),
    "households of companies": (
        [tier("gold", at_least(1))],
        {"applies_to": "company", "scope": {"of": "household"}},
        "scope.of: no company belongs to a household, and the policy applies to nobody else",
    ),
    "traits where the best member counts": (
        [tier("gold", {"all_of": [at_least(1), {"trait": "rating", "one_of": ["AA"]}]})],
        {"scope": {"of": "household", "take": "max"}},
        "tiers[1].reach: the best member is told by amounts and counts, so rating cannot be asked",
    ),
    "bounds that exclude each other": (
        [tier("gold", {"all_of": [at_least(10), {"quantity": "assets", "at_most": 5}]})],
        {},
        "gold cannot be reached: assets cannot be at least 10 and at most 5",
    ),
    "traits that exclude each other": (
        [
            tier(
                "gold",
                {
                    "all_of": [
                        {"trait": "rating", "one_of": ["AA"]},
                        {"trait": "rating", "one_of": ["BB"]},
                    ]
                },
            )
        ],
        {},
        "rating cannot be one of AA and one of BB",
    ),
    "two tiers of one name": (
        [tier("gold", at_least(1)), tier("gold", at_least(2))],
        {},
        "tiers: there is more than one tier gold",
    ),
    "points of what comes later": (
        [],
        {
            "measures": {
                "points": {"kind": "points", "of": [{"quantity": "assets", "points": 1}]},
                "assets": ASSETS,
            }
        },
        "measures.points.of[0]: there are no balances or counts assets before this one",
    ),
    "a measure named as a count": (
        [],
        {"measures": {"products": ASSETS}},
        "measures.products: this name is taken",
    ),
    "a condition that says nothing": (
        [tier("gold", {"quantity": "assets"})],
        {},
        "a condition says at_least, at_most, one_of, holds, all_of or any_of",
    ),
    "a word that is not known": (
        [tier("gold", {**at_least(1), "atleast": 2})],
        {},
        "Extra inputs are not permitted",
    ),
    "a month that is none": ([], {"assessed_in": [13]}, "less than or equal to 12"),
    "a class that is none": (
        [],
        {"measures": {"assets": {"kind": "balances", "weights_percent": {"gold": 100}}}},
        "weights_percent.gold",
    ),
}


@pytest.mark.parametrize(("tiers", "rest", "said"), REFUSED.values(), ids=REFUSED)
def test_a_policy_that_cannot_decide_is_refused(
    tiers: list[dict[str, Any]], rest: dict[str, Any], said: str
) -> None:
    """The error names the place, and says what and why."""
    with pytest.raises(ValidationError) as error:
        policy(*tiers, **rest)
    assert said in str(error.value)


def test_one_way_that_holds_is_enough() -> None:
    """A contradiction in one alternative leaves the others."""
    reach = {
        "all_of": [
            {"any_of": [at_least(10_000), at_least(5, "products")]},
            {"any_of": [{"quantity": "assets", "at_most": 5_000}, at_least(12, "tenure-months")]},
        ]
    }

    assert policy(tier("gold", reach)).tiers[1].reach is not None


def test_conditions_of_different_quantities_leave_room_for_both() -> None:
    """Neither tier swallows the other: some have the assets, some the activity."""
    made = policy(
        tier("gold", at_least(10)),
        tier("top", {"all_of": [at_least(5), at_least(20, "transactions")]}),
    )

    assert [each.tier for each in made.tiers] == ["base", "gold", "top"]


def test_the_digest_is_of_what_a_policy_says_not_of_its_spelling() -> None:
    """The order of words in a file changes nothing; a threshold does."""
    one, other = (
        policy(tier("gold", at_least(10))),
        policy(tier("gold", {"at_least": 10, "quantity": "assets"})),
    )

    assert one.digest == other.digest != policy(tier("gold", at_least(11))).digest


def test_thresholds_are_said_as_people_write_money() -> None:
    """Where they are money, in the policy's currency: 50,000.00 in its file is seen to be 500."""
    made = policy(
        tier("gold", at_least(5_000_000)),
        tier("top", {"all_of": [at_least(20_000_000), at_least(20, "transactions")]}),
    )

    assert list(map(str, made.thresholds())) == [
        "gold: assets at least 50,000.00 CNY",
        "top: assets at least 200,000.00 CNY",
        "top: transactions at least 20",
    ]


def test_a_copy_of_a_policy_has_a_digest_of_its_own(bohai: TierPolicy) -> None:
    """Also where that of the first was asked for before."""
    assert bohai.digest != bohai.model_copy(update={"version": bohai.version + 1}).digest
    assert bohai.digest == bohai.model_copy().digest
