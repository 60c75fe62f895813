"""A model learns from one answer at a time.

It follows tastes that change, and is calibrated where answers come late.
"""

from typing import Any

import msgspec
import pytest

from domain.offers.events import ExampleLabelled
from projections.models.calibration import bin_of
from projections.models.learner import MODEL, learnt, learnt_from
from projections.models.propensity import Model, Ready, shared
from projections.store import StoredState
from tests.conftest import recorded

KNOWN = {"age": 40, "tier=gold": 1}
SCORE_THEN = -2.0


def taught(
    model: Model, answers: list[bool], late: int | None = None, known: dict[str, int] = KNOWN
) -> Model:
    """The model after these answers, each to a decision so many examples ago."""
    for accepted in answers:
        name = None if late is None else f"{MODEL.key}/{max(1, model.version - late)}"
        said = ExampleLabelled(
            offer="a",
            decision="d",
            customer="customer:1",
            features=known,
            accepted=accepted,
            propensity=0.1,
            score=SCORE_THEN,
            model=name,
        )
        model = MODEL.evolve(model, recorded(said, model.version + 1, stream="model:a"))
    return model


def said(model: Model, known: dict[str, int] = KNOWN) -> float:
    """What a model says of such a customer: the log-odds before calibration."""
    return Ready(model).propensity(shared(known))[1]


def test_a_taste_that_changes_is_followed_after_a_thousand_examples_as_after_ten_thousand() -> None:
    """Steps become smaller with what was learnt, and never too small."""
    turned = [
        said(taught(taught(MODEL.initial, [False, True] * (before // 2)), [True] * 300))
        for before in (1_000, 10_000)
    ]

    assert turned[1] > 0.7 * turned[0] > 0.5


@pytest.mark.parametrize("late", [0, 500])
def test_an_answer_counts_under_the_score_of_then(late: int) -> None:
    """However late it comes: what is asked next is answered as late again."""
    model = taught(MODEL.initial, [True] * 50, late)

    assert model.counts.yes.keys() == {str(bin_of(SCORE_THEN))}


@pytest.mark.parametrize("name", [None, "model@3/12", "champion/3"])
def test_what_another_model_said_judges_and_calibrates_nothing(name: str | None) -> None:
    """Nor the one before it: what this one says now takes its place."""
    example = ExampleLabelled(
        offer="a",
        decision="d",
        customer="customer:1",
        features=KNOWN,
        accepted=True,
        propensity=0.99,
        score=5.0,
        model=name,
    )
    model = MODEL.evolve(MODEL.initial, recorded(example, 1, stream="model:a"))

    assert model.counts.yes.keys() == {str(bin_of(MODEL.initial.intercept))}
    assert model.loss > 1


def test_names_of_features_may_be_any_text() -> None:
    """A number that is named as another is told roughly is not taken for it."""
    known = {"城市=北京": 1, "age": 40, "age~40": 3, "a b/c": 2}
    model = taught(MODEL.initial, [True, False, True], known=known)

    assert set(known) < model.weights.keys()
    assert len(model.weights) == len(known) + 3


def broken(**fields: Any) -> bytes:
    """A state in which some fields are not what was learnt."""
    return msgspec.json.encode(
        {**msgspec.json.decode(MODEL.encode(taught(MODEL.initial, [True, False], 1))), **fields}
    )


IMPOSSIBLE: list[dict[str, Any]] = [
    {"squares": {"age": -1.0}},
    {"examples": -3},
    {"weights": {"a=1": 1e308, "b=1": -1e308}},
    {"intercept": 1e300},
]


@pytest.mark.parametrize("fields", IMPOSSIBLE)
def test_a_model_whose_numbers_cannot_be_is_broken(fields: dict[str, Any]) -> None:
    """It is not asked, and it is said why."""
    assert learnt(StoredState(2, broken())).ready is not None
    assert learnt(StoredState(2, broken(**fields))).broken == "its numbers cannot be"


def test_a_model_is_named_by_the_last_example_it_has_learnt_from() -> None:
    """Which forgetting leaves as it is, whatever else is no longer learnt."""
    assert learnt_from(taught(MODEL.initial, [True, False]), 9).label == f"{MODEL.key}/2"
    assert learnt_from(MODEL.initial, 0).label == f"{MODEL.key}/0"
