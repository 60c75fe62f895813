"""What do the lookups reach, and how do they answer?

Doors that are put together elsewhere; JSON.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from fastapi import Response

from domain.access.privacy_policy import PrivacyPolicy
from domain.offers.catalogue import Catalogue
from projections.models.forecast import FORESEEN
from projections.redis import RedisStore
from streams.folds.active_groups import Register
from streams.ingest.screening import Screen
from streams.journal import Journal
from streams.policies.in_force import InForce
from streams.publish.confirmed_producer import ConfirmedProducer
from streams.queries.health import Health
from streams.queries.lookups import Lookups
from streams.web.security.tokens import Issuers, Tokens


@dataclass(frozen=True)
class WebDependencies:
    """What the lookups reach, put together elsewhere."""

    store: RedisStore
    journal: Journal
    producer: ConfirmedProducer
    health: Health
    lookups: Lookups
    register: Register
    policies: InForce
    shards: int
    wait_for_journal: bool
    zone: ZoneInfo
    tokens: Tokens | Issuers
    rates: tuple[str, str]
    screens: Callable[[], Screen]
    tell_stalls: bool
    prometheus: str | None

    @property
    def privacy(self) -> PrivacyPolicy:
        """The privacy policy that holds."""
        return self.policies.privacy


def models_of(catalogue: Catalogue) -> tuple[str, ...]:
    """Every model that is asked, by name: of each offer of a catalogue, and of what may come."""
    return (*(offer.offer for offer in catalogue.offers), *FORESEEN)


def as_json(content: Any, status: int = 200) -> Response:
    """Content as a JSON response; dataclasses, dates and all."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")
