"""What does another policy change, place by place, and on history?

A catalogue over decisions, an arrival policy over arrivals, a privacy policy over who is kept.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, tzinfo
from functools import partial
from hashlib import sha256

from domain.access.privacy_policy import PrivacyPolicy
from domain.bank.arrival_policy import ArrivalPolicy
from domain.bank.events import DayClosed
from domain.envelope import Proposed, Recorded
from domain.event_types import type_name
from domain.offers.catalogue import Catalogue
from domain.rollout.lifecycle import Policy
from projections.rollout.versions import name_of
from replay.erasure.retention import due
from replay.history.redecide import Decisions
from replay.policies.changes import Change, changes
from replay.policies.offers_tried import OffersTried, try_offers
from replay.policies.window import Window, spread
from streams.ingest.screening import Screen
from streams.ingest.signature import needs_signature
from streams.journal import Journal


@dataclass(frozen=True, order=True)
class Effect:
    """Something that is counted over the same history under both policies."""

    what: str
    before: int
    after: int


@dataclass(frozen=True)
class PolicyCompared:
    """Two policies of a kind: where they say something else, and what that changes.

    `tried` is there for catalogues alone. `effects` are as of now, and no part of the digest.
    """

    old: str
    new: str
    changes: tuple[Change, ...]
    tried: OffersTried | None = None
    effects: tuple[Effect, ...] = ()

    @property
    def digest(self) -> str:
        """A SHA-256 over all that the report says, but for what is as of now."""
        said = {name: value for name, value in asdict(self).items() if name != "effects"}
        return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def compare_policies(
    journal: Journal,
    decisions: Callable[[], Decisions],
    policies: tuple[Policy, Policy],
    window: Window,
    zone: tzinfo,
    progress: Callable[[int], None],
) -> PolicyCompared:
    """Two policies of one kind over the history of a window."""
    tried: OffersTried | None = None
    effects: tuple[Effect, ...] = ()
    match policies:
        case Catalogue() as old, Catalogue() as new:
            tried = try_offers(journal, decisions(), (old, new), window, progress)
        case PrivacyPolicy() as old, PrivacyPolicy() as new:
            effects = (_kept(journal, old, new),)
        case ArrivalPolicy() as old, ArrivalPolicy() as new:
            effects = tuple(_set_aside(journal, (old, new), window, zone, progress))
    before, after = policies
    return PolicyCompared(
        name_of(before), name_of(after), changes(before.said, after.said), tried, effects
    )


def _kept(journal: Journal, old: PrivacyPolicy, new: PrivacyPolicy) -> Effect:
    return Effect(
        "customers who left, and whose time is over",
        *(len(due(journal, policy.longest)) for policy in (old, new)),
    )


def _set_aside(
    journal: Journal,
    policies: tuple[ArrivalPolicy, ArrivalPolicy],
    window: Window,
    zone: tzinfo,
    progress: Callable[[int], None],
) -> Iterator[Effect]:
    """What was recorded and would be set aside, by type of event and field."""
    counts: Counter[tuple[str, bool]] = Counter()
    looked_at = 0
    screens = [Screen((), policy, zone) for policy in policies]
    days = sorted(
        event.data.date
        for shard in journal
        for event in shard.own()
        if isinstance(event.data, DayClosed)
    )
    for event in spread(journal, window):
        sent = _as_sent(event)
        if needs_signature(sent) or event.stream.startswith("shard:"):
            continue
        looked_at += 1
        closed = partial(_before, days, sent.business_date)
        for number, screen in enumerate(screens):
            doubt = screen.doubt(sent, event.recorded_at, closed)
            if doubt is not None:
                counts[f"{type_name(type(event.data))}, {doubt.field}", bool(number)] += 1
        progress(1)
    yield Effect("arrivals looked at", looked_at, looked_at)
    for name in sorted({name for name, _ in counts}):
        yield Effect(f"set aside: {name}", counts[name, False], counts[name, True])


def _as_sent(event: Recorded) -> Proposed:
    return Proposed(
        event.source,
        event.id,
        event.stream,
        event.occurred_at,
        event.business_date,
        event.data,
        event.cause,
    )


def _before(days: list[date], until: date) -> date | None:
    """The last day that ended before another."""
    return max((day for day in days if day < until), default=None)
