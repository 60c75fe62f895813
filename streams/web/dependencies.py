"""What do the lookups reach, and how do they answer?

Doors that are put together elsewhere; JSON.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from fastapi import Response

from domain.access.privacy_policy import PrivacyPolicy
from domain.offers.catalogue import Catalogue
from projections.models.forecast import FORESEEN
from projections.redis import RedisStore
from streams.ingest.screening import Screen
from streams.journal import Journal
from streams.publish.confirmed_producer import ConfirmedProducer
from streams.queries.health import Health
from streams.queries.lookups import Lookups
from streams.web.security.tokens import Tokens


@dataclass(frozen=True)
class WebDependencies:
    """What the lookups reach, put together elsewhere."""

    store: RedisStore
    journal: Journal
    producer: ConfirmedProducer
    health: Health
    lookups: Lookups
    catalogue: Catalogue
    shards: int
    wait_for_journal: bool
    zone: ZoneInfo
    tokens: Tokens
    privacy: PrivacyPolicy
    rates: tuple[str, str]
    screen: Screen
    tell_stalls: bool

    @cached_property
    def models(self) -> tuple[str, ...]:
        """Every model that is asked, by name: of each offer of the catalogue, and of
        what may come.
        """
        return (*(offer.offer for offer in self.catalogue.offers), *FORESEEN)


def as_json(content: Any, status: int = 200) -> Response:
    """Content as a JSON response; dataclasses, dates and all."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")
