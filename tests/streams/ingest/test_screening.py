"""What must never come in is refused, wherever it stands, and nothing else is."""

import pytest

from domain.customers.events import PreferenceStated, ProfileFactStated
from domain.envelope import REACTIONS
from domain.offers.events import ExampleLabelled
from streams.ingest.cloudevents import Item, read_event, write
from streams.ingest.screening import Screen
from tests.conftest import proposed

SCREEN = Screen(["password", "pin", "cvv", "fingerprint"])


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "login-password",
        "userPassword",
        "pin",
        "card-pin",
        "userPin",
        "PIN",
        "cvv",
        "fingerprint.left",
    ],
)
def test_a_fact_of_such_a_name_is_forbidden(name: str) -> None:
    """Whole words, parts of a name, capitals or not."""
    for data in (
        ProfileFactStated(fact=name, value="x", source="app"),
        PreferenceStated(topic=name, value="x", source="app"),
    ):
        event = proposed(data)
        assert SCREEN.forbids(Item(write(event), event))


@pytest.mark.parametrize("name", ["shipping", "opinion", "income", "passport-country", "spinning"])
def test_a_fact_of_another_name_is_not(name: str) -> None:
    """Short words must stand alone."""
    event = proposed(ProfileFactStated(fact=name, value="pin password", source="app"))

    assert not SCREEN.forbids(Item(write(event), event))


def test_what_cannot_be_read_is_not_even_kept_if_it_has_such_a_field() -> None:
    """A field that no event has would be quarantined with its bytes; not this one."""
    good = write(proposed(ProfileFactStated(fact="income", value="x", source="app")))
    for raw, forbidden in (
        (good.replace(b'"fact"', b'"password"'), True),
        (good.replace(b'"fact"', b'"fakt"'), False),
    ):
        assert SCREEN.forbids(Item(raw, read_event(raw))) == forbidden


@pytest.mark.parametrize(("source", "forbidden"), [("science", True), (REACTIONS, False)])
def test_a_feature_of_such_a_name_is_forbidden_to_others(source: str, forbidden: bool) -> None:
    """What the bank itself learns from was screened as it came."""
    said = ExampleLabelled(
        offer="a",
        decision="1",
        customer="customer:1",
        features={"login-password=x": 1},
        accepted=True,
    )
    event = proposed(said, stream="model:a")._replace(source=source)

    assert SCREEN.forbids(Item(write(event), event)) == forbidden
