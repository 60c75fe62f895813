"""Decisions of another release: said to be such, and no more."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.policy_files import read_catalogue
from deploy.settings import POLICIES
from domain.envelope import Proposed
from domain.offers.columns import in_full
from domain.offers.events import CATALOGUES, DECISIONS, Candidate, CatalogueAdopted, OfferDecided
from domain.tiering.policy import TierPolicy
from projections.cases.complaints import CASES
from projections.customers.group import CUSTOMERS
from projections.models.learner import MODEL
from projections.offers.group import REACTIONS
from projections.rollout.versions import name_of
from projections.tiering.standing import STANDINGS
from projections.views.decision import with_probability
from replay.history.redecide import Decisions, OtherRelease
from streams.journal import Arrival, Journal, LogOffset

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CATALOGUE = read_catalogue(POLICIES / "offers.yaml")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal of one shard."""
    made = Journal(f"sqlite://{tmp_path}/journal", 1)
    made[0].claim()
    yield made
    made.close()


def decisions(
    journal: Journal, policy: TierPolicy, upto: dict[str, int], model: str | None
) -> Decisions:
    """A journal's decisions: one that was made by this, `d1` of customer 1."""
    candidates = (
        ()
        if model is None
        else (Candidate(offer="fund", propensity=0.1, value=1, priority=0.1, model=model),)
    )
    decided = OfferDecided(
        decision="d1",
        channel="app",
        candidates=candidates,
        features={},
        catalogue=CATALOGUE.label,
        upto=upto,
    )
    return recorded(journal, policy, decided)


def recorded(journal: Journal, policy: TierPolicy, decided: OfferDecided) -> Decisions:
    """A journal's decisions: this one, of customer 1, and its catalogue."""
    adopted = CatalogueAdopted(
        label=CATALOGUE.label,
        digest=CATALOGUE.digest,
        catalogue=CATALOGUE.model_dump(mode="json", exclude_defaults=True),
    )
    said = (
        Proposed(DECISIONS, "c", CATALOGUES, NOON, NOON.date(), adopted),
        Proposed(DECISIONS, decided.decision, "customer:1", NOON, NOON.date(), decided),
    )
    journal[0].record(
        [Arrival(0, item, b"", event) for item, event in enumerate(said)], LogOffset("log", 0), NOON
    )
    return Decisions(journal, policy)


@pytest.mark.parametrize("model", [None, "none", f"{MODEL.key}/7"])
@pytest.mark.parametrize("other", ["reactions@2", "customers@0"])
def test_a_decision_by_a_group_that_this_release_does_not_have_is_not_made_again(
    journal: Journal, bohai: TierPolicy, other: str, model: str | None
) -> None:
    """Whether any model was asked for it or not; it is said which release made it."""
    upto = {CUSTOMERS.name: 0, REACTIONS.name: 0, f"{STANDINGS}/{name_of(bohai)}": 0}
    upto = {
        other if name.startswith(other[:5]) else name: position for name, position in upto.items()
    }
    made = decisions(journal, bohai, upto, model)
    event = made.find("d1")

    assert event is not None
    with pytest.raises(
        OtherRelease, match=f"decided by .*{other}.*, and this release has .*{CUSTOMERS.name}"
    ):
        made.again(event)


def test_a_decision_by_another_version_of_a_model_is_not_made_again(
    journal: Journal, bohai: TierPolicy
) -> None:
    """Its numbers were others."""
    made = decisions(
        journal,
        bohai,
        {CUSTOMERS.name: 0, REACTIONS.name: 0, f"{STANDINGS}/{name_of(bohai)}": 0},
        "model@1/7",
    )
    event = made.find("d1")

    assert event is not None
    with pytest.raises(OtherRelease, match="model@1"):
        made.again(event)


@pytest.mark.parametrize("old", [False, True])
def test_a_decision_is_made_again_as_it_was_stored(
    tmp_path: Path, bohai: TierPolicy, *, old: bool
) -> None:
    """In columns, or in full and with its probability, as an older release stored it."""
    upto = dict.fromkeys((CUSTOMERS.name, CASES.name, REACTIONS.name), 0)
    stub = OfferDecided(
        decision="d1",
        channel="app",
        features={},
        catalogue=CATALOGUE.label,
        upto={**upto, f"{STANDINGS}/{name_of(bohai)}": 0},
        personalised=False,
    )
    first, second = (Journal(f"sqlite://{tmp_path}/{name}", 1) for name in "ab")
    first[0].claim()
    second[0].claim()
    found = recorded(first, bohai, stub)
    event = found.find("d1")
    assert event is not None
    columns = OfferDecided.model_validate(found.again(event).again)
    assert columns.rivals is not None
    assert columns.drops
    stored = with_probability(in_full(columns, CATALOGUE), CATALOGUE) if old else columns

    again = recorded(second, bohai, stored)
    event = again.find("d1")
    assert event is not None
    remade = again.again(event)
    assert remade.equal, remade.differs
    assert remade.recorded == stored.model_dump(mode="json")
    assert len(remade.in_full["candidates"]) == 1 + len(columns.rivals.offer)
    assert remade.in_full["probability"] is not None
