"""How likely is a yes to this offer? One online logistic regression per offer. The only door to river.

The state is plain numbers in JSON, and each example starts from it anew: so a model that was interrupted learns
on exactly like one that was not.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.catalogue import topic_of
from domain.offers import ExampleLabelled, Features
from domain.recorded import Recorded
from projections.projection import Group, Projection, States

if TYPE_CHECKING:
    from river import linear_model, preprocessing

LEARNING_RATE = 0.1


@dataclass(frozen=True, slots=True)
class Model:
    """A standard scaler and a logistic regression with AdaGrad: their numbers, per feature."""

    examples: int = 0
    accepted: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    means: dict[str, float] = field(default_factory=dict)
    variances: dict[str, float] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    squares: dict[str, float] = field(default_factory=dict)
    intercept: float = 0.0


def evolve(model: Model, event: Recorded) -> Model:
    """The model after one more labelled example."""
    match event.data:
        case ExampleLabelled(features=features, accepted=accepted):
            return _learnt(model, features, accepted)
        case _:
            return model


def propensity(model: Model, features: Features) -> float:
    """The probability of a yes, in 0..1; one half before the first example."""
    scaler, regression = _revived(model)
    return float(regression.predict_proba_one(scaler.transform_one(_ordered(features)))[True])


def _learnt(model: Model, features: Features, accepted: bool) -> Model:
    scaler, regression = _revived(model)
    row = _ordered(features)
    scaler.learn_one(row)
    regression.learn_one(scaler.transform_one(row), accepted)
    return Model(
        examples=model.examples + 1,
        accepted=model.accepted + accepted,
        counts=dict(scaler.counts),
        means=dict(scaler.means),
        variances=dict(scaler.vars),
        weights=dict(regression.weights),
        squares=dict(regression.optimizer.g2),
        intercept=regression.intercept,
    )


def prepare() -> None:
    """Load river, which takes a second or two, before somebody waits for an answer."""
    _revived(Model())


def _revived(model: Model) -> "tuple[preprocessing.StandardScaler, linear_model.LogisticRegression]":
    from river import linear_model, optim, preprocessing  # loaded when it is needed: most processes never do

    scaler = preprocessing.StandardScaler()
    scaler.counts = Counter(model.counts)
    scaler.means = defaultdict(float, model.means)
    scaler.vars = defaultdict(float, model.variances)
    optimizer = optim.AdaGrad(LEARNING_RATE)
    optimizer.g2 = defaultdict(float, model.squares)
    optimizer.n_iterations = model.examples
    regression = linear_model.LogisticRegression(optimizer)
    regression._weights.update(dict(sorted(model.weights.items())))  # noqa: SLF001 - river has no public way to set weights
    regression.intercept = model.intercept
    return scaler, regression


def _ordered(features: Features) -> dict[str, int]:
    """Always in one order: a sum of floats depends on it."""
    return dict(sorted(features.items()))


MODEL = Projection("model", 1, Model(), evolve)


def _evolve_all(states: States, event: Recorded) -> States:
    return (evolve(states[0], event),)


MODELS = Group("models@1", ("model",), (MODEL,), _evolve_all, frozenset({topic_of(ExampleLabelled)}))
