"""Stored bytes of a release that knew more, and bytes that nobody knows."""

import json

import pytest
from pydantic import ValidationError

from domain.customers.events import ChannelVisited
from domain.offers.events import Candidate, OfferDecided
from streams.journal import Newer, decode
from streams.journal.codec import canonical, head
from streams.journal.sealing import closed
from tests.conftest import NOON, proposed

VISITED = proposed(ChannelVisited(channel="app"), "1")


def stored(**fields: object) -> bytes:
    """A visit, with other fields in what it says."""
    said = {**json.loads(canonical(VISITED)), **fields}
    return closed(head(VISITED, 1, NOON, None), json.dumps(said).encode())


def test_a_field_more_than_is_known_is_of_a_newer_release() -> None:
    """It is named, and nothing of what it says."""
    with pytest.raises(Newer, match=r"does not know mood of the type channel-visited\.v1") as found:
        decode(1, stored(mood="bright"))

    assert decode(1, stored()).data == VISITED.data
    assert "bright" not in str(found.value)


def test_a_field_more_within_a_candidate_is_of_a_newer_release_too() -> None:
    """A candidate is a dataclass, of which pydantic says it in other words."""
    decided = proposed(
        OfferDecided(
            decision="d",
            channel="app",
            candidates=(Candidate("fund", 0.1, 100, 10.0, "m"),),
            features={},
            catalogue="c",
        )
    )
    said = json.loads(canonical(decided))
    said["candidates"][0]["mood"] = "bright"

    with pytest.raises(Newer, match=r"does not know candidates\.0\.mood of the type"):
        decode(1, closed(head(decided, 1, NOON, None), json.dumps(said).encode()))


@pytest.mark.parametrize("fields", [{"channel": "moon"}, {"channel": "moon", "mood": "bright"}])
def test_what_is_wrong_besides_is_wrong_in_every_release(fields: dict[str, str]) -> None:
    """A field more does not excuse it."""
    with pytest.raises(ValidationError):
        decode(1, stored(**fields))
