"""What is known, of one and of all, and by which right?

For the customer who asks, and for whoever supervises.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from domain.access.events import REGISTER, SubjectForgotten
from domain.access.privacy_policy import PrivacyPolicy
from domain.envelope import Recorded
from domain.event_types import TYPE_BY_EVENT, type_name
from projections.projection import Group
from projections.registry import GROUPS
from projections.rollout.versions import Rules
from projections.views.history import as_shown, customer_then, customers_under
from replay.erasure.persons import all_numbers
from replay.erasure.retention import due, last_day_closed
from replay.history.access_log import accesses_of
from replay.history.as_of import as_of, history
from streams.broker.routing import shard_of
from streams.journal import Journal


class NothingKnown(ValueError):
    """Nothing is known of a customer."""


def privacy_report(journal: Journal, policy: PrivacyPolicy) -> dict[str, Any]:
    """The policy, its fields by class, what is held, what is due, who was forgotten, and the impact
    assessment.
    """
    assert journal.keyring is not None
    keys, today = journal.keyring.counts(), last_day_closed(journal)
    register = Counter(
        type(event.data).__name__
        for event in history(journal[shard_of(REGISTER, len(journal))], REGISTER)
    )
    classes = Counter(
        field.level for kind in policy.events.values() for field in kind.fields.values()
    )
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


def known_of(
    journal: Journal, privacy: PrivacyPolicy, rules: Rules, customer: str
) -> dict[str, Any]:
    """All that is known of a customer, and under `others` the same of each other number of the
    person.

    Events with what each is used for, what follows from them, and who looked; raises
    `NothingKnown`.
    """
    stream = f"customer:{customer}"
    others = [
        number.removeprefix("customer:")
        for number in all_numbers(journal, [stream])
        if number != stream and journal[shard_of(number, len(journal))].rows(number, limit=1)
    ]
    return {
        **_known_of(journal, privacy, rules, customer),
        "others": {number: _known_of(journal, privacy, rules, number) for number in others},
    }


def _known_of(
    journal: Journal, privacy: PrivacyPolicy, rules: Rules, customer: str
) -> dict[str, Any]:
    stream = f"customer:{customer}"
    events = list(history(journal[shard_of(stream, len(journal))], stream))
    if not events:
        raise NothingKnown(
            f"nothing is known of customer {customer}: nothing was recorded, or it was forgotten"
        )
    return {
        "customer": customer,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "policy": privacy.label,
        "purposes": privacy.purposes,
        "states": dict(_states(journal, rules, stream)),
        "events": [_event(event, privacy) for event in events],
        "looks": [
            {"at": at.isoformat(), **look.model_dump(mode="json")}
            for at, look in accesses_of(journal, stream)
        ],
    }


def _states(journal: Journal, rules: Rules, stream: str) -> Iterator[tuple[str, Any]]:
    """Every state of a customer, by projection."""
    tiered = customers_under(rules.policies.values())
    states: Any = as_of(journal, tiered, stream) or tiered.initial
    seen = as_shown(customer_then(stream, states, rules))
    yield from ((name, msgspec.to_builtins(state)) for name, state in seen.items())
    others: list[Group] = [
        each.group
        for each in GROUPS
        if each.group and each.of_customer and each.group.parts[0].name not in seen
    ]
    for group in others:
        kept = as_of(journal, group, stream) or group.initial
        yield from (
            (part.name, msgspec.to_builtins(state))
            for part, state in zip(group.parts, kept, strict=True)
        )


def _event(event: Recorded, policy: PrivacyPolicy) -> dict[str, Any]:
    kind = policy.events[type_name(type(event.data))]
    return {
        "type": TYPE_BY_EVENT[type(event.data)],
        "purpose": kind.purpose,
        "kept": f"{policy.retention[kind.retention].years} years after leaving",
        "source": event.source,
        "occurred_at": event.occurred_at.isoformat(),
        "business_date": str(event.business_date),
        "data": event.data.model_dump(mode="json"),
    }
