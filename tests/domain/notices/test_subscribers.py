"""Who may be told of what is checked before anybody is told."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.notices.subscribers import Subscriber, Subscribers

GOOD: dict[str, Any] = {
    "name": "crm",
    "role": "channel",
    "types": ["tier-changed"],
    "url": "https://crm.bank.example/hook",
}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"types": ["months-restated"]}, "channel may not be told of months-restated"),
        ({"types": ["tier-chnged"]}, "there is no tier-chnged"),
        ({"role": "core", "types": ["arrival-recorded"]}, "name those of which"),
        ({"role": "tier-owner"}, "tier-owner may not be told of tier-changed"),
        ({"url": "http://crm.bank.example/hook"}, "use https"),
        ({"url": "https://user:pass@crm.bank.example/"}, "use https"),
        ({"url": "ftp://crm.bank.example/"}, "use https"),
        ({"name": "../crm"}, "pattern"),
    ],
)
def test_what_a_subscriber_may_not_be_is_said(wrong: dict[str, Any], why: str) -> None:
    """Each with what to write instead."""
    with pytest.raises(ValidationError, match=why):
        Subscriber.model_validate({**GOOD, **wrong})


def test_two_of_one_name_are_refused() -> None:
    """And two on the one topic."""
    with pytest.raises(ValidationError, match="crm is there twice"):
        Subscribers.model_validate({"subscribers": [GOOD, GOOD]})
    topics = [{**GOOD, "name": name, "url": None} for name in ("a", "b")]
    with pytest.raises(ValidationError, match="only one is without a url"):
        Subscribers.model_validate({"subscribers": topics})
