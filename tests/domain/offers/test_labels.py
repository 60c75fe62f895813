"""What a modeller may say of an example, and what only the bank may."""

import pytest

from domain.envelope import Proposed
from domain.offers.events import ExampleLabelled
from domain.offers.labels import doubt_of_label
from tests.conftest import proposed


def example(stream: str = "model:a", **fields: object) -> Proposed:
    """An example of somebody, of the model a."""
    said = {"offer": "a", "decision": "1", "customer": "customer:1", "accepted": False}
    known = {"features": {"age": 49, "segment=x": 1}}
    return proposed(ExampleLabelled.model_validate(said | known | fields), stream=stream)


def test_an_outcome_and_what_was_known_may_come_from_elsewhere() -> None:
    """Of any model."""
    assert doubt_of_label(example()) is None


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (example("model:b"), "subject"),
        (example(propensity=0.5), "data.propensity"),
        (example(score=1.0), "data.score"),
        (example(model="model@4/1"), "data.model"),
        (example(features={"age": 10**7}), "data.features"),
        (example(features={"age": -(10**7)}), "data.features"),
        (example(features={"segment=x": 2}), "data.features"),
        (example(features={"segment=x": -1}), "data.features"),
    ],
)
def test_what_only_the_bank_may_say_is_refused(said: Proposed, field: str) -> None:
    """What its models said; another model's stream; numbers that would say what is usual."""
    doubt = doubt_of_label(said)

    assert doubt is not None
    assert doubt.field == field
