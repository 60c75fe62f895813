"""Decisions of another release: said to be such, and no more."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.policy_files import read_catalogue
from deploy.settings import POLICIES
from domain.envelope import Proposed
from domain.offers.events import CATALOGUES, DECISIONS, Candidate, CatalogueAdopted, OfferDecided
from domain.tiering.policy import TierPolicy
from projections.customers.group import CUSTOMERS
from projections.models.learner import MODEL
from projections.offers.group import REACTIONS
from projections.rollout.versions import name_of
from projections.tiering.standing import STANDINGS
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
    """A journal's decisions, among them one that was made by this: `d1` of customer 1."""
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
    adopted = CatalogueAdopted(
        label=CATALOGUE.label,
        digest=CATALOGUE.digest,
        catalogue=CATALOGUE.model_dump(mode="json", exclude_defaults=True),
    )
    said = (
        Proposed(DECISIONS, "c", CATALOGUES, NOON, NOON.date(), adopted),
        Proposed(DECISIONS, "d1", "customer:1", NOON, NOON.date(), decided),
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
