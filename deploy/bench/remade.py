"""Would the bank decide so again?

Thousands of decisions of a running bank, answered as they came, made once more from the journal
alone.
"""

import asyncio
import random
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec

from deploy.bench.lookups import ask
from deploy.bench.parts import Figure, settings_in
from deploy.cli.decisions import verified
from deploy.embedded.supervisor import running
from deploy.operations.feed import feed_all
from deploy.operations.summary import wait_until_ready, wait_until_settled
from deploy.policy_files import read_policy
from deploy.settings import Settings
from deploy.wiring import existing_journal
from domain.envelope import Proposed
from domain.offers.events import OfferAccepted, OfferDeclined, OfferPresented
from replay.history.redecide import Decisions
from streams.ingest.cloudevents import write
from streams.sources.synth import Bank, synth

BANK = Bank(customers=1_000, months=3, seed=9)
DECISIONS = 10_500
SAMPLE = 10_000
ASKED_CUSTOMERS = 1_500
"""Questions between two lots of answers."""
CHANNELS = ("app", "web", "branch", "call", "email", "sms")


class Answered(msgspec.Struct):
    """As much of an answer as a channel shows."""

    decision: str
    customer: str
    offer: str | None


def remade() -> list[Figure]:
    """How many of ten thousand decisions, drawn at random, come out the same, byte for byte.

    And how many a second are made again.
    """
    chance = random.Random(3)  # noqa: S311 - a draw with a seed
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder))
        with running(settings):
            asyncio.run(wait_until_ready(settings))
            feed_all(settings, list(map(write, synth(BANK))), lambda _count: None)
            asyncio.run(wait_until_settled(settings))
            for _ in range(0, DECISIONS, ASKED_CUSTOMERS):
                _ask_and_answer(settings, chance)
            asyncio.run(wait_until_settled(settings))
            journal = existing_journal(settings)
            decisions = Decisions(journal, read_policy(settings.policy))
            drawn = chance.sample(list(decisions.all()), SAMPLE)
            begun = time.perf_counter()
            report = verified(decisions, drawn, lambda _count: None)
            journal.close()
    rate = SAMPLE / (time.perf_counter() - begun)
    return [
        Figure("decisions_equal", report["equal"], f"of {SAMPLE:,}"),
        Figure("decisions_made_again", rate, "decisions/s"),
    ]


def _ask_and_answer(settings: Settings, chance: random.Random) -> None:
    heard: list[Answered] = []

    def question() -> str:
        person = 100_000 + chance.randrange(BANK.customers)
        return f"/v1/customers/{person}/next-best-offer?channel={chance.choice(CHANNELS)}&limit={chance.randrange(1, 4)}"  # noqa: E501

    asyncio.run(
        ask(
            settings,
            question,
            ASKED_CUSTOMERS,
            None,
            lambda body: heard.append(msgspec.json.decode(body, type=Answered)),
        )
    )
    feed_all(
        settings,
        [event for each in heard if each.offer for event in _answers(each, chance)],
        lambda _count: None,
    )


def _answers(told: Answered, chance: random.Random) -> list[bytes]:
    """Shown, and in most cases answered; a fifth of these by a yes."""
    assert told.offer is not None
    now, said = datetime.now(UTC), {"decision": told.decision, "offer": told.offer}
    data = [OfferPresented(**said, channel="app")]
    if chance.random() < 0.7:
        data.append(
            (OfferAccepted if chance.random() < 0.2 else OfferDeclined)(**said, channel="app")  # type: ignore[arg-type]
        )
    return [
        write(Proposed("channels", uuid4().hex, f"customer:{told.customer}", now, now.date(), each))
        for each in data
    ]
