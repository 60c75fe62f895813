"""Forms ask for jobs as the API takes them."""

from typing import get_args

import pytest
from pydantic import BaseModel

from deploy.console.jobs import FIELDS, wanted_by
from domain.rollout.lifecycle import OWNERS
from streams.web.api.jobs import Asked, Of

SHAPES: dict[str, type[BaseModel]] = {
    get_args(shape.model_fields["kind"].annotation)[0]: shape
    for shape in get_args(get_args(Asked)[0])
}


@pytest.mark.parametrize("kind", SHAPES)
def test_a_form_has_the_fields_that_a_job_needs_and_no_others(kind: str) -> None:
    """Every one that must be said, and none that would be refused."""
    fields = SHAPES[kind].model_fields
    needed = {name for name, field in fields.items() if field.is_required()} - {"kind"}

    assert needed <= {*FIELDS[kind]} <= fields.keys()


def test_a_job_may_be_of_whatever_somebody_decides_about() -> None:
    """And of nothing else."""
    assert {*get_args(Of)} == OWNERS.keys()


def test_a_form_that_is_sent_twice_is_one_job_and_a_changed_one_another() -> None:
    """By what was drawn when it was shown, and by what it says."""
    form = {"drawn": "a", "kind": "discard", "entry": "0/1", "reason": "old", "of": "tier"}
    first = wanted_by(form)

    assert first.asked == {"kind": "discard", "entry": "0/1", "reason": "old"}
    assert wanted_by(form) == first
    assert wanted_by(form | {"reason": "new"}).name != first.name
    assert wanted_by(form | {"drawn": "b"}).name != first.name
