"""How does somebody at the console say what a customer made of an offer? As an event of theirs."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from domain.access.roles import Caller
from domain.event_types import PREFIX, TYPE_BY_EVENT
from domain.offers.events import OfferAccepted, OfferDeclined, OfferPresented

SAID = {
    "presented": OfferPresented,
    "accepted": OfferAccepted,
    "declined": OfferDeclined,
}
"""By the button of a form, what it says."""


def said_by(form: Mapping[str, str], caller: Caller, now: datetime) -> dict[str, Any] | None:
    """The CloudEvent of a form, at a moment of the bank's zone; None where it says nothing of ours.

    Its id follows from the form, and its time is that of the minute, so that one that is sent twice
    says the same, once.
    """
    kind = SAID.get(form.get("said", ""))
    if kind is None:
        return None
    given = {name: form.get(name, "") for name in ("decision", "offer", "channel")}
    name = sha256(repr((kind.__name__, sorted(given.items()))).encode()).hexdigest()[:32]
    return {
        "specversion": "1.0",
        "id": name,
        "source": f"{caller.who}/console",
        "type": f"{PREFIX}{TYPE_BY_EVENT[kind]}",
        "subject": f"customer:{form.get('customer', '')}",
        "time": now.replace(second=0, microsecond=0).isoformat(),
        "businessdate": now.date().isoformat(),
        "data": given,
    }
