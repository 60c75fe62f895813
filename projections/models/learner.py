"""How does a model learn from an answer?

One online logistic regression per offer. The only door to river.

The state is plain numbers in JSON, and each example starts from it anew: so a model that was
interrupted learns on exactly like one that was not.
"""

from collections import defaultdict
from collections.abc import Iterable
from math import isfinite, log
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from domain.envelope import Recorded
from domain.fastcopy import changed
from domain.offers.events import ExampleLabelled, Features
from projections.models import calibration, drift
from projections.models.propensity import (
    ROUGHLY,
    Model,
    Ready,
    Shared,
    Usual,
    shared,
)
from projections.projection import Projection
from projections.store import StoredState

if TYPE_CHECKING:
    from river import linear_model

LEARNING_RATE = 0.1
EPSILON = 1.0
"""What AdaGrad begins with for each weight.

The first few examples of a rare category move it little.
"""
FADING = 0.5 ** (1 / 4_600)
"""What is left of a weight's squares at each example that has its feature.

Steps of AdaGrad never become so small that a taste that changes is not followed.
"""
INTERCEPT_RATE = 0.01
SLOWEST = 1 / 3_000
"""The share of the latest example in the means and variances, at least.

What numbers are usual may change.
"""
LEAST = 1e-6
"""No propensity is nearer to 0 or 1 when its loss is taken."""
LATELY = 1 / 500
"""The share of the latest example in the mean of the loss, at least."""
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
    everything = Shared(
        tuple((name, 0) for name in model.usual), tuple((name, ROUGHLY) for name in model.weights)
    )
    likely, score, answers = ready.propensity(everything)
    small = all(abs(weight) <= LARGEST for weight in (model.intercept, *model.weights.values()))
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
    if not (small and counted and 0 <= likely <= 1 and isfinite(score) and isfinite(answers)):
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
    said, score = as_decided(model, example, features)
    loss = -log(max(LEAST, said if example.accepted else 1 - said))
    share = max(LATELY, 1 / (model.examples + 1))
    return changed(
        _regressed(model, row, answer=example.accepted),
        version=event.version,
        examples=model.examples + 1,
        accepted=model.accepted + example.accepted,
        usual=usual,
        counts=calibration.counted(model.counts, score, example.accepted),
        said=calibration.counted(model.said, calibration.log_odds(said), example.accepted),
        loss=model.loss + (loss - model.loss) * share,
        window=drift.seen(model.window, loss),
        last=event.occurred_at,
    )


def _regressed(model: Model, row: dict[str, float], *, answer: bool) -> Model:
    """Weights and intercept after one more example."""
    regression = _regression(model, row)
    regression.learn_one(row, answer)
    weights = {name: float(regression._weights[name]) for name in row}  # noqa: SLF001
    squares = {name: float(regression.optimizer.g2[name]) for name in row}
    return changed(
        model,
        weights={**model.weights, **weights},
        squares={**model.squares, **squares},
        intercept=float(regression.intercept),
    )


def as_decided(model: Model, example: ExampleLabelled, features: Shared) -> tuple[float, float]:
    """The probability and the score when the offer was decided.

    Where they are not known, or another model said them, what the model says now: so a new version
    is not judged by what the one before it said.
    """
    said, score = example.propensity, example.score
    if said is None or score is None or not (example.model or "").startswith(f"{MODEL.key}/"):
        return Ready(model).said(features)
    return said, score


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
    optimizer.g2 = defaultdict(float, {name: FADING * model.squares.get(name, 0.0) for name in row})
    optimizer.n_iterations = model.examples
    regression = linear_model.LogisticRegression(
        optimizer, intercept_init=model.intercept, intercept_lr=INTERCEPT_RATE
    )
    regression._weights.update({name: model.weights.get(name, 0.0) for name in row})  # noqa: SLF001 - river has no public way to set weights
    return regression


MODEL = Projection("model", 4, Model(), evolve)
