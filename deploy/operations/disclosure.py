"""How is it written down that all that is known of a customer was given out?"""

from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

from deploy.operations.own_word import say
from deploy.settings import Settings
from domain.access.events import DataLookedUp
from domain.access.roles import looked
from streams.journal import Journal


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
    await say(
        settings,
        journal,
        event,
        "that it was looked at cannot be recorded, and so nothing is given out",
    )
