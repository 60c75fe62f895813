"""How do the bank's own people say something by a command? By the front door, and waited for."""

import asyncio

from deploy.settings import Settings
from deploy.terminal import UserError
from deploy.wiring import producer_of
from domain.envelope import Proposed
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import write
from streams.journal import Journal

PATIENCE = 60.0


async def say(settings: Settings, journal: Journal, event: Proposed, otherwise: str) -> None:
    """Record an event as our own word.

    Raises `UserError` where no intake takes it, with what is so `otherwise`.
    """
    with producer_of(settings, journal) as producer:
        sent = producer.submit(shard_of(event.stream, len(journal)), write(event))
        try:
            await asyncio.wait_for(asyncio.wrap_future(sent), PATIENCE)
        except TimeoutError as error:
            raise UserError(f"{otherwise}: is an intake running?") from error
