"""How does a model learn from an answer?

One online logistic regression per offer. The only door to river.

The state is plain numbers in JSON, and each example starts from it anew: so a model that was
interrupted learns on exactly like one that was not.
"""

from collections import defaultdict
from collections.abc import Iterable
from math import fsum, isfinite, log
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from domain.envelope import Recorded
from domain.fastcopy import changed
from domain.offers.events import ExampleLabelled, Features
from projections.models import calibration, drift
from projections.models.propensity import (
    CATEGORY,
    LATE,
    Model,
    Ready,
    Shared,
    Usual,
    between,
    shared,
)
from projections.projection import Projection
from projections.store import StoredState

if TYPE_CHECKING:
    from river import linear_model

LEARNING_RATE = 0.07
EPSILON = 1.0
"""What AdaGrad begins with for each weight.

The first few examples of a rare category move it little.
"""
INTERCEPT_RATE = 0.01
SLOWEST = 1 / 3_000
"""The share of the latest example in the means and variances, at least.

What numbers are usual may change.
"""
LEAST = 1e-6
"""No propensity is nearer to 0 or 1 when its loss is taken."""
LATELY = 1 / 500
"""The share of the latest example in the means of what was of late.

The loss, and how late answers come.
"""
LONG = 1 / 5_000
"""The share of the latest example in the mean of a weight, at least."""
LARGEST = 1e6
"""No weight is larger in a model that has learnt from what there is."""


def evolve(model: Model, event: Recorded) -> Model:
    """The model after one more labelled example."""
    match event.data:
        case ExampleLabelled() as example:
            return _learnt(model, example, event)
        case _:
            return model


class Learnt(NamedTuple):
    """What a model has learnt, up to a position; `broken` says why it cannot be read,
    if it cannot.
    """

    ready: Ready | None
    accepted: int
    upto: int
    broken: str | None = None

    @property
    def label(self) -> str:
        """The name a decision refers to it by.

        The version of the projection, and that of the last example it has learnt from.
        """
        return f"{MODEL.key}/{self.ready.model.version}" if self.ready else "none"


def learnt(kept: StoredState | None) -> Learnt:
    """What a kept state has learnt; a state that cannot be read is broken, and no
    more than that.
    """
    if kept is None:
        return learnt_from(MODEL.initial, 0)
    try:
        found = learnt_from(MODEL.decode(kept.state), kept.upto)
        _tried(found.ready)
    except (msgspec.MsgspecError, ValueError, ArithmeticError) as error:
        return Learnt(None, 0, kept.upto, str(error)[:200] or type(error).__name__)
    return found


def _tried(ready: Ready | None) -> None:
    """Ask a model for everything that it knows.

    Raises `ValueError` or `ArithmeticError` for numbers that cannot be.
    """
    assert ready is not None
    model = ready.model
    if not model.weights.keys() == model.steady.keys() == model.had.keys():
        raise ValueError("it has weights without means")
    everything = Shared(
        tuple((name, 0) for name in model.usual), tuple((name, CATEGORY) for name in model.weights)
    )
    likely, score, answers = ready.propensity(everything)
    small = all(abs(weight) <= LARGEST for weight in (ready.intercept, *ready.weights.values()))
    counted = (
        min(
            (
                0.0,
                *model.counts.yes.values(),
                *model.counts.no.values(),
                *model.squares.values(),
                model.examples,
                model.version,
            )
        )
        >= 0
    )
    counted = counted and min(model.had.values(), default=1) >= 1
    if not (
        small
        and counted
        and 0 <= model.steadiness <= 1
        and 0 <= likely <= 1
        and isfinite(score)
        and isfinite(answers)
    ):
        raise ValueError("its numbers cannot be")


def learnt_from(model: Model, upto: int) -> Learnt:
    """What a model has learnt up to a position."""
    return Learnt(Ready(model), model.accepted, upto)


def prepare() -> None:
    """Load river, which takes a second or two, before somebody waits for an answer."""
    _regression(Model(), ())


def _learnt(model: Model, example: ExampleLabelled, event: Recorded) -> Model:
    features, usual = shared(example.features), _used_to(model, example.features)
    numbers = ((name, usual[name].apart(value)) for name, value in features.numbers)
    row = dict(
        sorted((*features.categories, *numbers))
    )  # always in one order: river's sum of floats depends on it
    said, score = _as_decided(model, example, features)
    loss = -log(max(LEAST, said if example.accepted else 1 - said))
    share = max(LATELY, 1 / (model.examples + 1))
    return changed(
        _regressed(model, row, answer=example.accepted),
        version=event.version,
        examples=model.examples + 1,
        accepted=model.accepted + example.accepted,
        usual=usual,
        steadiness=between(model.steadiness, _lateness(model, example), share),
        counts=calibration.counted(
            model.counts, _calibrated_by(model, score, row), example.accepted
        ),
        said=calibration.counted(model.said, calibration.log_odds(said), example.accepted),
        loss=between(model.loss, loss, share),
        window=drift.seen(model.window, loss),
        last=event.occurred_at,
    )


def _regressed(model: Model, row: dict[str, float], *, answer: bool) -> Model:
    """Weights and intercept after one more example, and the mean of each."""
    regression = _regression(model, row)
    regression.learn_one(row, answer)
    intercept, weights = (
        float(regression.intercept),
        {name: float(regression._weights[name]) for name in row},  # noqa: SLF001
    )
    had = {name: model.had.get(name, 0) + 1 for name in row}
    steady = {
        name: between(model.steady.get(name, 0.0), weight, max(LONG, 1 / had[name]))
        for name, weight in weights.items()
    }
    return changed(
        model,
        weights={**model.weights, **weights},
        squares={**model.squares, **{name: float(regression.optimizer.g2[name]) for name in row}},
        steady={**model.steady, **steady},
        had={**model.had, **had},
        intercept=intercept,
        steady_intercept=between(
            model.steady_intercept, intercept, max(LONG, 1 / (model.examples + 1))
        ),
    )


def _as_decided(model: Model, example: ExampleLabelled, features: Shared) -> tuple[float, float]:
    """The probability and the score when the offer was decided.

    Where they are not known, what the model says now.
    """
    said, score = example.propensity, example.score
    if said is None or score is None:
        now = _touched(model, features).said(features)
        said, score = now[0] if said is None else said, now[1] if score is None else score
    return said, score


def _touched(model: Model, features: Shared) -> Ready:
    """A model ready to answer one example, with no more of it than that touches."""
    names = (name for name, _ in (*features.categories, *features.numbers))
    return Ready(
        changed(
            model, weights={name: model.weights[name] for name in names if name in model.weights}
        )
    )


def _calibrated_by(model: Model, score: float, row: dict[str, float]) -> float:
    """The score under which an answer is counted.

    That of then, and so far as answers come late that of the latest weights.

    The score of then was of a model that is as old as the answer is late, and what it is asked for
    next is as late again. What the model would say now, steady as it is, in its place was worse on
    streams with jumps.
    """
    return between(
        score,
        fsum(
            (
                model.intercept,
                *(model.weights.get(name, 0.0) * value for name, value in row.items()),
            )
        ),
        model.steadiness,
    )


def _lateness(model: Model, example: ExampleLabelled) -> float:
    """How late an answer is, from 0 to 1, by what was learnt since the offer was decided.

    Where that is not known, as late as usual.

    Versions of the stream are counted, not examples: forgetting leaves them as they were. A model
    that knew nothing then may just not have been read.
    """
    name, _, version = (example.model or "").rpartition("/")
    if not (name == MODEL.key and version.isdecimal() and int(version)):
        return model.steadiness
    since = max(0, model.version - int(version))
    return since / (since + LATE)


def _used_to(model: Model, features: Features) -> dict[str, Usual]:
    """What is usual after one more example."""
    share = max(SLOWEST, 1 / (model.examples + 1))
    return {
        **model.usual,
        **{
            name: _moved(model.usual.get(name, Usual()), value, share)
            for name, value in features.items()
            if "=" not in name
        },
    }


def _moved(usual: Usual, value: int, share: float) -> Usual:
    apart = value - usual.mean
    mean = usual.mean + share * apart
    return Usual(mean, usual.variance + share * (apart * (value - mean) - usual.variance))


def _regression(model: Model, row: Iterable[str]) -> "linear_model.LogisticRegression":
    """The regression with as much of the model as an example touches."""
    from river import linear_model, optim  # loaded when it is needed: most processes never do

    optimizer = optim.AdaGrad(LEARNING_RATE, eps=EPSILON)
    optimizer.g2 = defaultdict(float, {name: model.squares.get(name, 0.0) for name in row})
    optimizer.n_iterations = model.examples
    regression = linear_model.LogisticRegression(
        optimizer, intercept_init=model.intercept, intercept_lr=INTERCEPT_RATE
    )
    regression._weights.update({name: model.weights.get(name, 0.0) for name in row})  # noqa: SLF001 - river has no public way to set weights
    return regression


MODEL = Projection("model", 3, Model(), evolve)
