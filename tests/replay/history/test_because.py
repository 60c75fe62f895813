"""Why an offer stands in its place: what adds up to its score, and what it is ahead by."""

from dataclasses import replace
from math import fsum, isclose, prod

import msgspec
import pytest

from deploy.policy_files import read_privacy
from deploy.settings import POLICIES
from domain.access.privacy_policy import masked
from domain.offers.catalogue import Catalogue
from domain.offers.events import Arm, Candidate, ExampleLabelled, Features, OfferDecided
from projections.models.learner import MODEL, Learnt, learnt_from
from projections.models.propensity import shared
from projections.views.decision import NOT_PERSONALISED, PERSONAL, UNREADABLE
from replay.history.because import BY_VALUE, Because, because
from tests.conftest import recorded

KNOWN = {"age": 62, "products": 3, "tier=gold": 1, "channel=app": 1}
SHELF = Catalogue.model_validate(
    {
        "catalogue": "c",
        "version": 1,
        "currency": "CNY",
        "offers": [
            {"offer": "bond", "name": {"zh": "国债", "en": "Bond"}, "value": 300},
            {"offer": "card", "name": {"zh": "信用卡", "en": "Card"}, "value": 100},
            {"offer": "law", "name": {"en": "Notice"}, "value": 0, "mandatory": True},
        ],
    }
)


def learnt(offer: str) -> Learnt:
    """A model whose yes come from the old alone."""
    model = MODEL.initial
    for number in range(1, 201):
        old = number % 2 == 0
        known: Features = {**KNOWN, "age": 62 if old else 25}
        example = ExampleLabelled(
            offer=offer, decision="d", customer="customer:1", features=known, accepted=old
        )
        model = MODEL.evolve(model, recorded(example, number, stream=f"model:{offer}"))
    return learnt_from(model, 200)


LEARNT = {offer.offer: learnt(offer.offer) for offer in SHELF.offers}


def candidate(offer: str, **of: object) -> Candidate:
    """An offer as its model sees it, worth so much."""
    ready = LEARNT[offer].ready
    assert ready is not None
    likely, score, _ = ready.propensity(shared(KNOWN))
    made = Candidate(
        offer=offer, propensity=likely, value=100, priority=likely * 100, model="m", score=score
    )
    return replace(made, **of)


def why(*candidates: Candidate, arm: Arm = "usual", by_value: str | None = None) -> list[Because]:
    """Why these stand in this order."""
    decided = OfferDecided(
        decision="d",
        channel="app",
        candidates=candidates,
        features={} if by_value else KNOWN,
        catalogue=SHELF.label,
        arm=arm,
        by_value=by_value,
    )
    return list(because(decided, SHELF, LEARNT))


def test_what_features_count_adds_up_to_the_score_and_what_was_learnt_comes_first() -> None:
    """For and against, a number once, and in words of both languages."""
    [found] = why(candidate("bond"))

    assert found.intercept is not None
    assert found.score is not None
    assert isclose(found.intercept + fsum(each.counts for each in found.features), found.score)
    assert sorted(each.feature for each in found.features) == sorted(KNOWN)
    assert (found.features[0].feature, found.features[0].counts > 0) == ("age", True)
    assert found.features[0].words == {"zh": "年龄 62 岁", "en": "age: 62"}


def test_the_factors_by_which_an_offer_is_ahead_multiply_to_the_ratio_of_priorities() -> None:
    """Value, context, lever, likelihood and the draw; what is the same is not said."""
    first = candidate("bond", value=300, drawn=0.5, context_percent=150, priority=0.5 * 1.5 * 300)
    second = candidate("card", levers_percent=80, priority=candidate("card").propensity * 80)
    ahead, none = (each.ahead for each in why(first, second))

    assert none is None
    assert ahead is not None
    assert (ahead.of, ahead.ground) == ("card", "weighed")
    assert set(ahead.times) == {"likelihood", "context", "value", "levers"}
    assert isclose(prod(ahead.times.values()), first.priority / second.priority)
    assert ahead.words["zh"].startswith("国债 先于 信用卡：")
    assert "its value is 3 times as large" in ahead.words["en"]
    assert "a yes counts as" in ahead.words["en"]


def test_what_speaks_against_an_offer_and_that_it_was_drawn_are_said() -> None:
    """Its value is less, and the draw made up for it."""
    likely = candidate("bond").propensity
    first = candidate("bond", value=50, drawn=4 * likely, priority=4 * likely * 50)
    ahead = why(first, candidate("card"))[0].ahead

    assert ahead is not None
    assert ahead.words["en"].endswith(
        "(drawn to explore; 1 times by the models), although its value is 0.5 times as large"
    )
    assert "，尽管价值为其 0.5 倍" in ahead.words["zh"]


def test_who_may_not_see_features_sees_none_in_reasons() -> None:
    """Nor their words; which offer is ahead of which stays."""
    told = msgspec.to_builtins({"because": tuple(why(candidate("bond"), candidate("card")))})
    seen = str(masked({}, read_privacy(POLICIES / "privacy.yaml").wherever, told))

    assert "age: 62" in str(told)
    assert not [word for word in ("62", "gold", "年龄") if word in seen]
    assert "Bond" in seen


@pytest.mark.parametrize(
    ("first", "second", "arm", "ground"),
    [
        (candidate("law"), candidate("card"), "usual", "standing"),
        (candidate("bond"), candidate("card"), "random", "lot"),
        (candidate("bond", priority=1.0), candidate("card", priority=1.0), "usual", "name"),
        (candidate("bond"), candidate("card", value=0, priority=0.0), "usual", "nothing"),
    ],
)
def test_what_no_factor_decides_has_another_ground(
    first: Candidate, second: Candidate, arm: Arm, ground: str
) -> None:
    """The catalogue's order, a lot, the name; said in both languages, with no factors."""
    ahead = why(first, second, arm=arm)[0].ahead

    assert ahead is not None
    assert (ahead.ground, ahead.times) == (ground, {})
    assert all(ahead.words[language] for language in ("zh", "en"))


def test_every_ground_without_models_is_said_in_chinese() -> None:
    """Those that decisions record."""
    assert BY_VALUE.keys() == {
        *(f"no consent to {purpose}" for purpose in PERSONAL),
        NOT_PERSONALISED,
        UNREADABLE,
    }


def test_who_did_not_agree_is_told_that_nothing_known_of_them_ranked() -> None:
    """PIPL article 24: no score, no features, and why."""
    [found] = why(candidate("bond", score=None), by_value="no consent to profiling")

    assert (found.score, found.intercept, found.features) == (None, None, ())
    assert found.unasked is not None
    assert found.unasked["zh"] == "排序未使用客户信息：客户未同意个性化分析"
    assert found.unasked["en"].endswith("no consent to profiling")
