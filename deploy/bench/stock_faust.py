"""How do stock Faust agents do, with an event a message?

One that counts, and one that keeps a table.
"""

import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from deploy.bench.parts import settings_in, started
from deploy.embedded import services as embedded
from deploy.settings import Settings
from streams.broker.kafka import Broker

EVENTS = 20_000
TOPIC = "peer"
MODES = {
    "agent": "stock Faust agent, an event a message",
    "table": "stock Faust agent with a table, an event a message",
}


class Peer(NamedTuple):
    """Events a second, and CPU microseconds an event, from the first event to the last."""

    rate: float
    cost: float


@cache
def stock_faust() -> dict[str, Peer]:
    """What each of these agents does on this machine, by name."""
    with tempfile.TemporaryDirectory() as folder:
        return {name: _measured(Path(folder), mode) for mode, name in MODES.items()}


def peer_in(result: Path) -> Peer:
    """What a peer wrote of its run."""
    return Peer(*map(float, result.read_text(encoding="ascii").split()))


def _measured(folder: Path, mode: str) -> Peer:
    settings = settings_in(folder)
    with started(embedded.broker_command(settings), folder / f"{mode}.log", settings.broker):
        _fill(settings)
        peer = [sys.executable, "-m", "deploy.bench.faust_peer", mode, settings.broker]
        result = folder / mode
        subprocess.run(
            [*peer, TOPIC, str(EVENTS), "1", str(result)],
            capture_output=True,
            timeout=120,
            check=True,
        )
    return peer_in(result)


def _fill(settings: Settings) -> None:
    broker = Broker(settings.broker)
    broker.create_topics(1, names=[TOPIC])
    producer = broker.producer()
    for number in range(EVENTS):
        payment = {"subject": f"customer:{number % 500}", "data": {"amount": number}}
        producer.send(
            TOPIC, key=b"%d" % (number % 500), value=json.dumps(payment).encode(), partition=0
        )
    producer.flush()
    producer.close()
