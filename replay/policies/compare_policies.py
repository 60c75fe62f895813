"""What does another policy change, place by place, and on history?

A catalogue over decisions, an arrival policy over arrivals, a privacy policy over who is kept.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import tzinfo
from hashlib import sha256

from domain.access.privacy_policy import PrivacyPolicy
from domain.bank.arrival_policy import ArrivalPolicy
from domain.offers.catalogue import Catalogue
from domain.rollout.lifecycle import Policy
from projections.rollout.versions import name_of
from replay.erasure.retention import due
from replay.history.changes import Change, changes
from replay.history.redecide import Decisions
from replay.policies.arrivals_tried import Effect, try_arrivals
from replay.policies.offers_tried import OffersTried, try_offers
from replay.policies.window import Window
from streams.journal import Journal


@dataclass(frozen=True)
class PolicyCompared:
    """Two policies of a kind: where they say something else, and what that changes.

    `tried` is there for catalogues, `effects` for arrival policies. `today` has what is as of now,
    and no part of the digest.
    """

    old: str
    new: str
    changes: tuple[Change, ...]
    tried: OffersTried | None = None
    effects: tuple[Effect, ...] = ()
    today: tuple[Effect, ...] = ()

    @property
    def digest(self) -> str:
        """A SHA-256 over all that the report says, but for what is as of now."""
        said = {name: value for name, value in asdict(self).items() if name != "today"}
        return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def is_blind(self) -> bool:
        """Whether there are decisions, and none of them could be looked at."""
        return self.tried is not None and self.tried.looked_at == 0 < self.tried.decisions


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
    effects, today = tuple[Effect, ...](), tuple[Effect, ...]()
    match policies:
        case Catalogue() as old, Catalogue() as new:
            tried = try_offers(journal, decisions(), (old, new), window, progress)
        case ArrivalPolicy() as old, ArrivalPolicy() as new:
            effects = try_arrivals(journal, (old, new), window, zone, progress)
        case PrivacyPolicy() as old, PrivacyPolicy() as new:
            kept = (len(due(journal, policy.longest)) for policy in (old, new))
            today = (Effect("customers who left, and whose time is over", *kept),)
    before, after = policies
    places = changes(before.said, after.said)
    return PolicyCompared(name_of(before), name_of(after), places, tried, effects, today)
