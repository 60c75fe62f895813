"""A model learns from one answer at a time: what it keeps of all of them, and what it says where answers come late."""

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.offers import ExampleLabelled
from projections.model import MODEL, learnt, learnt_from
from projections.propensity import Model, Ready, shared
from projections.store import Kept
from tests.conftest import recorded

KNOWN = {"age": 40, "tier=gold": 1}


def taught(model: Model, answers: list[bool], stale: int | None = None) -> Model:
    """The model after these answers, each to a decision so many examples ago."""
    for accepted in answers:
        name = None if stale is None else f"model@1/{max(0, model.examples - stale)}"
        said = ExampleLabelled(offer="a", decision="d", customer="customer:1", features=KNOWN, accepted=accepted, propensity=0.1, score=-2.0, model=name)
        model = MODEL.evolve(model, recorded(said, model.examples + 1, stream="model:a"))
    return model


def said(model: Model) -> float:
    """What a model says of the customer whom it has learnt from."""
    return Ready(model).propensity(shared(KNOWN))[0]


@given(answers=st.lists(st.booleans(), min_size=1, max_size=30))
def test_what_a_model_keeps_is_the_mean_of_its_weights_after_each_example(answers: list[bool]) -> None:
    """Without any of them but the latest."""
    models = [taught(MODEL.initial, answers[:number]) for number in range(1, len(answers) + 1)]
    last, count = models[-1], len(models)

    for name, weight in last.weights.items():
        mean = sum(model.weights.get(name, 0.0) for model in models) / count
        assert isclose(weight - last.behind[name] / count, mean, rel_tol=1e-9, abs_tol=1e-12)
    assert isclose(last.intercept - last.behind_intercept / count, sum(model.intercept for model in models) / count, rel_tol=1e-9)


def test_the_staler_the_answers_the_less_a_change_of_late_counts() -> None:
    """A thousand times no, then two hundred times yes: whoever hears of it at once believes it more than who hears of it late."""
    answers = [False] * 1_000 + [True] * 200
    at_once, later, late = (said(taught(MODEL.initial, answers, stale)) for stale in (0, 100, 600))

    assert at_once > later > late


def test_how_stale_answers_are_is_learnt_from_the_models_that_decided() -> None:
    """An example that does not say so changes nothing of it."""
    stale = taught(MODEL.initial, [True] * 100, 40)

    assert 20 < stale.stale < 40
    assert taught(stale, [True], None).stale == stale.stale
    assert taught(MODEL.initial, [True] * 100, 0).stale == 0.0


@pytest.mark.parametrize("name", ["none", "model@3/", "model@3/-1", "model@3/" + "9" * 280, "m"])
def test_a_name_that_tells_no_number_or_one_to_come_is_no_harm(name: str) -> None:
    """What is journalled is learnt from, whoever wrote it."""
    example = ExampleLabelled(offer="a", decision="d", customer="customer:1", features=KNOWN, accepted=True, model=name)

    assert MODEL.evolve(MODEL.initial, recorded(example, 1, stream="model:a")).stale == 0.0


def test_a_model_without_the_means_of_its_weights_is_broken() -> None:
    """It is not asked, and it is said why."""
    model = taught(MODEL.initial, [True, False], 1)
    found = learnt(Kept(2, MODEL.encode(model).replace(b'"behind":{"', b'"behind":{"other-')))

    assert learnt_from(model, 2).ready is not None
    assert found.broken == "it has weights without means"
