"""How is it written down that all that is known of a customer was given out?"""

import asyncio
from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

from deploy.settings import Settings
from deploy.terminal import UserError
from deploy.wiring import producer_of
from domain.access.events import DataLookedUp
from domain.access.roles import looked
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import write
from streams.journal import Journal

PATIENCE = 60.0


async def note(settings: Settings, journal: Journal, customer: str, by: str) -> None:
    """Write down that all of it was looked at.

    Raises `UserError` where no intake takes it, and then nothing is given out.
    """
    said = DataLookedUp(
        who=by,
        role="privacy-officer",
        purpose="privacy-request",
        what="export",
        about=f"customer:{customer}",
    )
    event = looked(uuid4().hex, said, datetime.now(ZoneInfo(settings.timezone)))
    with producer_of(settings, journal) as producer:
        sent = producer.submit(shard_of(event.stream, len(journal)), write(event))
        try:
            await asyncio.wait_for(asyncio.wrap_future(sent), PATIENCE)
        except TimeoutError as error:
            raise UserError(
                "that it was looked at cannot be recorded, and so nothing is given out: is an "
                "intake running?"
            ) from error
