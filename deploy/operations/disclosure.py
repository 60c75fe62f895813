"""What is known, of one and of all, and by which right? For the customer who asks, and for whoever supervises."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec

from deploy.active_groups import policy_in_force
from deploy.reports.comparison import templates
from deploy.reports.story import lines
from deploy.settings import Settings
from deploy.terminal import Mendable
from deploy.wiring import courier_of
from domain.access.events import REGISTER, DataLookedUp, SubjectForgotten
from domain.access.privacy_policy import PrivacyPolicy
from domain.access.roles import looked
from domain.envelope import Recorded
from domain.event_types import TOPIC_BY_EVENT, type_name
from projections.customers.group import customers_under
from replay.erasure.retention import due, last_day_closed
from replay.history.access_log import looks_at
from replay.history.as_of import as_of, history
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import write
from streams.journal import Journal

PATIENCE = 60.0


def held(journal: Journal, policy: PrivacyPolicy) -> dict[str, Any]:
    """The policy, its fields by class, what is held, what is due, who was forgotten, and the impact assessment."""
    assert journal.keyring is not None
    keys, today = journal.keyring.counts(), last_day_closed(journal)
    register = Counter(type(event.data).__name__ for event in history(journal[shard_of(REGISTER, len(journal))], REGISTER))
    classes = Counter(field.level for kind in policy.events.values() for field in kind.fields.values())
    counts = journal.counts()
    return {
        "policy": policy.label,
        "digest": policy.digest,
        "effective": str(policy.effective),
        "fields": sum(classes.values()),
        **{f"fields_{level}": count for level, count in sorted(classes.items())},
        "refused_C3": ", ".join(policy.refused),
        "subjects_with_a_key": keys.there,
        "restricted": keys.restricted,
        "forgotten": keys.destroyed,
        "orders_to_forget": register[SubjectForgotten.__name__],
        "events": counts.recorded,
        "quarantined": counts.quarantined,
        "refused": counts.refused,
        "last_day_closed": str(today),
        "due": len(due(journal, policy.longest)),
        "assessed": f"{policy.assessment.day} by {policy.assessment.by}",
        "said": policy.model_dump(mode="json"),
    }


def report_page(found: dict[str, Any]) -> bytes:
    """The report as a page."""
    return templates.get_template("privacy.html").render(found=found).encode()


def known_of(settings: Settings, journal: Journal, policy: PrivacyPolicy, customer: str) -> dict[str, Any]:
    """All that is known of a customer: events with what each is used for, what follows from them, and who looked; raises `Mendable`."""
    stream = f"customer:{customer}"
    events = list(history(journal[shard_of(stream, len(journal))], stream))
    if not events:
        raise Mendable(f"nothing is known of customer {customer}: nothing was recorded, or it was forgotten")
    group = customers_under(policy_in_force(settings, journal, None, None))
    states = as_of(journal, group, stream) or group.initial
    return {
        "customer": customer,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "policy": policy.label,
        "purposes": policy.purposes,
        "states": {part.name: msgspec.to_builtins(state) for part, state in zip(group.parts, states, strict=True)},
        "events": [_event(event, policy) for event in events],
        "looks": [{"at": at.isoformat(), **look.model_dump(mode="json")} for at, look in looks_at(journal, stream)],
    }


def export_page(found: dict[str, Any]) -> bytes:
    """What is known of a customer, as a page."""
    return templates.get_template("export.html").render(found=found, lines=lines).encode()


async def note(settings: Settings, journal: Journal, customer: str, by: str) -> None:
    """Write down that all of it was looked at; raises `Mendable` where no intake takes it, and then nothing is given out."""
    said = DataLookedUp(who=by, role="privacy-officer", purpose="privacy-request", what="export", about=f"customer:{customer}")
    event = looked(uuid4().hex, said, datetime.now(ZoneInfo(settings.timezone)))
    with courier_of(settings, journal) as courier:
        sent = courier.submit(shard_of(event.stream, len(journal)), write(event))
        try:
            await asyncio.wait_for(asyncio.wrap_future(sent), PATIENCE)
        except TimeoutError as error:
            raise Mendable("that it was looked at cannot be recorded, and so nothing is given out: is an intake running?") from error


def _event(event: Recorded, policy: PrivacyPolicy) -> dict[str, Any]:
    kind = policy.events[type_name(type(event.data))]
    return {
        "type": TOPIC_BY_EVENT[type(event.data)],
        "purpose": kind.purpose,
        "kept": f"{policy.retention[kind.retention].years} years after leaving",
        "source": event.source,
        "occurred_at": event.occurred_at.isoformat(),
        "business_date": str(event.business_date),
        "data": event.data.model_dump(mode="json"),
    }
