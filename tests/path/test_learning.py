"""What agents learn from decisions and answers is what folding them in one process comes to, to
the last bit.
"""

from pathlib import Path

import pytest

from deploy.bench.bank_marketing import rows
from deploy.bench.learners import OFFER, Ours, Row, prequential
from projections.models.learner import MODEL
from projections.projection import digest
from streams.ingest.cloudevents import write
from tests.conftest import Running, settings_in

DATA = Path(__file__).parents[3] / "shared" / "data" / "bank-marketing-first-30000.csv"
CONTACTS = 1_500
DELAY = 50


@pytest.fixture(scope="module")
def contacts() -> list[Row]:
    """The first contacts of a real bank."""
    if not DATA.is_file():
        pytest.skip("the UCI Bank Marketing data is not beside the project (../shared/data)")
    return rows(DATA)[:CONTACTS]


def test_the_whole_path_learns_what_one_process_learns(tmp_path: Path, contacts: list[Row]) -> None:
    """Decisions, answers 50 contacts later, examples, a model.

    Through Kafka, journal and agents, one of which is killed; the same digest.
    """
    ours = Ours()
    prequential(ours, contacts, DELAY)
    half = len(ours.said) // 2
    with Running(settings_in(tmp_path).model_copy(update={"shards": 1})) as running:
        running.run("feed", "-", input=b"\n".join(map(write, ours.said[:half])))
        running.kill("agents")
        running.run("feed", "-", input=b"\n".join(map(write, ours.said[half - 500 :])))
        running.settle()
        shown = running.report("models", "show", OFFER)
        again = running.report("models", "rebuild", OFFER)

    assert shown["examples"] == ours.model.examples == CONTACTS - DELAY - 1
    assert shown["digest"] == digest([(f"model:{OFFER}", MODEL.encode(ours.model))])
    assert again["equal"]
