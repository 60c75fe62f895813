"""How is all that is known of a customer given out, and written down that it was?"""

import asyncio
import json
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4
from zoneinfo import ZoneInfo

from deploy.active_groups import policies_of, rules_in_force
from deploy.operations.own_word import say
from deploy.settings import Settings
from deploy.wiring import existing_journal
from domain.access.events import DataLookedUp
from domain.access.roles import PURPOSES, looked
from domain.event import Role
from replay.erasure.disclosure import known_of
from streams.journal import Journal

GIVEN_BY: dict[Literal["export", "bundle"], Role] = {
    "export": "privacy-officer",
    "bundle": "auditor",
}
"""Who gives out what."""


def disclosed(settings: Settings, customer: str, by: str) -> dict[str, Any]:
    """All that is known of a customer, and under `others` of the person's other numbers; the look
    at each is on record. Raises `NothingKnown`, and `UserError` where no intake takes the looks.
    """
    journal = existing_journal(settings, for_auditors=True)
    privacy = policies_of(settings, journal).privacy
    found = known_of(journal, privacy, rules_in_force(settings, journal), customer)
    for number in (customer, *found["others"]):
        asyncio.run(note(settings, journal, number, by, "export"))
    return found


def as_file(found: dict[str, Any]) -> bytes:
    """What is given out, as JSON for people and machines."""
    return json.dumps(found, ensure_ascii=False, indent=1, default=str).encode()


async def note(
    settings: Settings,
    journal: Journal,
    customer: str,
    by: str,
    what: Literal["export", "bundle"],
) -> None:
    """Write down that all of it was looked at.

    Raises `UserError` where no intake takes it, and then nothing is given out.
    """
    role = GIVEN_BY[what]
    said = DataLookedUp(
        who=by, role=role, purpose=PURPOSES[role][0], what=what, about=f"customer:{customer}"
    )
    event = looked(uuid4().hex, said, datetime.now(ZoneInfo(settings.timezone)))
    await say(
        settings,
        journal,
        event,
        "that it was looked at cannot be recorded, and so nothing is given out",
    )
