"""A model learns from one answer at a time.

What it keeps of its weights, and what it says where answers come late.
"""

from dataclasses import replace
from math import isclose
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.offers.events import ExampleLabelled
from projections.models.calibration import bin_of
from projections.models.learner import LONG, MODEL, learnt, learnt_from
from projections.models.propensity import Model, Ready, shared
from projections.store import StoredState
from tests.conftest import recorded

KNOWN = {"age": 40, "tier=gold": 1}
NEWCOMER = {"age": 40, "tier=new": 1}
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


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([KNOWN, NEWCOMER, {"age": 50}])),
        min_size=1,
        max_size=30,
    )
)
def test_a_steady_weight_is_the_mean_over_the_examples_that_had_its_feature(
    examples: list[tuple[bool, dict[str, int]]],
) -> None:
    """However many others there were before it came up, and in between."""
    model, seen, intercepts = MODEL.initial, dict[str, list[float]](), list[float]()
    for accepted, known in examples:
        model = taught(model, [accepted], known=known)
        intercepts.append(model.intercept)
        for name in {*dict(shared(known).categories), *known}:
            seen.setdefault(name, []).append(model.weights[name])

    assert model.steady.keys() == model.weights.keys() == model.had.keys() == seen.keys()
    for name, values in seen.items():
        assert model.had[name] == len(values)
        assert isclose(model.steady[name], sum(values) / len(values), rel_tol=1e-9, abs_tol=1e-12)
    assert isclose(model.steady_intercept, sum(intercepts) / len(intercepts), rel_tol=1e-9)


def test_what_was_long_ago_fades_from_a_steady_weight() -> None:
    """Beyond so many examples each new one has the same share in the mean."""
    first = taught(MODEL.initial, [True])
    old = replace(first, had={**first.had, "tier=gold": 1_000_000})
    new = taught(old, [True])

    assert isclose(
        new.steady["tier=gold"],
        old.steady["tier=gold"] + LONG * (new.weights["tier=gold"] - old.steady["tier=gold"]),
    )


def test_the_later_answers_come_the_less_a_change_of_late_counts() -> None:
    """A thousand times no, then two hundred times yes.

    Whoever hears of it at once believes it more than who hears of it late.
    """
    answers = [False] * 1_000 + [True] * 200
    at_once, later, late = (said(taught(MODEL.initial, answers, each)) for each in (0, 100, 600))

    assert at_once > later > late


def test_a_newcomer_is_learnt_of_as_fast_in_an_old_model() -> None:
    """Answers come late in both.

    Five hundred others were there before the first of a new tier, or five thousand.
    """
    learnt_of_it = []
    for others in (500, 5_000):
        model = taught(MODEL.initial, [False] * others, 400)
        learnt_of_it.append(
            said(taught(model, [True] * 300, 400, NEWCOMER), NEWCOMER) - said(model, NEWCOMER)
        )

    assert isclose(*learnt_of_it, rel_tol=0.1)


def test_an_answer_counts_under_the_score_of_then_or_so_far_as_it_is_late_under_that_of_now() -> (
    None
):
    """The bins of the calibration.

    All under the score of then where answers come at once, and beyond it where they do not.
    """
    at_once, late = (taught(MODEL.initial, [True] * 300, each).counts.yes for each in (0, 300))

    assert at_once.keys() == {str(bin_of(SCORE_THEN))}
    assert max(map(int, late)) > bin_of(SCORE_THEN)


def test_how_late_answers_come_is_learnt_from_the_models_that_decided() -> None:
    """An example that does not say so changes nothing of it."""
    late = taught(MODEL.initial, [True] * 600, 500)

    assert 0.3 < late.steadiness < 0.5
    assert taught(late, [True], None).steadiness == late.steadiness
    assert taught(MODEL.initial, [True] * 100, 0).steadiness == 0.0


@pytest.mark.parametrize(
    "name", ["none", "model@3/", "model@3/0", "model@3/-1", "model@2/7", "champion/3", "2024", "m"]
)
def test_a_name_that_is_none_of_ours_or_of_a_model_that_knew_nothing_tells_nothing(
    name: str,
) -> None:
    """What is journalled is learnt from, whoever wrote it."""
    late = taught(MODEL.initial, [True] * 600, 500)
    example = ExampleLabelled(
        offer="a", decision="d", customer="customer:1", features=KNOWN, accepted=True, model=name
    )

    assert (
        MODEL.evolve(late, recorded(example, 601, stream="model:a")).steadiness == late.steadiness
    )


def test_one_example_moves_how_late_answers_come_only_a_little() -> None:
    """Be it of a model that was read before a million examples, or of one to come."""
    model = replace(taught(MODEL.initial, [True] * 600, 0), version=1_000_000)
    for name in ("model@3/1", "model@3/" + "9" * 280):
        example = ExampleLabelled(
            offer="a",
            decision="d",
            customer="customer:1",
            features=KNOWN,
            accepted=True,
            model=name,
        )
        assert (
            MODEL.evolve(model, recorded(example, 1_000_001, stream="model:a")).steadiness
            <= 1 / 500
        )


def broken(**fields: Any) -> bytes:
    """A state in which some fields are not what was learnt."""
    return msgspec.json.encode(
        {**msgspec.json.decode(MODEL.encode(taught(MODEL.initial, [True, False], 1))), **fields}
    )


IMPOSSIBLE: list[tuple[str, dict[str, Any]]] = [
    ("it has weights without means", {"steady": {"age": 0.0}}),
    ("it has weights without means", {"had": {"age": 1}}),
    ("its numbers cannot be", {"had": {"a=1": 0}, "weights": {"a=1": 0.0}, "steady": {"a=1": 0.0}}),
    ("its numbers cannot be", {"squares": {"age": -1.0}}),
    ("its numbers cannot be", {"steadiness": 1.5}),
    ("its numbers cannot be", {"steadiness": -0.5}),
    ("its numbers cannot be", {"examples": -3}),
    (
        "its numbers cannot be",
        {
            "weights": {"a=1": 1e308, "b=1": -1e308},
            "steady": {"a=1": 0.0, "b=1": 0.0},
            "had": {"a=1": 1, "b=1": 1},
        },
    ),
    (
        "its numbers cannot be",
        {
            "weights": {"a=1": 0.0},
            "steady": {"a=1": -1.7e308},
            "had": {"a=1": 1},
            "steadiness": 0.9,
        },
    ),
]


@pytest.mark.parametrize(("why", "fields"), IMPOSSIBLE)
def test_a_model_whose_numbers_cannot_be_is_broken(why: str, fields: dict[str, Any]) -> None:
    """It is not asked, and it is said why."""
    assert learnt(StoredState(2, broken())).ready is not None
    assert learnt(StoredState(2, broken(**fields))).broken == why


def test_a_model_is_named_by_the_last_example_it_has_learnt_from() -> None:
    """Which forgetting leaves as it is, whatever else is no longer learnt."""
    assert learnt_from(taught(MODEL.initial, [True, False]), 9).label == f"{MODEL.key}/2"
    assert learnt_from(MODEL.initial, 0).label == f"{MODEL.key}/0"
