"""How do decisions, and looks at people's data, get into the journal without anybody waiting for
it? Gathered for a moment, and sent behind the answers.
"""

import asyncio
import time
from datetime import datetime
from itertools import islice
from uuid import uuid4

from domain.access.roles import looked
from domain.envelope import Proposed
from domain.offers.columns import in_columns
from domain.offers.events import DECISIONS, OfferDecided
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import write, write_batch
from streams.observability.tracing import LINKS, present
from streams.queries.health import UNCONFIRMED
from streams.web.dependencies import WebDependencies
from streams.web.problems import Problem
from streams.web.security.authorize import Access

WAITING = 2_000
"""Messages of decisions and looks that may be on their way to the journal."""
MOMENT = 0.05
"""Seconds for which events are gathered."""
PATIENCE = 5.0
"""Seconds for which an answer waits until there is room."""


class Recording:
    """What was decided and looked at, on its way to the journal.

    Those of a moment go together, and nobody waits for them.
    """

    def __init__(self, deps: WebDependencies) -> None:
        self._deps = deps
        self._waiting: dict[int, list[bytes]] = {}
        self._traces: dict[int, dict[str, None]] = {}
        UNCONFIRMED.set_function(lambda: len(self._waiting) + deps.producer.outstanding)

    async def add(self, stream: str, decided: OfferDecided, now: datetime) -> None:
        """Send a decision."""
        self._add(
            Proposed(DECISIONS, decided.decision, stream, now, now.date(), in_columns(decided))
        )

    async def looked(self, look: Access) -> None:
        """Send word that somebody looked at what is known of somebody."""
        if events := look.events():
            await self.make_room()
        for said in events:
            self._add(looked(uuid4().hex, said, datetime.now(self._deps.zone)))

    def _add(self, event: Proposed) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_later(MOMENT, self.flush)
        shard = shard_of(event.stream, self._deps.shards)
        self._waiting.setdefault(shard, []).append(write(event))
        if under := present():
            self._traces.setdefault(shard, {})[under] = None

    async def make_room(self) -> None:
        """Wait while too much waits for the journal, so that whoever records comes to it.

        Raises a 503 after `PATIENCE` seconds. What is gathered when a process is killed is told and
        not recorded.
        """
        until = time.monotonic() + PATIENCE
        while self._deps.producer.outstanding > WAITING:
            if time.monotonic() > until:
                raise Problem(503, "decisions and lookups cannot be recorded just now; try again")
            await asyncio.sleep(MOMENT)

    def flush(self) -> None:
        """Send what waits."""
        waiting, self._waiting = self._waiting, {}
        traces, self._traces = self._traces, {}
        for shard, events in waiting.items():
            self._deps.producer.submit(
                shard,
                write_batch(events),
                batch=True,
                traces=[*islice(traces.get(shard, ()), LINKS)],
            )
