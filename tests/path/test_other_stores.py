"""The same code with other URLs: a journal in PostgreSQL, and a broker that is taken
at its word.
"""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from domain.customers.events import CustomerOnboarded
from streams.ingest.cloudevents import STRUCTURED, write
from streams.sources.synth import Bank, synth
from tests.conftest import Running, proposed, settings_in


@pytest.fixture
def on_postgres(tmp_path: Path, postgres_url: str) -> Iterator[Running]:
    """A stack whose journal is in PostgreSQL, with intake in a consumer group."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for shard in range(4):
            connection.execute(f"DROP SCHEMA IF EXISTS tierfold_{shard} CASCADE")
    with Running(settings_in(tmp_path, journal=postgres_url, broker_keeps=True)) as made:
        yield made


def test_the_whole_path_on_postgresql(on_postgres: Running, tmp_path: Path) -> None:
    """Fed, folded, rebuilt: the same digests; a post is accepted on the broker's word."""
    events = [write(event) for event in synth(Bank(60, 3, 2))]
    (tmp_path / "bank.jsonl").write_bytes(b"\n".join(events))
    posted = on_postgres.client.post(
        "/v1/interactions",
        content=write(proposed(CustomerOnboarded(source="web"))),
        headers={"content-type": STRUCTURED},
        timeout=30,
    )
    sent = on_postgres.report("feed", str(tmp_path / "bank.jsonl"))["sent"]
    on_postgres.arrive(sent + 1)
    on_postgres.settle()

    assert posted.status_code == 202
    assert on_postgres.counts().balanced()
    on_postgres.must_agree()
